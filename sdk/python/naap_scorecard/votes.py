"""What the sources of a component prove (docs/scoring.md, "Method `evidence`", A component)."""

from collections import defaultdict
from fractions import Fraction

from .bounds import MILLION, lower_bound
from .tally import LARGEST, plus

# Weights are in millionths of an observation.
WHOLE = MILLION * MILLION


def _ceil(number, by):
    return -(-number // by)


class Block:
    """What one source told in one block."""

    def __init__(self):
        self.good = self.bad = self.disputed = self.outage = self.sessions = 0

    @property
    def count(self):
        """How many came to something, but for an outage's."""
        return self.good + self.bad + self.disputed


class Source:
    """What one source told of a component: outages are left out up to a share, and blocks weigh."""

    def __init__(self, blocks, rule):
        self.good = self.bad = self.disputed = self.excused = 0
        # How much all blocks weigh, and how much of that failed, by anybody's word and by nobody else's denial.
        self.weight = self.failed = self.undenied = 0
        told = sum(block.count + block.outage for block in blocks.values())
        room = told * rule["outage"]["excused_share_max_ppm"] // MILLION
        for _, block in sorted(blocks.items()):
            excused = min(block.outage, room - self.excused)
            self.excused = plus(self.excused, excused)
            self._weigh(block, excused, rule["correlation_ppm"])

    def _weigh(self, block, excused, correlation_ppm):
        bad = plus(block.bad, block.outage - excused)
        self.good = plus(self.good, block.good)
        self.bad = plus(self.bad, bad)
        self.disputed = plus(self.disputed, block.disputed)
        count = block.good + bad + block.disputed
        if not count:
            return
        left = _ceil(block.sessions * count, count + excused) if excused else block.sessions
        sessions = min(left, count)
        weight = sessions * WHOLE // (MILLION + correlation_ppm * (sessions - 1))
        self.weight += weight
        self.failed += _ceil(weight * (bad + block.disputed), count)
        self.undenied += weight * bad // count

    @property
    def count(self):
        """How many came to something."""
        return self.good + self.bad + self.disputed

    @property
    def observations(self):
        """How many independent observations it is worth."""
        return min(self.weight // MILLION, LARGEST)


class Vote:
    """What the sources that count come to together."""

    def __init__(self, told, clusters, rule):
        self.rule = rule
        self.sources = {source: Source(blocks, rule) for source, blocks in told.items()}
        least = rule["source_observations_min"]
        self.counted = {source: one for source, one in self.sources.items() if one.observations >= least}
        shared = defaultdict(int)
        for source in self.counted:
            shared[clusters.name(source)] += 1
        self.clusters = len(shared)
        # Among how many the vote of each is shared.
        self.sharers = {source: shared[clusters.name(source)] for source in self.counted}

    def weight(self):
        """What the component weighs over all work: the evidence of a source of middling size."""
        sizes = sorted(one.weight for one in self.counted.values())
        return max(1, self._evidence(sizes[(len(sizes) - 1) // 2]))

    def _evidence(self, size):
        """How many observations stand behind the word of a source of some size."""
        most = self.rule["cap_times"] * size
        weight = sum(min(other.weight, most) // self.sharers[source] for source, other in self.counted.items())
        return min(weight * self.rule["factor_ppm"] // WHOLE, LARGEST)

    def _behind(self, one):
        """How many observations stand behind a source's word, and how many of them failed."""
        evidence = self._evidence(one.weight)
        return evidence, _ceil(evidence * one.failed, one.weight)

    def _bound(self, one):
        evidence, failures = self._behind(one)
        return lower_bound(evidence - failures, failures, self.rule)

    def proof(self):
        """What is published of a component with a bound; nothing where there is none."""
        bounds = sorted((self._bound(one), source) for source, one in self.counted.items())
        votes = Fraction(0)
        for lower, source in bounds:
            votes += Fraction(1, self.sharers[source])
            if 2 * votes >= self.clusters:
                # Of several with this bound the least address decides, whichever vote it took.
                decides = min(other for bound, other in bounds if bound == lower)
                return self._proof(lower, decides)
        return {}

    def _proof(self, lower, decides):
        one = self.counted[decides]
        evidence, failures = self._behind(one)
        if not evidence:
            return {}
        bad = evidence * one.undenied // one.weight
        return {
            "decides": decides,
            "effect_ppm": min(_ceil(one.count * WHOLE, one.weight), LARGEST),
            "evidence": evidence,
            "failures": failures,
            "lower": lower,
            "rate": MILLION - _ceil(MILLION * one.failed, one.weight),
            "upper": MILLION - lower_bound(bad, evidence - bad, self.rule),
        }

    def written(self):
        """The sources of a component, by address."""
        return [
            {
                "bad": one.bad, "counts": source in self.counted, "disputed": one.disputed, "good": one.good,
                "observations": one.observations, "source": source,
            } | ({"sharers": self.sharers[source]} if self.sharers.get(source, 1) > 1 else {})
            for source, one in sorted(self.sources.items())
        ]  # fmt: skip
