"""Which orchestrator had the work when (docs/scoring.md, "Tenures")."""

from .stories import NAMES, are_same, is_other_side, names_of

STREAMING = ("live-video", "live-runner")
ENDINGS = {"job.swapped": "swapped", "job.failed": "failed", "job.completed": "completed"}
BEGINNINGS = ("job.assigned", "job.failed", "job.completed", "segment.attempted")
SESSION_WORDS = ("job.assigned", "job.first_output", "job.playable", "stream.status")


class Tenure:
    """One orchestrator's time with the work."""

    def __init__(self, said, begin):
        self.names = dict(names_of(said))
        self.begin, self.told, self.batch = begin, said.when, said.batch
        self.is_whole = said.kind in BEGINNINGS
        self.is_self_told = False
        self.end = self.ending = self.reason = None
        self.first_output = self.output = None
        self.statuses = []
        self.segment = None
        # What an answer said of its tokens.
        self.tokens = None

    def name(self, names):
        """Takes over the names it did not have."""
        for kind in NAMES:
            if kind in names:
                self.names.setdefault(kind, names[kind])

    def gives_first(self, moment):
        """The first output came."""
        self.first_output = moment if self.first_output is None else min(self.first_output, moment)

    def gives(self, moment):
        """Output came."""
        self.gives_first(moment)
        self.output = moment if self.output is None else min(self.output, moment)

    def stop(self, moment, ending, reason=None):
        """It ended."""
        self.end, self.ending, self.reason = moment, ending, reason


class Reader:
    """Reads the words of one side of an episode."""

    def __init__(self, story):
        self.linger_ms = story.linger_ms
        self.is_request = story.workload not in STREAMING
        self.tenures = []
        # Whether the job has ended and was not given out again.
        self.is_over = False

    def running(self):
        """The tenure that was begun last, unless it has ended."""
        return self.tenures[-1] if self.tenures and self.tenures[-1].end is None else None

    def read(self, said):
        """Takes in the next word."""
        names, running = names_of(said), self.running()
        if said.kind in SESSION_WORDS:
            self._go_on(said, names, running)
        elif said.kind == "payment.sent" and running and are_same(running.names, names) is not False:
            running.name(names)
        elif said.kind == "job.swapped":
            self._swap(said, names, running)
        elif said.kind in ENDINGS:
            self._end(said, names, running)
        elif said.kind == "segment.attempted":
            self._attempt(said, names)

    def _begin(self, said, begin):
        """Begins a tenure in place of the running one."""
        running = self.running()
        if running:
            running.stop(said.when, "swapped", "unknown")
        self.tenures.append(Tenure(said, max(0, begin)))
        return self.tenures[-1]

    def _of(self, names):
        return [tenure for tenure in self.tenures if are_same(tenure.names, names)]

    def _was_just_left(self, names, moment):
        ends = [tenure.end for tenure in self._of(names) if tenure.end is not None]
        return any(moment <= end + self.linger_ms for end in ends)

    def _go_on(self, said, names, running):
        tenure = running
        if names and (running is None or are_same(running.names, names) is False):
            is_own = said.kind == "job.assigned" and said.body["witness"] == "gateway"
            if not is_own and (self.is_over or self._was_just_left(names, said.when)):
                return
            tenure = self._begin(said, said.when)
            self.is_over = False
        if tenure is None:
            return
        tenure.name(names)
        if said.kind == "job.first_output":
            tenure.gives_first(said.when)
        elif said.kind == "job.playable":
            tenure.gives(said.when)
        elif said.kind == "stream.status":
            tenure.statuses.append(said)
            if said.body.get("fps_out"):
                tenure.gives(said.when)

    def _swap(self, said, names, running):
        if not names or (running and are_same(running.names, names) is not False):
            if running:
                running.stop(said.when, "swapped", said.body["reason"])
        elif self._of(names):
            self._explain(said, names)
        else:
            self._begin(said, said.when).stop(said.when, "swapped", said.body["reason"])

    def _explain(self, said, names):
        """Says why a tenure ended that had to make way."""
        last = self._of(names)[-1]
        is_unexplained = (last.ending, last.reason) == ("swapped", "unknown")
        if is_unexplained and said.when <= last.end + self.linger_ms:
            last.stop(last.end, ENDINGS[said.kind], said.body.get("reason"))
            if self._is_answer(said):
                last.output = last.end if last.output is None else last.output

    def _is_answer(self, said):
        return self.is_request and said.kind == "job.completed" and "reason" not in said.body

    def _end(self, said, names, running):
        is_completed = said.kind == "job.completed"
        if not running or are_same(running.names, names) is False:
            if not names or self._was_just_left(names, said.when):
                self.is_over = self.is_over or not names or is_completed
                if names:
                    self._explain(said, names)
                return
            running = self._begin(said, said.when - said.body.get("duration_ms", 0))
        running.stop(said.when, ENDINGS[said.kind], said.body.get("reason"))
        running.name(names)
        self.is_over = True
        if self._is_answer(said):
            first = said.body.get("tokens", {}).get("ttft_ms")
            running.gives_first(said.when if first is None else min(said.when, running.begin + first))
            running.gives(said.when)
            running.tokens = said.body.get("tokens")

    def _attempt(self, said, names):
        body = said.body
        if any(one.segment and one.segment["attempt"] == body["attempt"] for one in self._of(names)):
            return
        tenure = Tenure(said, max(0, said.when - body.get("latency_ms", 0)))
        self.tenures.append(tenure)
        tenure.segment = body
        if body["success"]:
            tenure.gives(said.when)
            tenure.stop(said.when, "completed")
        else:
            tenure.stop(said.when, "failed", body.get("reason", "unknown"))


def tenures_of(episode):
    """The tenures of an episode; the other side's word only where its teller told of none."""
    reader = Reader(episode.story)
    for said in episode.words():
        reader.read(said)
    if reader.tenures:
        return reader.tenures
    reader = Reader(episode.story)
    for said in episode.claims:
        if is_other_side(said):
            reader.read(said)
    for tenure in reader.tenures:
        tenure.is_self_told = True
    return reader.tenures
