//! Scores by evidence: what independent sources prove at least about each component, composed.
//!
//! A result is made for each operator and kind of work; over all its work, one for each workload, and of those the mean
//! by evidence. Too little of anything gives no score and says what is lacking: unknown is never zero.

use std::collections::{BTreeMap, BTreeSet};

use events::event::{Role, Workload};
use events::identity::Address;
use events::unit::{Millis, Ppm};

use super::cluster::Clusters;
use super::compose::compose;
use super::gather::{Gathered, Place, Row, Shown, Who};
use super::outage::{Excused, Scene, outages};
use super::pile::{Pile, Piles, Standing};
use super::source::{Heard, Proof, Voice, prove};
use crate::policy::rule::Evidence;
use crate::register::Register;
use crate::scorecard::{Component, Excluded, Grade, Indicator, Scored, SourceView, WorkloadScore};
use crate::tally::add;
use crate::tally::cell::WorkClass;
use crate::tally::outcome::{Counts, Obligation};
use crate::trust::TrustFile;
use crate::window::Window;

/// What decides on rows and makes results of them.
pub struct Judge<'a> {
    clusters: &'a Clusters,
    register: &'a Register,
    rule: &'a Evidence,
    /// The gateways whose word counts.
    sources: BTreeSet<Address>,
    trust: &'a TrustFile,
    window: Window,
}

/// What a pile comes to.
struct Verdict {
    components: Vec<Component>,
    evidence: u64,
    excluded: Excluded,
    grade: Grade,
    reason: Option<String>,
    score: Option<(Ppm, Ppm)>,
    voices: BTreeSet<Address>,
}

impl<'a> Judge<'a> {
    /// A judge for one window.
    pub fn new(
        gathered: &'a Gathered<'_>,
        clusters: &'a Clusters,
        rule: &'a Evidence,
        trust: &'a TrustFile,
        window: Window,
    ) -> Self {
        let register = &gathered.register;
        let sources = sources(register, clusters, rule, window);
        Self { clusters, register, rule, sources, trust, window }
    }

    /// The results, by operator, signer and kind of work.
    pub fn results(&self, gathered: &Gathered<'_>) -> Vec<Scored> {
        let mut piles = self.piles(gathered);
        let mut results = Vec::new();
        let shown: Vec<(&(Who, WorkClass), &Shown)> = gathered.shown.iter().collect();
        for group in shown.chunk_by(|((one, _), _), ((next, _), _)| one == next) {
            let Some(((who, _), _)) = group.first() else { continue };
            let mut all = Shown::default();
            let mut by_workload: BTreeMap<Workload, Piles> = BTreeMap::new();
            let mut by_class = Vec::with_capacity(group.len());
            for ((_, class), shown) in group {
                all.merge(shown);
                let piles = piles.remove(&(*who, class.clone())).unwrap_or_default();
                let whole = by_workload.entry(class.workload).or_default();
                whole.signed.merge(&piles.signed);
                whole.collected.merge(&piles.collected);
                by_class.push(self.of_class(*who, class, shown, &piles));
            }
            results.push(self.of_all(*who, &all, &by_workload));
            results.append(&mut by_class);
        }
        results
    }

    /// The evidence in the rows, by whom it is about and kind of work.
    fn piles(&self, gathered: &Gathered<'_>) -> BTreeMap<(Who, WorkClass), Piles> {
        let (who, classes) = (gathered.who.values(), gathered.classes.values());
        let reporters = gathered.reporters.values();
        let judged = gathered.rows.iter().filter_map(|row| {
            let who = **who.get(&row.who)?;
            let standing = self.standing(reporters.get(&row.reporters)?, who, row.collected)?;
            Some((row, who, standing))
        });
        let judged: Vec<(&Row, Who, Standing)> = judged.collect();
        let counting = judged.iter().filter_map(|(row, who, standing)| match standing {
            Standing::Counts(source) => {
                Some((*row, source.address, self.clusters.party(who.operator?)))
            }
            Standing::Linked | Standing::Young => None,
        });
        let outages = outages(counting, &self.rule.outage);
        let mut piles: BTreeMap<(Place, Place), Piles> = BTreeMap::new();
        for (row, who, standing) in &judged {
            let piles = piles.entry((row.who, row.class)).or_default();
            let pile = if row.collected { &mut piles.collected } else { &mut piles.signed };
            let voices = reporters.get(&row.reporters).into_iter().flat_map(|set| set.iter());
            pile.take(row, *standing, voices, self.is_excused(row, *who, *standing, &outages));
        }
        let named = piles.into_iter().filter_map(|((of, class), piles)| {
            Some(((**who.get(&of)?, (*classes.get(&class)?).clone()), piles))
        });
        named.collect()
    }

