"""The method of `reliability-1`: the pooled share of obligations that were good (docs/scoring.md, "Results")."""

from collections import defaultdict

from .forms import WORKLOADS
from .obligations import MILLION, ORDER

OUTCOMES = ("bad", "declined", "disputed", "good", "missing")


class Evidence:
    """Counts, and whose word they rest on."""

    def __init__(self):
        self.counts = defaultdict(lambda: defaultdict(int))
        self.sources = set()


class Gathered:
    """The rows of one result; unsigned feeds apart."""

    def __init__(self):
        self.evidence = {False: Evidence(), True: Evidence()}
        self.tenures, self.urls = 0, set()

    def add(self, url, sources, collected, row):
        """Takes in a row."""
        self.tenures += row.tenures
        if url is not None:
            self.urls.add(url)
        if not sources:
            return
        evidence = self.evidence[collected]
        evidence.sources.update(sources)
        for kind, outcomes in row.counts.items():
            for outcome, count in outcomes.items():
                evidence.counts[kind][outcome] += count


def known(counts):
    """How many came to something."""
    return sum(counts[outcome, None] for outcome in ("good", "bad", "disputed"))


def share(counts):
    """The share that was good, rounded down."""
    return counts["good", None] * MILLION // known(counts) if known(counts) else None


def written(counts):
    """Counts as a scorecard writes them."""
    members = {outcome: counts[outcome, None] for outcome in OUTCOMES}
    excused = {why: count for (outcome, why), count in counts.items() if outcome == "excused"}
    return members | ({"excused": excused} if excused else {})


def result(who, work, gathered, rule):
    """One result."""
    is_signed = bool(gathered.evidence[False].counts)
    evidence = gathered.evidence[not is_signed]
    pooled = defaultdict(int)
    for kind in rule["obligations"]:
        for outcome, count in evidence.counts.get(kind, {}).items():
            pooled[outcome] += count
    operator, signer = who
    lacking = rule["obligations_min"] - known(pooled)
    made = {
        "class": work,
        "indicators": [
            present({"counts": written(counts), "obligation": kind, "share": share(counts)})
            for kind, counts in sorted(evidence.counts.items(), key=lambda pair: ORDER.index(pair[0]))
        ],
        "operator": operator,
        "signer": signer,
        "sources": sorted(evidence.sources),
        "tenures": gathered.tenures,
        "urls": sorted(gathered.urls),
    }
    if lacking > 0:
        made["grade"] = "insufficient"
        made["reason"] = f"{known(pooled)} obligations known, {lacking} more to a score"
    else:
        made["score"] = share(pooled)
        made["grade"] = "CBA"[min(max(len(evidence.sources), 1), 3) - 1] if is_signed else "D"
    return present(made)


def present(members):
    """Without what is absent."""
    return {name: value for name, value in members.items() if value is not None}


def results(settled, policy):
    """Every result of a tally, in order."""
    gathered = defaultdict(Gathered)
    for key, row in settled.rows.items():
        operator, signer, url, work, sources, _, _, collected, _ = key
        for kind in (None, work):
            gathered[operator, signer, kind].add(url, sources, collected, row)

    def order(key):
        operator, signer, work = key
        workload, pipeline, model = work or (None, None, None)
        place = WORKLOADS.index(workload) if workload else -1
        return operator or "", signer or "", work is not None, model or "", pipeline or "", place

    made = []
    for key in sorted(gathered, key=order):
        operator, signer, work = key
        named = work and present({"model": work[2], "pipeline": work[1], "workload": work[0]})
        made.append(result((operator, signer), named, gathered[key], policy["score"]))
    return made
