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

    def add(self, key, row):
        """Takes in a row."""
        self.tenures += row.tenures
        if key.url is not None:
            self.urls.add(key.url)
        if not key.sources:
            return
        evidence = self.evidence[key.collected]
        evidence.sources.update(key.sources)
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


def indicators(counts):
    """The outcomes of each kind of obligation, in order."""
    return [
        present({"counts": written(outcomes), "obligation": kind, "share": share(outcomes)})
        for kind, outcomes in sorted(counts.items(), key=lambda pair: ORDER.index(pair[0]))
    ]


def named(work):
    """A kind of work as a scorecard names it."""
    workload, pipeline, model = work
    return present({"model": model, "pipeline": pipeline, "workload": workload})


def order(key):
    """The order of results by operator, signer and kind of work."""
    operator, signer, work = key
    workload, pipeline, model = work or (None, None, None)
    place = WORKLOADS.index(workload) if workload else -1
    return operator or "", signer or "", work is not None, model or "", pipeline or "", place


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
        "class": work and named(work),
        "indicators": indicators(evidence.counts),
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


def made_of(counted, folder):
    """What a scorecard says by this method: every result, in order."""
    gathered = defaultdict(Gathered)
    for key, row in counted.rows.items():
        if row.is_counted():
            for work in (None, key.work):
                gathered[key.operator, key.signer, work].add(key, row)
    rule = folder.policy["score"]
    return {"results": [result(key[:2], key[2], gathered[key], rule) for key in sorted(gathered, key=order)]}
