"""The method of `evidence-1`: what independent sources prove at least (docs/scoring.md, "Method `evidence`")."""

from collections import defaultdict
from fractions import Fraction

from . import pooled
from .bounds import MILLION, compose, lower_bound
from .clusters import Clusters
from .forms import WORKLOADS
from .window import HOUR_MS

GRADES = ("A", "B", "C", "D", "insufficient")
EXCLUDED = ("linked", "outage", "own", "young")


class Told:
    """What one source told of a component; by block, good ones and others."""

    def __init__(self):
        self.good = self.bad = self.disputed = 0
        self.blocks = defaultdict(lambda: [0, 0])

    def add(self, block, good, bad, disputed):
        """Takes in outcomes of a block."""
        self.good += good
        self.bad += bad
        self.disputed += disputed
        self.blocks[block][0] += good
        self.blocks[block][1] += bad + disputed

    @property
    def count(self):
        """How many came to something."""
        return self.good + self.bad + self.disputed


def effect(blocks):
    """How many times fewer independent observations there are than outcomes."""
    good, failures = (sum(block[side] for block in blocks) for side in (0, 1))
    count = good + failures
    if not good or not failures:
        return Fraction(1)
    squares = sum((failed * count - failures * (met + failed)) ** 2 for met, failed in blocks)
    return max(Fraction(1), Fraction(squares, failures * good * count))


