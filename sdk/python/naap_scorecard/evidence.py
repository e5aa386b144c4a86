"""The method of `evidence-1`: what independent sources prove at least (docs/scoring.md, "Method `evidence`")."""

from collections import defaultdict
from typing import NamedTuple

from . import pooled
from .bounds import MILLION, compose, lower_bound
from .clusters import Clusters
from .forms import WORKLOADS
from .tally import plus
from .votes import Block, Vote
from .window import HOUR_MS

GRADES = ("A", "B", "C", "D", "insufficient")
EXCLUDED = ("linked", "outage", "own", "young")


class Part(NamedTuple):
    """What a row tells of a component."""

    good: int
    bad: int
    disputed: int
    sessions: int

    @property
    def count(self):
        """How many came to something."""
        return self.good + self.bad + self.disputed


def outcomes(parts):
    """How many outcomes the parts of a row count."""
    return sum(part.count for part in parts.values())


class Pile:
    """The evidence of signed rows, or of unsigned feeds' rows."""

    def __init__(self):
        self.excluded = dict.fromkeys(EXCLUDED, 0)
        # By component, then source, then block.
        self.told = defaultdict(lambda: defaultdict(lambda: defaultdict(Block)))
        self.voices = defaultdict(set)

    def take(self, row, standing, source, is_outage):
        """Takes in a row."""
        key, parts = row
        if standing != "counts":
            self.excluded[standing] = plus(self.excluded[standing], outcomes(parts))
            return
        self.voices[source].update(key.sources)
        for component, part in parts.items():
            block = self.told[component][source][key.block]
            block.good = plus(block.good, part.good)
            block.disputed = plus(block.disputed, part.disputed)
            block.sessions = plus(block.sessions, part.sessions)
            if is_outage:
                block.outage = plus(block.outage, part.bad)
            else:
                block.bad = plus(block.bad, part.bad)

    def heard(self, counted):
        """The reporters of sources."""
        return set().union(*(self.voices[source] for source in counted))


class Shown:
    """What a result shows whatever its score: outcomes of signed rows and of others, and what nobody else told."""

    def __init__(self):
        self.counts = {False: defaultdict(lambda: defaultdict(int)), True: defaultdict(lambda: defaultdict(int))}
        self.own, self.tenures, self.urls = 0, 0, set()

    def add(self, key, row, parts):
        """Takes in a row, and what it tells of components."""
        self.tenures += row.tenures
        if key.url is not None:
            self.urls.add(key.url)
        if not key.sources:
            self.own += outcomes(parts)
            return
        for kind, counts in row.counts.items():
            mine = self.counts[key.collected][kind]
            for outcome, count in counts.items():
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
        self.components, self.evidence = [], 0
        self.score = self.upper = None
        self.reason = judge.too_new(who)
        parts, fewest, excused, counted = [], [], 0, set()
        for place, component in judge.components[workload]:
            vote = Vote(pile.told.get(place, {}), judge.clusters, rule)
            proof = vote.proof()
            if proof:
                parts.append((proof["lower"], proof["upper"], component["weight"]))
                self.evidence = plus(self.evidence, vote.weight())
                fewest.append(vote.clusters)
            elif self.reason is None:
                self.reason = f"{component['name']}: {_lack(vote, rule['source_observations_min'])}"
            for one in vote.sources.values():
                excused = plus(excused, one.excused)
            counted |= set(vote.counted)
            told_by = {"name": component["name"], "sources": vote.written(), "weight": component["weight"]}
            self.components.append(proof | told_by)
        if not self.components and self.reason is None:
            self.reason = "this kind of work is not scored"
        self.grade = GRADES[-1]
        if self.reason is None:
            self.score = compose([(lower, weight) for lower, _, weight in parts])
            self.upper = compose([(upper, weight) for _, upper, weight in parts])
            is_a, is_b = min(fewest) >= rule["grade_a_sources_min"], min(fewest) >= rule["grade_b_sources_min"]
            self.grade = "D" if not is_signed else "A" if is_a else "B" if is_b else "C"
        self.excluded = pile.excluded | {"outage": excused}
        self.sources = pile.heard(counted)

    def written(self):
        """The members that a result and a workload's part of one have in common."""
        return {
            "components": self.components, "grade": self.grade, "reason": self.reason, "score": self.score,
            "upper": self.upper,
        }  # fmt: skip


