"""What each tenure owed, when it was due and what came of it (docs/scoring.md, "Obligations")."""

from collections import defaultdict

from .stories import are_same, is_other_side, names_of

MILLION = 1_000_000
# In the order in which a scorecard lists them.
ORDER = ("start", "output", "ending", "latency", "quality")
BY_REASON = {
    "capacity": ("declined", None),
    "user_disconnect": ("excused", "user_left"),
    "input_failed": ("excused", "input_failed"),
    "gateway_reset": ("excused", "gateway_fault"),
    "payment": ("excused", "gateway_fault"),
    "no_orchestrator": ("excused", "no_orchestrator"),
    "invalid_request": ("excused", "invalid_request"),
}
BAD = ("bad", None)
GOOD = ("good", None)
MISSING = ("missing", None)
DISPUTED = ("disputed", None)


class Coverage:
    """What chains prove by going on: their batches, as far as they follow one another."""

    def __init__(self, batches):
        self.runs = defaultdict(list)
        last = None
        for batch in sorted(batches, key=lambda batch: batch.place):
            runs = self.runs[batch.key, batch.epoch]
            if not (runs and batch.seq == last.seq + 1 and batch.prev == last.hash and batch.sealed_ms >= last.sealed_ms):
                runs.append([batch])
            else:
                runs[-1].append(batch)
            last = batch

    def proves(self, told, since, until):
        """Whether the chain of the batch `told` is known from it on, or from before a moment, until another."""
        for run in self.runs.get((told.key, told.epoch), ()):
            begins = run[0].seq <= told.seq or run[0].sealed_ms < since
            if begins and run[-1].seq >= told.seq and run[-1].sealed_ms >= until:
                return True
        return False


class Owing:
    """Reads what one tenure of an episode owes in an hour."""

    def __init__(self, tenure, episode, hour, observe, coverage, operator):
        self.tenure, self.episode, self.hour = tenure, episode, hour
        self.work, self.grace_ms = episode.story.work, observe["grace_ms"]
        self.coverage, self.operator = coverage, operator
        # The end that was told, or the silence that became one in the hour.
        self.end, self.ending = tenure.end, tenure.ending
        if self.end is None and episode.ended is None and episode.silent() < hour.end:
            self.end, self.ending = episode.silent(), "silent"

    def outcomes(self):
        """Every obligation that is due in the hour, with its due time and outcome."""
        if self.tenure.is_self_told:
            return
        is_session = "start_patience_ms" in self.work
        owed = []
        if self.tenure.is_whole:
            if is_session:
                owed.append(("start", *self._output(self.work["start_patience_ms"], self.tenure.first_output)))
            owed.append(("output", *self._output(self.work["output_patience_ms"], self.tenure.output)))
            owed.append(("latency", *self._latency()))
        if is_session:
            owed.append(("ending", self.end, self._ending()))
            owed.append(("quality", *self._quality()))
        for kind, due, outcome in owed:
            if due is not None and self.hour.holds(due):
                if outcome == BAD and kind in ("start", "output", "latency") and self._is_disputed(due):
                    outcome = DISPUTED
                yield kind, due, outcome

    def _output(self, patience, came):
        promised = self.tenure.begin + patience
        over = promised if self.end is None else min(promised, self.end)
        due = max(over, self.tenure.told)
        if came is not None and came <= over:
            return due, GOOD
        if self.end is None or self.end > promised or self.ending == "silent":
            return due, self._silence(over)
        if self.ending == "completed":
            return due, ("excused", "user_left")
        return due, self._by_reason()

    def _silence(self, until):
        since = max(self.tenure.begin, self.hour.start)
        return BAD if self.coverage.proves(self.tenure.batch, since, until + self.grace_ms) else MISSING

    def _objective(self):
        """The time in which the first output should come, or the segment."""
        segment, share = self.tenure.segment, self.work.get("realtime_share_ppm")
        if segment is None or share is None:
            return self.work.get("latency_objective_ms")
        return segment["duration_ms"] * share // MILLION if "duration_ms" in segment else None

    def _latency(self):
        objective, segment = self._objective(), self.tenure.segment
        if objective is None:
            return None, None
        if segment is None:
            return self._output(objective, self.tenure.first_output)
        if not segment["success"] or "latency_ms" not in segment:
            return None, None
        return self.end, GOOD if segment["latency_ms"] <= objective else BAD

    def _by_reason(self):
        tenure, within = self.tenure, self._objective()
        within = self.work["output_patience_ms"] if within is None else within
        if tenure.reason == "capacity" and (tenure.first_output is not None or tenure.end > tenure.begin + within):
            return BAD
        return BY_REASON.get(tenure.reason, BAD)

    def _ending(self):
        if self.ending == "silent":
            return ("excused", "end_unknown")
        return GOOD if self.ending == "completed" else self._by_reason()

    def _quality(self):
        last = self.hour.end - 1
        lived = last if self.end is None else self.episode.last_word() if self.ending == "silent" else self.end
        begin, due = max(self.tenure.begin, self.hour.start), min(lived, last)
        if "quality_after_ms" not in self.work or due - begin < self.work["quality_after_ms"]:
            return None, None
        statuses = [said.body for said in self.tenure.statuses if begin <= said.when <= due]
        reached = [reach for reach in map(self._reaches, statuses) if reach is not None]
        if reached:
            return due, GOOD if 2 * sum(reached) >= len(reached) else BAD
        if any(status.get("fps_in") == 0 for status in statuses):
            return due, ("excused", "input_failed")
        return due, MISSING if statuses else self._silence(due)

    def _reaches(self, status):
        fps_in, fps_out, share = status.get("fps_in"), status.get("fps_out"), self.work.get("fps_share_ppm")
        if not fps_in or fps_out is None or share is None:
            return None
        return fps_out * MILLION >= min(fps_in, self.work.get("fps_target_milli", fps_in)) * share

    def _is_disputed(self, due):
        for said in self.episode.claims:
            if is_other_side(said) and self.tenure.begin <= said.when <= due and _tells_of_output(said):
                if said.reporter == self.operator if self.operator else are_same(names_of(said), self.tenure.names):
                    return True
        return False


def _tells_of_output(said):
    body = said.body
    if said.kind == "stream.status":
        return bool(body.get("fps_out"))
    if said.kind == "segment.attempted":
        return body["success"]
    return said.kind in ("job.first_output", "job.playable") or (said.kind == "job.completed" and "reason" not in body)