def prove(told, rule):
    """What the sources prove of a component; None where there is no bound."""
    counted = [(source, one) for source, one in told.items() if one.count >= rule["source_obligations_min"]]
    if not counted:
        return None
    counted.sort(key=lambda pair: (Fraction(pair[1].good, pair[1].count), pair[0]))
    counted = [one for _, one in counted]
    low, high = (len(counted) - 1) // 2, len(counted) // 2
    middle = counted[low]
    cap = sorted(one.count for one in counted)[low] * rule["cap_times"]
    capped = sum(min(one.count, cap) for one in counted)

    alone = sorted(effect(list(one.blocks.values())) for one in counted)[high]
    dropped = (len(counted) - 1) // rule["trim_divisor"]
    joint = defaultdict(lambda: [0, 0])
    for one in counted[dropped : len(counted) - dropped]:
        for block, (met, failed) in one.blocks.items():
            joint[block][0] += met
            joint[block][1] += failed
    bursts = max(alone, effect(list(joint.values())))

    evidence = int(capped * rule["factor_ppm"] / (MILLION * bursts))
    if not evidence:
        return None
    failures = -(-evidence * (middle.count - middle.good) // middle.count)
    charitable = sorted(Fraction(one.good + one.disputed, one.count) for one in counted)[low]
    bad = int(evidence * (1 - charitable))
    return {
        "effect_ppm": -int(-bursts * MILLION // 1),
        "evidence": evidence,
        "failures": failures,
        "lower": lower_bound(evidence - failures, failures, rule),
        "rate": middle.good * MILLION // middle.count,
        "upper": MILLION - lower_bound(bad, evidence - bad, rule),
    }, len(counted)


class Pile:
    """The evidence of signed rows, or of unsigned feeds' rows."""

    def __init__(self):
        self.excluded = dict.fromkeys(EXCLUDED, 0)
        # By component, then source.
        self.told = defaultdict(lambda: defaultdict(Told))
        self.voices = defaultdict(set)

    def take(self, row, standing, source, is_outage):
        """Takes in a row."""
        key, parts = row
        if standing != "counts":
            self.excluded[standing] += sum(map(sum, parts.values()))
            return
        self.voices[source].update(key.sources)
        for component, (good, bad, disputed) in parts.items():
            if is_outage:
                self.excluded["outage"] += bad
                bad = 0
            self.told[component][source].add(key.block, good, bad, disputed)

    def heard(self, least):
        """The reporters of the sources that told enough of some component."""
        enough = {source for told in self.told.values() for source, one in told.items() if one.count >= least}
        return set().union(*(self.voices[source] for source in enough))


class Shown:
    """What a result shows whatever its score: outcomes of signed rows and of others, and what nobody else told."""

    def __init__(self):
        self.counts = {False: defaultdict(lambda: defaultdict(int)), True: defaultdict(lambda: defaultdict(int))}
        self.own, self.tenures, self.urls = 0, 0, set()

    def add(self, key, row):
        """Takes in a row."""
        self.tenures += row.tenures
        if key.url is not None:
            self.urls.add(key.url)
        if not key.sources:
            self.own += sum(map(pooled.known, row.counts.values()))
            return
        for kind, outcomes in row.counts.items():
            mine = self.counts[key.collected][kind]
            for outcome, count in outcomes.items():
                mine[outcome] += count

    def written(self, who):
        """The members that every result has."""
        counts = self.counts[False] or self.counts[True]
        return {
            "indicators": pooled.indicators(counts), "operator": who[0], "signer": who[1], "tenures": self.tenures,
            "urls": sorted(self.urls),
        }  # fmt: skip


class Verdict:
    """What a pile comes to."""

    def __init__(self, judge, who, workload, pile, is_signed):
        rule = judge.rule
        least = rule["source_obligations_min"]
        self.pile, self.components, self.evidence = pile, [], 0
        self.score = self.upper = None
        self.reason = judge.too_new(who)
        parts, fewest = [], None
        for place, component in judge.components[workload]:
            told = pile.told.get(place, {})
            proof, sources = prove(told, rule) or ({}, 0)
            if proof:
                parts.append((proof["lower"], proof["upper"], component["weight"]))
                self.evidence += proof["evidence"]
                fewest = sources if fewest is None else min(fewest, sources)
            elif self.reason is None:
                self.reason = f"{component['name']}: {_lack(told, least)}"
            told_by = [
                {"bad": one.bad, "counts": one.count >= least, "disputed": one.disputed, "good": one.good, "source": source}
                for source, one in sorted(told.items())
            ]
            self.components.append(proof | {"name": component["name"], "sources": told_by, "weight": component["weight"]})
        if not self.components and self.reason is None:
            self.reason = "this kind of work is not scored"
        self.grade = GRADES[-1]
        if self.reason is None:
            self.score = compose([(lower, weight) for lower, _, weight in parts])
            self.upper = compose([(upper, weight) for _, upper, weight in parts])
            is_a, is_b = fewest >= rule["grade_a_sources_min"], fewest >= rule["grade_b_sources_min"]
            self.grade = "D" if not is_signed else "A" if is_a else "B" if is_b else "C"
        self.sources = pile.heard(least)

    def written(self):
        """The members that a result and a workload's part of one have in common."""
        return {
            "components": self.components, "grade": self.grade, "reason": self.reason, "score": self.score,
            "upper": self.upper,
        }  # fmt: skip


def _lack(told, least):
    most = max((one.count for one in told.values()), default=0)
    if most < least:
        return f"no source with {least} obligations, the most is {most}"
    return "failures come in bursts that leave no evidence"


class Judge:
    """Decides on rows, and makes results of them."""

    def __init__(self, register, clusters, rule, trust, window):
        self.register, self.clusters, self.rule, self.window = register, clusters, rule, window
        self.testers = {member["address"] for member in trust["members"] if member["role"] == "tester"}
        self.components = defaultdict(list)
        for place, component in enumerate(rule.get("component", ())):
            self.components[component["workload"]].append((place, component))
        self.sources = self._sources()

    def _sources(self):
        first, others = {}, defaultdict(set)
        for reporter, known in self.register.first.items():
            name = self.clusters.name(reporter)
            first[name] = min(known, first.get(name, known))
            others[name] |= {self.clusters.name(operator) for operator in self.register.told_of[reporter]} - {name}
        return {
            name for name, known in first.items()
            if self.window.end - known >= self.rule["source_age_min_ms"]
            and len(others[name]) >= self.rule["counterparties_min"]
        }  # fmt: skip

    def too_new(self, who):
        """Why an operator is known for too short a time, if it is."""
        first, least = self.register.operators.get(who[0]), self.rule["record_min_ms"]
        known = 0 if first is None else max(0, self.window.end - first)
        return f"known for {known // HOUR_MS} h, {least // HOUR_MS} h needed" if known < least else None

    def _parts(self, key, row):
        """The good, bad and disputed ones of a row, by component."""
        parts = {}
        for place, component in self.components[key.work[0]]:
            counts = [row.counts[kind] for kind in component["obligations"] if kind in row.counts]
            part = [sum(one[outcome, None] for one in counts) for outcome in ("good", "bad", "disputed")]
            if any(part):
                parts[place] = part
        return parts

    def _standing(self, key):
        """Whether a row counts, and as whose word."""
        if key.operator is not None and any(self.clusters.are_linked(source, key.operator) for source in key.sources):
            return "linked", None
        testers = [source for source in key.sources if source in self.testers]
        source = self.clusters.name((testers or key.sources)[0])
        counts = testers or key.collected or source in self.sources
        return ("counts", source) if counts else ("young", None)

    def _outages(self, judged):
        rule = self.rule["outage"]
        scenes = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for (key, parts), standing, source in judged:
            if standing == "counts" and key.operator is not None:
                fate = scenes[key.block, key.region, source][self.clusters.name(key.operator)]
                fate[0] += sum(bad for _, bad, _ in parts.values())
                fate[1] += sum(map(sum, parts.values()))

        def is_down(fate):
            return fate[1] >= rule["obligations_min"] and fate[0] * MILLION >= fate[1] * rule["bad_share_ppm"]

        return {scene for scene, fates in scenes.items() if sum(map(is_down, fates.values())) >= rule["operators_min"]}

    def _piles(self, rows):
        """The evidence, by operator, signer and each kind of work as well as each workload; signed and not."""
        judged = []
        for key, row in rows:
            parts = self._parts(key, row)
            if key.sources and parts:
                judged.append(((key, parts), *self._standing(key)))
        outages = self._outages(judged)
        piles = defaultdict(lambda: {False: Pile(), True: Pile()})
        for row, standing, source in judged:
            key = row[0]
            for work in (key.work, key.work[0]):
                is_outage = (key.block, key.region, source) in outages
                piles[key.operator, key.signer, work][key.collected].take(row, standing, source, is_outage)
        return piles

    def _better(self, who, workload, piles):
        """The verdict on signed rows, or on unsigned feeds' where only they give one."""
        signed = Verdict(self, who, workload, piles[False], True)
        if signed.score is not None or not piles[True].told:
            return signed
        collected = Verdict(self, who, workload, piles[True], False)
        return signed if collected.score is None and piles[False].told else collected

    def results(self, rows):
        """Every result, in order."""
        rows = [(key, row) for key, row in rows if row.is_counted()]
        shown = defaultdict(Shown)
        for key, row in rows:
            for work in (None, key.work):
                shown[key.operator, key.signer, work].add(key, row)
        piles = self._piles(rows)
        made = []
        for operator, signer, work in sorted(shown, key=pooled.order):
            who, mine = (operator, signer), shown[operator, signer, work]
            if work is None:
                works = {other[2][0] for other in shown if other[:2] == who and other[2] is not None}
                verdicts = {
                    workload: self._better(who, workload, piles[operator, signer, workload])
                    for workload in sorted(works, key=WORKLOADS.index)
                }
                result = _over_all(verdicts) | {"class": None}
            else:
                verdict = self._better(who, work[0], piles[operator, signer, work])
                result = verdict.written() | {
                    "class": pooled.named(work), "excluded": verdict.pile.excluded, "sources": sorted(verdict.sources),
                }  # fmt: skip
                result["components"] = result["components"] or None
            excluded = result["excluded"] | {"own": mine.own}
            result["excluded"] = excluded if any(excluded.values()) else None
            made.append(pooled.present(mine.written(who) | result))
        return made


def _over_all(verdicts):
    """Over all work, the mean of the workloads that have a score, by their evidence."""
    excluded = {why: sum(one.pile.excluded[why] for one in verdicts.values()) for why in EXCLUDED}
    scored = [one for one in verdicts.values() if one.score is not None]
    evidence = sum(one.evidence for one in scored)
    reasons = [one.reason for one in verdicts.values()]
    reason = reasons[0] if len(reasons) == 1 else "no kind of work with a score"
    return {
        "excluded": excluded,
        "grade": max((one.grade for one in scored), key=GRADES.index, default=GRADES[-1]),
        "reason": None if scored else reason,
        "score": sum(one.score * one.evidence for one in scored) // evidence if scored else None,
        "sources": sorted(set().union(*(one.sources for one in verdicts.values()))),
        "upper": sum(one.upper * one.evidence for one in scored) // evidence if scored else None,
        "workloads": [
            pooled.present(one.written() | {"evidence": one.evidence, "workload": workload})
            for workload, one in verdicts.items()
        ],
    }


def agreements(pairs, clusters, rule):
    """How far reporters agree, of those who speak or are linked."""
    speaking = {other for (other, _), pair in pairs.items() if pair.numbers["both"]}
    shown = []
    for (other, teller), pair in sorted(pairs.items()):
        is_linked = clusters.are_linked(teller, other)
        if not is_linked and other not in speaking:
            continue
        both, disputed = pair.numbers["both"], pair.numbers["disputed"]
        agreed = both - min(disputed, both)
        shown.append(pooled.present({
            "both": both,
            "disagreed": dict(pair.disagreed) or None,
            "disputed": disputed,
            "lower": lower_bound(disputed, agreed, rule),
            "missing": pair.numbers["unmirrored"] if other in speaking else 0,
            "other": other,
            "self_dealing": is_linked,
            "teller": teller,
            "upper": MILLION - lower_bound(agreed, disputed, rule),
        }))  # fmt: skip
    return shown


def made_of(counted, folder):
    """What a scorecard says by this method."""
    rule, register = folder.policy["score"], folder.register
    for start, tally in counted.hours:
        register.add(start, tally)
    clusters = Clusters(register, folder.trust, rule)
    judge = Judge(register, clusters, rule, folder.trust, folder.window)
    made = {"results": judge.results(counted.rows)}
    told = {"agreements": agreements(counted.pairs, clusters, rule), "clusters": clusters.shown}
    return made | {name: value for name, value in told.items() if value}
