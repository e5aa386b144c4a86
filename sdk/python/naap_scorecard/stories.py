"""Who tells of a job, cut into episodes (docs/scoring.md, "Stories")."""

TELLERS = ("gateway", "tester", "collector")
NAMES = ("url", "signer", "recipient")


def is_telling(said):
    """Whether it says something about how the work went."""
    return said.kind.startswith("job.") or said.kind in ("segment.attempted", "stream.status")


def is_other_side(said):
    """Whether its speaker is of those who do the work, as against those who hand it out."""
    return said.role not in TELLERS


def names_of(said):
    """The orchestrator it names; empty where it names nobody."""
    return said.body.get("orchestrator") or {}


def are_same(one, other):
    """Whether two sightings are of one orchestrator; None where they share no kind of name."""
    for kind in NAMES:
        if kind in one and kind in other:
            return one[kind] == other[kind]
    return None


class Episode:
    """One run of a job as one teller tells it."""

    def __init__(self, story):
        self.story = story
        self.claims = []
        self.ended = None
        # Who was last given the work, as the gateway itself saw it.
        self.given = {}
        self.last = self.last_any = None

    def open_until(self):
        """The last moment at which a claim still belongs to it."""
        if self.ended is not None:
            return self.ended + self.story.linger_ms
        return self.last_word() + self.story.work["idle_ms"]

    def last_word(self):
        """When its teller spoke last, or anybody where it did not."""
        return self.last_any if self.last is None else self.last

    def silent(self):
        """When it fell silent, had it not ended."""
        return None if self.ended is not None else self.open_until() + 1

    def add(self, said):
        """Takes in the next claim."""
        self.claims.append(said)
        self.last_any = said.when
        if not self.story.tells(said):
            return
        self.last = said.when
        if said.kind == "job.assigned":
            if said.body["witness"] == "gateway":
                self.ended, self.given = None, names_of(said)
            return
        is_end = said.kind in ("job.completed", "segment.attempted")
        is_end = is_end or (said.kind == "job.failed" and are_same(self.given, names_of(said)) is not False)
        if is_end and self.ended is None:
            self.ended = said.when

    def words(self):
        """The claims of its teller."""
        return [said for said in self.claims if self.story.tells(said)]

    def begin(self):
        """When its first claim counts."""
        return self.claims[0].when

    def first_word(self):
        """The first claim of its teller, or anybody's where it did not speak."""
        return (self.words() or self.claims)[0]

    def node_of(self, operator):
        """The node of the first word that the operator itself said."""
        own = (it for it in self.claims if is_other_side(it) and it.reporter == operator)
        return next((it.event["node"] for it in own), None)

    def says(self, member):
        """What the work is, by the first claim that has it."""
        return said_of(self.claims, self.story.tells, member)


def said_of(claims, tells, member):
    """What a member of the envelope is: the teller's first word, else a tester's, else perhaps the other side's."""
    sides = [
        [said for said in claims if tells(said)],
        [said for said in claims if said.role == "tester" and not tells(said)],
    ]
    if not any(map(is_telling, sides[0])):
        sides.append([said for said in claims if is_other_side(said)])
    for side in sides:
        for said in side:
            if member in said.event:
                return said.event[member]
    return None


class Story:
    """What one teller, the testers and the other side say of a job."""

    def __init__(self, teller, claims, observe):
        self.role, self.teller = teller
        self.claims = [said for said in claims if self.tells(said) or said.role == "tester" or is_other_side(said)]
        self.workload = said_of(self.claims, self.tells, "workload")
        classes = [work for work in observe["class"] if work["workload"] == self.workload]
        self.work = classes[0] if classes else None
        self.linger_ms = observe["linger_ms"]

    def tells(self, said):
        """Whether it is its teller's word."""
        return (said.role, said.reporter) == (self.role, self.teller)

    def episodes(self):
        """Its claims, cut where one run ends and the next begins."""
        episodes = []
        for said in self.claims:
            if not episodes or said.when > episodes[-1].open_until():
                episodes.append(Episode(self))
            episodes[-1].add(said)
        return episodes


def stories_of(claims, observe):
    """The stories of one job whose work a policy knows; the claims are in their order."""
    stories = [Story(teller, claims, observe) for teller in _tellers(claims)]
    return [story for story in stories if story.work is not None]


def _tellers(claims):
    """Those with the best right to tell; nobody in no role where only the other side spoke."""
    for heard in (filter(is_telling, claims), claims):
        sides = {(said.role, said.reporter) for said in heard}
        for role in TELLERS:
            tellers = sorted(side for side in sides if side[0] == role)
            if tellers:
                return tellers
    return [(None, None)]