    /// Whether the failures of a row are an outage's.
    fn is_excused(
        &self,
        row: &Row,
        who: Who,
        standing: Standing,
        outages: &BTreeSet<Excused>,
    ) -> bool {
        let (Standing::Counts(source), Some(operator)) = (standing, who.operator) else {
            return false;
        };
        let scene = Scene { block: row.block, region: row.region, source: source.address };
        outages.contains(&(scene, self.clusters.party(operator)))
    }

    /// Whose word a row is, and whether it counts. A tester's word goes before the gateway's that it tested through.
    fn standing(&self, reporters: &[Address], who: Who, collected: bool) -> Option<Standing> {
        let is_linked = |reporter: &Address| {
            who.operator.is_some_and(|it| self.clusters.are_linked(*reporter, it))
        };
        if reporters.iter().any(is_linked) {
            return Some(Standing::Linked);
        }
        let is_tester = |reporter: &&Address| self.trust.names(Role::Tester, **reporter);
        if let Some(tester) = reporters.iter().find(is_tester) {
            return Some(Standing::Counts(self.voice(*tester)));
        }
        let source = *reporters.first()?;
        let counts = collected || self.sources.contains(&source);
        Some(if counts { Standing::Counts(self.voice(source)) } else { Standing::Young })
    }

    fn voice(&self, address: Address) -> Voice {
        Voice { address, cluster: self.clusters.name(address) }
    }

    fn of_class(&self, who: Who, class: &WorkClass, shown: &Shown, piles: &Piles) -> Scored {
        let verdict = self.better(who, class.workload, piles);
        Scored {
            class: Some(class.clone()),
            components: verdict.components,
            excluded: verdict.excluded.with_own(shown.own),
            grade: verdict.grade,
            reason: verdict.reason,
            score: verdict.score.map(|(score, _)| score),
            sources: verdict.voices.into_iter().collect(),
            upper: verdict.score.map(|(_, upper)| upper),
            workloads: Vec::new(),
            ..bare(who, shown)
        }
    }

    /// Over all work: the mean of the workloads that have a score, by their evidence.
    fn of_all(&self, who: Who, shown: &Shown, by_workload: &BTreeMap<Workload, Piles>) -> Scored {
        let mut excluded = Excluded::default();
        let mut voices = BTreeSet::new();
        let mut workloads = Vec::new();
        for (workload, piles) in by_workload {
            let verdict = self.better(who, *workload, piles);
            excluded.merge(&verdict.excluded);
            voices.extend(verdict.voices);
            workloads.push(WorkloadScore {
                components: verdict.components,
                evidence: verdict.evidence,
                grade: verdict.grade,
                reason: verdict.reason,
                score: verdict.score.map(|(score, _)| score),
                upper: verdict.score.map(|(_, upper)| upper),
                workload: *workload,
            });
        }
        let scored = || workloads.iter().filter(|it| it.score.is_some());
        let worst = scored().map(|it| it.grade).max();
        let mut reasons = workloads.iter().map(|it| &it.reason);
        let first = reasons.next().cloned().flatten();
        let reason = match first {
            _ if worst.is_some() => None,
            Some(first) if reasons.all(|other| other.as_ref() == Some(&first)) => Some(first),
            _ => Some("no kind of work with a score".to_owned()),
        };
        Scored {
            excluded: excluded.with_own(shown.own),
            grade: worst.unwrap_or(Grade::Insufficient),
            reason,
            score: mean(scored().filter_map(|it| Some((it.score?, it.evidence)))),
            sources: voices.into_iter().collect(),
            upper: mean(scored().filter_map(|it| Some((it.upper?, it.evidence)))),
            workloads,
            ..bare(who, shown)
        }
    }

