"""What each tenure owed, when it was due and what came of it (docs/scoring.md, "Obligations")."""

from collections import defaultdict

from .stories import are_same, is_other_side, names_of

MILLION = 1_000_000
# In the order in which a scorecard lists them.
ORDER = (
    "start", "output", "ending", "latency", "quality", "end_to_end", "stay", "jitter", "status", "throughput",
)  # fmt: skip
# Whoever has the work may say that these were met.
BY_OUTPUT = ("start", "output", "latency", "end_to_end")
JITTER_STATUSES_MIN = 3
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

    def __init__(self, tenure, episode, hour, observe, work, coverage, operator):
        self.tenure, self.episode, self.hour = tenure, episode, hour
        self.work, self.grace_ms = work, observe["grace_ms"]
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
            if "end_to_end_objective_ms" in self.work:
                owed.append(("end_to_end", *self._output(self.work["end_to_end_objective_ms"], self.tenure.output)))
        if is_session:
            owed += [(kind, self.end, outcome) for kind, outcome in self._ending()]
            owed += self._hourly()
        else:
            owed.append(("throughput", self.tenure.end, self._throughput()))
        for kind, due, outcome in owed:
            if due is not None and outcome is not None and self.hour.holds(due):
                if outcome == BAD and kind in BY_OUTPUT and self._is_disputed(due):
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
        """What is owed when it ends."""
        is_apart = self.work.get("swaps_apart", False)
        if self.ending == "silent":
            yield "ending", ("excused", "end_unknown")
        elif self.ending == "completed":
            yield "ending", GOOD
            if is_apart:
                yield "stay", GOOD
        elif self.ending is not None:
            yield "stay" if is_apart and self.ending == "swapped" else "ending", self._by_reason()

    def _throughput(self):
        least, rate = self.work.get("throughput_min_milli"), tokens_per_second_milli(self.tenure)
        return None if least is None or rate is None else _judged(rate >= least)

    def _hourly(self):
        """What is owed once in each hour."""
        last = self.hour.end - 1
        lived = last if self.end is None else self.episode.last_word() if self.ending == "silent" else self.end
        begin, due = max(self.tenure.begin, self.hour.start), min(lived, last)
        if "quality_after_ms" not in self.work or due - begin < self.work["quality_after_ms"]:
            return
        statuses = [said.body for said in self.tenure.statuses if begin <= said.when <= due]
        yield "quality", due, self._quality(statuses, due)
        share, jitter = self.work.get("jitter_share_ppm"), self._jitter(statuses)
        if share is not None and jitter is not None:
            yield "jitter", due, _judged(jitter <= share)
        share = self.work.get("status_share_ppm")
        if share is not None and statuses:
            clean = sum("error" not in status and status.get("state") not in ("error", "offline") for status in statuses)
            yield "status", due, _judged(clean * MILLION >= len(statuses) * share)

    def _quality(self, statuses, due):
        reached = [reach for reach in map(self._reaches, statuses) if reach is not None]
        if reached:
            return _judged(2 * sum(reached) >= len(reached))
        if any(status.get("fps_in") == 0 for status in statuses):
            return ("excused", "input_failed")
        return MISSING if statuses else self._silence(due)

    def _possible(self, status):
        """The frames that could come out of what came in; 0 where none could."""
        frames = status.get("fps_in", 0)
        return min(frames, self.work.get("fps_target_milli", frames))

    def _reaches(self, status):
        fps_out, share, possible = status.get("fps_out"), self.work.get("fps_share_ppm"), self._possible(status)
        return None if not possible or fps_out is None or share is None else fps_out * MILLION >= possible * share

    def _jitter(self, statuses):
        """How far frames out strayed from their mean, in parts per million of it."""
        frames = [(status["fps_out"], self._possible(status)) for status in statuses if "fps_out" in status]
        shares = [min(out, possible) * MILLION // possible for out, possible in frames if possible]
        count, total = len(shares), sum(shares)
        if count < JITTER_STATUSES_MIN or not total:
            return None
        return sum(abs(share * count - total) for share in shares) * MILLION // (count * total)

    def _is_disputed(self, due):
        for said in self.episode.claims:
            if is_other_side(said) and self.tenure.begin <= said.when <= due and _tells_of_output(said):
                if said.reporter == self.operator if self.operator else are_same(names_of(said), self.tenure.names):
                    return True
        return False


def _judged(is_met):
    return GOOD if is_met else BAD


def tokens_per_second_milli(tenure):
    """Thousandths of tokens per second of an answer; None where nobody can tell."""
    tokens = tenure.tokens or {}
    if "rate_milli" in tokens:
        return tokens["rate_milli"]
    if "completion" not in tokens:
        return None
    took = tenure.end - tenure.begin - tokens.get("ttft_ms", 0)
    return tokens["completion"] * MILLION // took if took > 0 else None


def _tells_of_output(said):
    body = said.body
    if said.kind == "stream.status":
        return bool(body.get("fps_out"))
    if said.kind == "segment.attempted":
        return body["success"]
    return said.kind in ("job.first_output", "job.playable") or (said.kind == "job.completed" and "reason" not in body)
