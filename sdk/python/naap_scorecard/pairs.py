"""What two reporters say of the same tenure, held against each other (docs/scoring.md, "Counts", Pairs)."""

MILLION = 1_000_000


class Telling:
    """What somebody says of a tenure."""

    def __init__(self, reporter, episode, tenure, tolerance_ms):
        until = None if tenure.end is None else tenure.end + tolerance_ms
        said = [
            said for said in episode.claims
            if said.reporter == reporter and tenure.begin - tolerance_ms <= said.when and (until is None or said.when <= until)
        ]  # fmt: skip
        self.spoke = bool(said)
        firsts = [first for first in (_first_output(one, tenure) for one in said) if first is not None]
        self.first = min(firsts, default=None)
        self.failed = any(map(_tells_of_failure, said))
        self.frames = frames_of(said)


def _first_output(said, tenure):
    if said.kind == "probe.observed" and said.body["success"]:
        took = said.body.get("first_output_ms")
        return said.when if took is None else tenure.begin + took
    return said.when if said.kind == "job.first_output" else None


def _tells_of_failure(said):
    return said.kind == "job.failed" or (said.kind == "probe.observed" and not said.body["success"])


def frames_of(claims):
    """The frames out that statuses tell of."""
    told = [said.body.get("fps_out") for said in claims if said.kind == "stream.status"]
    return [frames for frames in told if frames is not None]


def disagreements(tenure, telling, is_disputed, compare):
    """In what a teller and another one contradict each other."""
    is_unseen = tenure.first_output is not None and telling.failed and telling.first is None
    if is_disputed or is_unseen:
        yield "outcome"
    if tenure.first_output is not None and telling.first is not None:
        if abs(tenure.first_output - telling.first) > compare["clock_tolerance_ms"]:
            yield "clock_skew"
    mine, theirs = frames_of(tenure.statuses), telling.frames
    if mine and theirs:
        mean, other = sum(mine) * len(theirs), sum(theirs) * len(mine)
        allowed = MILLION + compare["fps_tolerance_ppm"]
        if other * MILLION > mean * allowed:
            yield "inflated_fps"
        elif mean * MILLION > other * allowed:
            yield "inflated_fps_of_teller"


def compared(episode, tenure, operator, is_disputed, compare):
    """What comes of comparing an episode's teller with the operator and the testers: the other, numbers, and in what."""
    teller = episode.story.teller
    others = {said.reporter for said in episode.claims if said.role == "tester"} | {operator}
    for other in others - {teller, None}:
        telling = Telling(other, episode, tenure, compare["clock_tolerance_ms"])
        if not telling.spoke:
            yield other, {"unmirrored": 1}, {}
            continue
        found = set(disagreements(tenure, telling, is_disputed and other == operator, compare))
        yield other, {"both": 1, "disputed": int(bool(found))}, dict.fromkeys(found, 1)
