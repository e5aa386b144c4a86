"""What an hour counts, and how counts of several hours add up (docs/scoring.md, "Counts" and "Windows of several hours")."""

from collections import defaultdict
from typing import NamedTuple

from . import forms
from .canonical import LARGEST
from .obligations import ORDER

TIES = ("payer", "host")
PAIR = ("both", "disputed", "unmirrored")


class Key(NamedTuple):
    """What a row is about."""

    operator: str | None
    signer: str | None
    url: str | None
    # The node that spoke for the operator.
    node: str | None
    # Workload, pipeline, model.
    work: tuple
    sources: tuple
    origin: str
    region: str | None
    collected: bool
    # What a policy may keep rows apart by.
    gateway: str | None
    hardware: str | None
    warm: bool | None
    block: int


class Row:
    """One row of a tally."""

    def __init__(self):
        # By kind of obligation, then by outcome and excuse.
        self.counts = defaultdict(lambda: defaultdict(int))
        self.tenures = 0

    def add(self, other):
        """Takes in another row about the same."""
        self.tenures = plus(self.tenures, other.tenures)
        for kind, counts in other.counts.items():
            mine = self.counts[kind]
            for outcome, count in counts.items():
                mine[outcome] = plus(mine[outcome], count)

    def is_counted(self):
        """Whether it counts anything that a result is made of."""
        return bool(self.tenures or self.counts)


class Pair:
    """How far two reporters agree."""

    def __init__(self):
        self.numbers = dict.fromkeys(PAIR, 0)
        self.disagreed = defaultdict(int)

    def add(self, numbers, disagreed):
        """Takes in more."""
        for name, number in numbers.items():
            self.numbers[name] = plus(self.numbers[name], number)
        for thing, number in disagreed.items():
            self.disagreed[thing] = plus(self.disagreed[thing], number)


def plus(one, other):
    """Sums stop where canonical JSON has no room for more."""
    return min(one + other, LARGEST)


class Tally:
    """The counts of an hour."""

    def __init__(self):
        self.rows = defaultdict(Row)
        # Who told of demand.
        self.demanding = set()
        # Of, teller, tie and to.
        self.links = set()
        # By the other, then the teller.
        self.pairs = defaultdict(Pair)


def read(value):
    """The tally that a canonical object is; a ValueError, KeyError, TypeError or AttributeError where it is none."""
    tally = Tally()
    for row in value["cells"]:
        key, cell = row["key"], row["value"]
        subject, work = key["subject"], key["class"]
        sources = tuple(key["reporters"])
        named = Key(
            subject.get("operator"), subject.get("signer"), subject.get("url"), subject.get("node"),
            (work["workload"], work.get("pipeline"), work.get("model")), sources, key["origin"], key.get("region"),
            key["collected"], key.get("gateway"), key.get("hardware"), key.get("warm"), key["block"],
        )  # fmt: skip
        addresses = [address for address in (named.operator, named.signer, *sources) if address is not None]
        if not all(map(forms.ADDRESS, addresses)) or work["workload"] not in forms.WORKLOADS:
            raise ValueError("a row of another form")
        mine = tally.rows[named]
        mine.tenures = plus(mine.tenures, _number(cell["tenures"]))
        for kind, counts in cell["obligations"].items():
            if kind not in ORDER:
                raise ValueError(f"the obligation {kind}")
            excused = {("excused", why): count for why, count in counts.get("excused", {}).items()}
            plain = {(outcome, None): count for outcome, count in counts.items() if outcome != "excused"}
            # An obligation of which nothing is counted is there all the same.
            sums = mine.counts[kind]
            for outcome, count in (plain | excused).items():
                if _number(count):
                    sums[outcome] = plus(sums[outcome], count)
    tally.demanding = {row["key"]["reporter"] for row in value["demand"]}
    tally.links = {link(row["key"]) for row in value.get("links", ())}
    for row in value.get("pairs", ()):
        numbers = {name: _number(row["value"][name]) for name in PAIR}
        tally.pairs[row["key"]["other"], row["key"]["teller"]].add(numbers, row["value"].get("disagreed", {}))
    return tally


def link(value):
    """A link, as a tally and a register write it."""
    if set(value) != {"of", "teller", "tie", "to"} or value["tie"] not in TIES:
        raise ValueError("a link of another form")
    return value["of"], value["teller"], value["tie"], value["to"]


def _number(value):
    if not forms.U53(value):
        raise ValueError("a count of another form")
    return value
