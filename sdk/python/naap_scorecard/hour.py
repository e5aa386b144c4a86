"""Settles an hour: from batches to a tally and the events it rests on (docs/scoring.md, "From batches to a scorecard")."""

from collections import defaultdict

from . import canonical
from .admission import Authority
from .obligations import Coverage, Owing, tokens_per_second_milli
from .objectives import class_of, hardware_of, warmth_of
from .pairs import compared
from .probes import Probes
from .register import host_of
from .stories import is_telling, stories_of
from .tenures import tenures_of
from .tally import Key, Tally
from .ties import Ties

NEAR_MS = 600_000


class Settled:
    """An hour's tally, its events and what it leans on."""

    def __init__(self, folder):
        self.hour, self.observe = folder.window.last, folder.policy["observe"]
        batches = list({(batch.place, batch.hash): batch for batch in folder.batches}.values())
        self.authority = Authority(folder.trust, batches)
        self.batches = [batch for batch in batches if self.authority.stands(batch)]
        self.context = folder.open
        self.ties = Ties(batches, self.authority, self.hour)
        self.probes = Probes(self.batches, self.authority, self.hour)
        self.tally = Tally()
        self.proving = self._proving()
        self.coverage = Coverage(self.proving)
        self.asked = self._asked()
        self._jobs()
        self._links()
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

    def _links(self):
        """What ties whom to what, by the words of the hour."""
        for said in self.asked:
            if not self.hour.holds(said.when):
                continue
            if said.kind == "payment.sent" and said.role == "gateway" and "sender" in said.body:
                self.tally.links.add((said.reporter, said.reporter, "payer", said.body["sender"]))
            elif said.kind == "roster.observed":
                hosts = map(host_of, said.body["urls"])
                self.tally.links |= {(said.body["member"], said.reporter, "host", host) for host in hosts}

    def _episode(self, job, story, episode):
        tenures = tenures_of(episode)
        whose = [self._whose(tenure) for tenure in tenures]
        work = story.workload, *self._class(episode, tenures, [tie for _, tie in whose])
        speakers = {said.reporter for said in episode.claims if said.role == "tester"} | {story.teller}
        origin = "probe" if self.probes.is_test(job, episode.first_word()) else "organic"
        if any(map(is_telling, episode.words())):
            self.tally.demanding.add(story.teller)
        for tenure, (operator, tie) in zip(tenures, whose):
            if tenure.is_self_told:
                continue
            signer = tenure.names.get("signer") if operator is None else None
            sources = tuple(sorted(speakers - {operator}))
            about = (
                operator, signer, tenure.names.get("url"), episode.node_of(operator), work, sources, origin,
                episode.says("region"), story.role == "collector", *self._apart(episode, work, tie),
            )  # fmt: skip
            judged_by = class_of(story.work, work, tie, self.observe)
            owing = Owing(tenure, episode, self.hour, self.observe, judged_by, self.coverage, operator)
            owed = list(owing.outcomes())
            for kind, due, (outcome, why) in owed:
                self._row(about, due).counts[kind][outcome, why] += 1
            for moment in self._measured(tenure):
                self._row(about, moment)
            if self.hour.holds(tenure.told):
                self._row(about, tenure.told).tenures += 1
                is_disputed = any(outcome == "disputed" for _, _, (outcome, _) in owed)
                self._compare(episode, tenure, operator, is_disputed)

    def _apart(self, episode, work, tie):
        """What the policy asks to keep rows apart by: the gateway that an unsigned feed named, hardware and warmth."""
        named = [said.event["gateway"] for said in episode.words() if "gateway" in said.event]
        is_named = named and episode.story.role == "collector"
        told = {"gateway": named[0] if is_named else None, "hardware": hardware_of(work, tie), "warm": warmth_of(work, tie)}
        return [value if name in self.observe.get("apart", ()) else None for name, value in told.items()]

    def _compare(self, episode, tenure, operator, is_disputed):
        if "compare" in self.observe:
            for other, numbers, found in compared(episode, tenure, operator, is_disputed, self.observe["compare"]):
                self.tally.pairs[other, episode.story.teller].add(numbers, found)

    def _measured(self, tenure):
        """When something of a tenure is measured that is neither an obligation nor that it was told."""
        segment = tenure.segment
        if tenure.end is not None and self.hour.holds(tenure.end):
            is_timed = segment and segment["success"] and segment.get("duration_ms") and "latency_ms" in segment
            if tenure.ending in ("failed", "swapped") or is_timed or tokens_per_second_milli(tenure) is not None:
                yield tenure.end
        for said in tenure.statuses:
            if self.hour.holds(said.when) and ("fps_in" in said.body or "fps_out" in said.body):
                yield said.when

    def _row(self, about, moment):
        return self.tally.rows[Key(*about, moment // self.observe["block_ms"])]

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