def _lack(vote, least):
    if vote.counted:
        return "too much of it at once, which leaves no evidence"
    most = max((one.observations for one in vote.sources.values()), default=0)
    return f"no source with {least} observations, the most is {most}"


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
        """The reporters who are known for long enough, and for dealing with enough others."""
        linked = self.clusters.are_linked
        return {
            reporter for reporter, known in self.register.first.items()
            if self.window.end - known >= self.rule["source_age_min_ms"]
            and sum(not linked(reporter, other) for other in self.register.told_of[reporter]) >= self.rule["counterparties_min"]
        }  # fmt: skip

    def too_new(self, who):
        """Why an operator is known for too short a time, if it is."""
        first, least = self.register.operators.get(who[0]), self.rule["record_min_ms"]
        known = 0 if first is None else max(0, self.window.end - first)
        return f"known for {known // HOUR_MS} h, {least // HOUR_MS} h needed" if known < least else None

    def _parts(self, key, row):
        """What a row tells, by component."""
        parts = {}
        for place, component in self.components[key.work[0]]:
            counts = [row.counts[kind] for kind in component["obligations"] if kind in row.counts]
            told = [sum(one[outcome, None] for one in counts) for outcome in ("good", "bad", "disputed")]
            if any(told):
                # Each session owes each obligation once.
                parts[place] = Part(*told, max(map(pooled.known, counts)))
        return parts

    def _standing(self, key):
        """Whether a row counts, and as whose word."""
        if key.operator is not None and any(self.clusters.are_linked(source, key.operator) for source in key.sources):
            return "linked", None
        testers = [source for source in key.sources if source in self.testers]
        source = (testers or key.sources)[0]
        counts = testers or key.collected or source in self.sources
        return ("counts", source) if counts else ("young", None)

    def _outages(self, judged):
        """The outages: in which scene which party failed."""
        rule = self.rule["outage"]
        # How many are bad, and how many there are.
        scenes = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for (key, parts), standing, source in judged:
            if standing == "counts" and key.operator is not None:
                fate = scenes[key.block, key.region, source][self.clusters.party(key.operator)]
                fate[0] += sum(part.bad for part in parts.values())
                fate[1] += outcomes(parts)
        outages = set()
        for scene, fates in scenes.items():
            failed = {party: all_of for party, (bad, all_of) in fates.items() if bad * MILLION >= all_of * rule["bad_share_ppm"]}
            if sum(all_of >= rule["obligations_min"] for all_of in failed.values()) >= rule["operators_min"]:
                outages |= {(scene, party) for party in failed}
        return outages

    def _piles(self, rows):
        """The evidence, by operator, signer and each kind of work as well as each workload; signed and not."""
        judged = [((key, parts), *self._standing(key)) for key, _, parts in rows if key.sources and parts]
        outages = self._outages(judged)
        piles = defaultdict(lambda: {False: Pile(), True: Pile()})
        for row, standing, source in judged:
            key = row[0]
            is_known = key.operator is not None
            is_outage = is_known and ((key.block, key.region, source), self.clusters.party(key.operator)) in outages
            for work in (key.work, key.work[0]):
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
        rows = [(key, row, self._parts(key, row)) for key, row in rows if row.is_counted()]
        shown = defaultdict(Shown)
        for key, row, parts in rows:
            for work in (None, key.work):
                shown[key.operator, key.signer, work].add(key, row, parts)
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
                    "class": pooled.named(work), "excluded": verdict.excluded, "sources": sorted(verdict.sources),
                }  # fmt: skip
                result["components"] = result["components"] or None
            excluded = result["excluded"] | {"own": mine.own}
            result["excluded"] = excluded if any(excluded.values()) else None
            made.append(pooled.present(mine.written(who) | result))
        return made


def _over_all(verdicts):
    """Over all work, the mean of the workloads that have a score, by their evidence."""
    excluded = {why: sum(one.excluded[why] for one in verdicts.values()) for why in EXCLUDED}
    scored = [one for one in verdicts.values() if one.score is not None]
    evidence = sum(one.evidence for one in scored)
    reasons = {one.reason for one in verdicts.values()}
    reason = reasons.pop() if len(reasons) == 1 else "no kind of work with a score"
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
    made = {"results": judge.results(counted.rows.items())}
    told = {"agreements": agreements(counted.pairs, clusters, rule), "clusters": clusters.shown}
    return made | {name: value for name, value in told.items() if value}