    /// The verdict on signed words, or on unsigned feeds where only they give a score.
    fn better(&self, who: Who, workload: Workload, piles: &Piles) -> Verdict {
        let signed = self.verdict(who, workload, &piles.signed, true);
        if signed.score.is_some() || piles.collected.told.is_empty() {
            return signed;
        }
        let collected = self.verdict(who, workload, &piles.collected, false);
        let is_signed = collected.score.is_none() && !piles.signed.told.is_empty();
        if is_signed { signed } else { collected }
    }

    fn verdict(&self, who: Who, workload: Workload, pile: &Pile, is_signed: bool) -> Verdict {
        let mut components = Vec::new();
        let mut parts = Vec::new();
        let mut lacks = self.too_new(who);
        let (mut evidence, mut fewest) = (0u64, u64::MAX);
        let mut excluded = pile.excluded.clone();
        let mut speakers = BTreeSet::new();
        let places = (0..).zip(&self.rule.component);
        for (place, component) in places.filter(|(_, it)| it.workload == workload) {
            let told = pile.told.get(&place).into_iter().flatten();
            let heard: BTreeMap<Voice, Heard> =
                told.map(|(voice, told)| (*voice, told.heard(self.rule))).collect();
            heard.values().for_each(|heard| excluded.add_outage(heard.sum.outage));
            speakers.extend(heard.iter().filter(|(_, it)| it.counts(self.rule)).map(|(of, _)| *of));
            let proof = prove(&heard, self.rule);
            match &proof {
                Some(proof) => {
                    parts.push((proof.lower, proof.upper, component.weight));
                    add(&mut evidence, proof.weight);
                    fewest = fewest.min(proof.sources);
                }
                None => lacks = lacks.or(Some(self.lack(&component.name, &heard))),
            }
            components.push(self.view(&component.name, component.weight, &heard, proof));
        }
        let lower: Vec<(Ppm, u32)> =
            parts.iter().map(|(lower, _, weight)| (*lower, *weight)).collect();
        let upper: Vec<(Ppm, u32)> =
            parts.iter().map(|(_, upper, weight)| (*upper, *weight)).collect();
        let score = compose(&lower).zip(compose(&upper)).filter(|_| lacks.is_none());
        if score.is_none() && lacks.is_none() {
            lacks = Some("this kind of work is not scored".to_owned());
        }
        let grade = match () {
            () if score.is_none() => Grade::Insufficient,
            () if !is_signed => Grade::D,
            () if fewest >= self.rule.grade_a_sources_min => Grade::A,
            () if fewest >= self.rule.grade_b_sources_min => Grade::B,
            () => Grade::C,
        };
        let voices = speakers.iter().filter_map(|source| pile.voices.get(source));
        let voices = voices.flatten().copied().collect();
        Verdict { components, evidence, excluded, grade, reason: lacks, score, voices }
    }

    /// Why an operator is known for too short a time, if it is.
    fn too_new(&self, who: Who) -> Option<String> {
        let first = who.operator.and_then(|operator| self.register.operators.get(&operator));
        let known = first.and_then(|first| self.window.last.end().since(first.start()));
        let known = known.unwrap_or(Millis(0));
        let hours = |span: Millis| span.0 / events::unit::HOUR_MS;
        let least = self.rule.record_min_ms;
        let why = || format!("known for {} h, {} h needed", hours(known), hours(least));
        (known < least).then(why)
    }

