"""Settles an hour: from batches to a tally and the events it rests on (docs/scoring.md, "From batches to a scorecard")."""

from collections import defaultdict

from . import canonical
from .admission import Authority
from .obligations import Coverage, Owing
from .stories import stories_of
from .tenures import tenures_of
from .probes import Probes
from .ties import Ties

NEAR_MS = 600_000


class Row:
    """One row of a tally."""

    def __init__(self):
        self.counts = defaultdict(lambda: defaultdict(int))
        self.tenures = 0


class Settled:
    """An hour's tally, its events and what it leans on."""

    def __init__(self, folder):
        self.hour, self.observe = folder.hour, folder.policy["observe"]
        batches = list({(batch.place, batch.hash): batch for batch in folder.batches}.values())
        self.authority = Authority(folder.trust, batches)
        self.batches = [batch for batch in batches if self.authority.stands(batch)]
        self.context = folder.context
        self.ties = Ties(batches, self.authority, self.hour)
        self.probes = Probes(self.batches, self.authority, self.hour)
        self.rows = defaultdict(Row)
        self.proving = self._proving()
        self.coverage = Coverage(self.proving)
        self.asked = self._asked()
        self._jobs()
        self.leaves = {leaf_of(said) for said in (*self.asked, *self.ties.held, *self.shown)}

    def _asked(self):
        """The events that the hour asks for, each once."""
        first = {}
        for batch in self.batches:
            for said in batch.events:
                if self._asks(said) and self.authority.admits(said):
                    name = said.reporter, said.event["id"]
                    if name not in first or said.sealing < first[name].sealing:
                        first[name] = said
        return list(first.values())

    def _asks(self, said):
        if said.kind == "scorecard.published":
            return False
        if self.hour.holds(said.when):
            return True
        return said.job in self.context and self.context[said.job] <= said.when < self.hour.start

    def _proving(self):
        """The batches that can prove a silence: near the hour, and nobody who speaks in them is refused."""
        first, last = self.hour.start - NEAR_MS, self.hour.end + NEAR_MS
        near = [batch for batch in self.batches if first <= batch.sealed_ms <= last and batch.events]
        return [batch for batch in near if all(map(self.authority.admits, batch.events))]

    def _jobs(self):
        jobs = defaultdict(list)
        for said in self.asked:
            if said.job is not None:
                jobs[said.job].append(said)
        self.shown = [said for job in jobs for said in self.probes.about(job)]
        for job, claims in jobs.items():
            claims.sort(key=lambda said: said.order)
            for story in stories_of(claims, self.observe):
                for episode in story.episodes():
                    self._episode(job, story, episode)

    def _episode(self, job, story, episode):
        tenures = tenures_of(episode)
        whose = [self._whose(tenure) for tenure in tenures]
        pipeline, model = self._class(episode, tenures, [tie for _, tie in whose])
        speakers = {said.reporter for said in episode.claims if said.role == "tester"} | {story.teller}
        origin = "probe" if self.probes.is_test(job, episode.first_word()) else "organic"
        for tenure, (operator, _) in zip(tenures, whose):
            if tenure.is_self_told:
                continue
            signer = tenure.names.get("signer") if operator is None else None
            sources = tuple(sorted(speakers - {operator}))
            key = (
                operator, signer, tenure.names.get("url"), (story.workload, pipeline, model), sources, origin,
                episode.says("region"), story.role == "collector",
            )  # fmt: skip
            if self.hour.holds(tenure.told):
                self.rows[*key, self._block(tenure.told)].tenures += 1
            owing = Owing(tenure, episode, self.hour, self.observe, self.coverage, operator)
            for kind, due, (outcome, why) in owing.outcomes():
                self.rows[*key, self._block(due)].counts[kind][outcome, why] += 1

    def _block(self, moment):
        return moment // self.observe["block_ms"]

    def _whose(self, tenure):
        if "recipient" in tenure.names:
            return tenure.names["recipient"], None
        tie = self.ties.best(tenure.names, max(tenure.begin, self.hour.start))
        return (tie.body["orchestrator"]["recipient"] if tie else None), tie

    def _class(self, episode, tenures, ties):
        pipeline, model = episode.says("pipeline"), episode.says("model")
        if model is not None or episode.story.workload != "live-video":
            return pipeline, model
        asked = pipeline or "live-video-to-video"
        told = [
            tie for tenure, tie in zip(tenures, ties)
            if tie is not None and not tenure.is_self_told
            and tie.reporter != tie.body["orchestrator"]["recipient"] and "omitted" not in tie.body
        ]  # fmt: skip
        models = [
            {offer["model"] for offer in tie.body["offers"] if offer["pipeline"] == asked and "model" in offer} for tie in told
        ]
        common = set.intersection(*models) if models else set()
        return (asked, common.pop()) if len(common) == 1 else (pipeline, None)


def leaf_of(said):
    """The leaf of an event in the event set."""
    batch = said.batch
    numbers = b"".join(number.to_bytes(8) for number in (batch.epoch, batch.seq, batch.sealed_ms))
    return said.hash + batch.key + numbers


def event_set(settled):
    """The event set as a scorecard names it."""
    leaves = sorted(settled.leaves)
    return {"count": len(leaves), "root": canonical.root([canonical.leaf(leaf) for leaf in leaves]).hex(), "rule": "set-1"}
