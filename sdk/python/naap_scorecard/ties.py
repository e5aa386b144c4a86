"""Which operator an orchestrator is of (docs/scoring.md, "Who is who")."""

from collections import defaultdict

from .stories import NAMES

SELLERS = ("orchestrator", "worker", "transcoder")
DAY_MS = 24 * 3_600_000


class Ties:
    """The ties that an hour weighs."""

    def __init__(self, batches, authority, hour):
        alike = defaultdict(dict)
        for batch in batches:
            for said in batch.events:
                if said.kind == "capability.offered" and "recipient" in said.body["orchestrator"]:
                    names = tuple(said.body["orchestrator"].get(kind) for kind in NAMES)
                    first, place = alike[batch.key, names], (said.when, said.hash)
                    admitted = authority.admits(said)
                    order = (not admitted, *said.sealing)
                    if place not in first or order < first[place][0]:
                        first[place] = (order, said, admitted)
        self.ties = []
        for first in alike.values():
            ties = [first[place][1:] for place in sorted(first)]
            before = [tie for tie in ties if tie[0].when < hour.start][-1:]
            after = [tie for tie in ties if tie[0].when >= hour.end][:1]
            inside = [tie for tie in ties if hour.holds(tie[0].when)]
            self.ties += [said for said, admitted in before + inside + after if admitted and self._may_say(said)]
        self.held = set()

    @staticmethod
    def _may_say(said):
        return said.role not in SELLERS or said.body["orchestrator"]["recipient"] == said.reporter

    @staticmethod
    def _fit(seen, tied):
        signers = seen.get("signer"), tied.get("signer")
        urls_agree = "url" in seen and seen.get("url") == tied.get("url")
        if None in signers:
            return 2 if urls_agree else None
        if signers[0] != signers[1]:
            return None
        return 0 if urls_agree else 1

    def best(self, names, moment):
        """The tie that tells whose an orchestrator is."""
        fitting = []
        for said in self.ties:
            tied = said.body["orchestrator"]
            fit = self._fit(names, tied)
            if fit is not None and abs(said.when - moment) <= DAY_MS:
                is_own = said.reporter == tied["recipient"]
                fitting.append((is_own, fit, abs(said.when - moment), said.when, said.hash, said.batch.key, said))
        if not fitting:
            return None
        held = min(fitting, key=lambda tie: tie[:-1])[-1]
        self.held.add(held)
        return held