    /// Why a component has no bound.
    fn lack(&self, name: &str, heard: &BTreeMap<Voice, Heard>) -> String {
        let least = self.rule.source_observations_min;
        let most = heard.values().map(Heard::observations).max().unwrap_or(0);
        if most < least {
            format!("{name}: no source with {least} observations, the most is {most}")
        } else {
            format!("{name}: too much of it at once, which leaves no evidence")
        }
    }

    fn view(
        &self,
        name: &str,
        weight: u32,
        heard: &BTreeMap<Voice, Heard>,
        proof: Option<Proof>,
    ) -> Component {
        let counting = |cluster: Address| {
            let mine = heard.iter().filter(|(it, _)| it.cluster == cluster);
            u64::try_from(mine.filter(|(_, it)| it.counts(self.rule)).count()).unwrap_or(u64::MAX)
        };
        let sources = heard.iter().map(|(voice, heard)| SourceView {
            bad: heard.sum.bad,
            counts: heard.counts(self.rule),
            disputed: heard.sum.disputed,
            good: heard.sum.good,
            observations: heard.observations(),
            sharers: Some(counting(voice.cluster))
                .filter(|sharers| *sharers > 1 && heard.counts(self.rule)),
            source: voice.address,
        });
        Component {
            decides: proof.as_ref().map(|proof| proof.source),
            effect_ppm: proof.as_ref().map(|proof| proof.effect_ppm),
            evidence: proof.as_ref().map(|proof| proof.evidence),
            failures: proof.as_ref().map(|proof| proof.failures),
            lower: proof.as_ref().map(|proof| proof.lower),
            name: name.to_owned(),
            rate: proof.as_ref().map(|proof| proof.rate),
            sources: sources.collect(),
            upper: proof.as_ref().map(|proof| proof.upper),
            weight,
        }
    }
}

/// The gateways that are known for long enough, and dealt with enough others. Standing is nobody's but one's own: else
/// one who ties itself to an old gateway would be as old.
fn sources(
    register: &Register,
    clusters: &Clusters,
    rule: &Evidence,
    window: Window,
) -> BTreeSet<Address> {
    let known = register.reporters.iter().filter(|(reporter, heard)| {
        let age = heard.first.and_then(|first| window.last.end().since(first.start()));
        let others = heard.operators.iter().filter(|it| !clusters.are_linked(**reporter, **it));
        let counterparties = u64::try_from(others.count()).unwrap_or(u64::MAX);
        age.is_some_and(|age| age >= rule.source_age_min_ms)
            && counterparties >= rule.counterparties_min
    });
    known.map(|(reporter, _)| *reporter).collect()
}

/// A result with nothing but what is shown. Unsigned feeds are shown only where nobody signed for anything.
fn bare(who: Who, shown: &Shown) -> Scored {
    let counts = if shown.signed.is_empty() { &shown.collected } else { &shown.signed };
    Scored {
        class: None,
        components: Vec::new(),
        excluded: Excluded::default(),
        grade: Grade::Insufficient,
        indicators: indicators(counts),
        operator: who.operator,
        reason: None,
        score: None,
        signer: who.signer,
        sources: Vec::new(),
        tenures: shown.tenures,
        upper: None,
        urls: shown.urls.iter().cloned().collect(),
        workloads: Vec::new(),
    }
}

fn indicators(counts: &BTreeMap<Obligation, Counts>) -> Vec<Indicator> {
    let indicators = counts.iter().map(|(obligation, counts)| Indicator {
        counts: counts.clone(),
        obligation: *obligation,
        share: counts.share(),
    });
    indicators.collect()
}

/// The mean by evidence, rounded down; nothing where there is none.
fn mean(scores: impl Iterator<Item = (Ppm, u64)>) -> Option<Ppm> {
    let (sum, count) = scores.fold((0u128, 0u128), |(sum, count), (score, evidence)| {
        (sum + u128::from(score.0) * u128::from(evidence), count + u128::from(evidence))
    });
    u32::try_from(sum.checked_div(count)?).ok().map(Ppm)
}
