//! Reading the jobs of an hour one by one into facts and counts.
//!
//! Each job adds its own counts and nothing else, so that tallies of disjoint jobs add up.

use std::collections::BTreeSet;

use events::batch::Position;
use events::body::Body;
use events::event::Origin;
use events::identity::{Address, JobId};
use events::unit::UnixMillis;

use super::about::About;
use super::blocks::Blocks;
use super::compare::pairs;
use super::fact::{JobFact, TenureFact, answer, state};
use super::machine::Machine;
use crate::admit::Admitted;
use crate::join::episode::Episode;
use crate::join::obligation::{Bench, Owed};
use crate::join::story::is_telling;
use crate::join::tenure::{How, Tenure};
use crate::mapping::{Mappings, Resolved};
use crate::policy::observe::Observe;
use crate::probes::Probes;
use crate::rollup::column::{Came, Column, Plain};
use crate::rollup::{Detail, Rollup, RollupKey};
use crate::tally::cell::{Apart, CellKey};
use crate::tally::outcome::Outcome;
use crate::tally::{DemandKey, Tally};
use crate::window::Hour;

/// The jobs read so far and what they add up to.
pub struct Reading<'a, 'b> {
    /// How far the claims are known: the hour's end, or now while it is open. No silence is read beyond it.
    pub horizon: UnixMillis,
    /// The hour.
    pub hour: Hour,
    /// The jobs.
    pub jobs: Vec<JobFact>,
    mappings: &'b Mappings<'a>,
    /// What is measured.
    pub observe: &'b Observe,
    probes: &'b Probes<'a>,
    /// The same for people to look at.
    pub rollup: Rollup,
    /// The commitments and reveals that name the jobs.
    pub said_of_tests: Vec<Admitted<'a>>,
    /// The counts.
    pub tally: Tally,
    /// The mapping claims that held.
    pub ties: Vec<Admitted<'a>>,
    /// Which ties were weighed, by their places in the mappings.
    pub weighed: Vec<bool>,
}

/// A tenure and who answers for it.
pub struct Held<'a> {
    /// Who answers for it.
    pub operator: Option<Address>,
    /// The tenure.
    pub tenure: Tenure,
    /// The claim that told who answers for it, where one was needed.
    pub tie: Option<Admitted<'a>>,
}

/// A tenure and what it owes in the hour.
pub struct Judged<'a> {
    /// The tenure.
    pub held: Held<'a>,
    /// What it ran on.
    pub machine: Machine,
    /// What it owes.
    pub owed: Vec<Owed>,
}

impl<'a, 'b> Reading<'a, 'b> {
    /// Nothing read yet.
    pub fn new(
        hour: Hour,
        horizon: UnixMillis,
        detail: Detail,
        observe: &'b Observe,
        mappings: &'b Mappings<'a>,
        probes: &'b Probes<'a>,
    ) -> Self {
        Self {
            horizon: horizon.min(hour.end()),
            hour,
            jobs: Vec::new(),
            mappings,
            observe,
            probes,
            rollup: Rollup::new(detail),
            said_of_tests: Vec::new(),
            tally: Tally::default(),
            ties: Vec::new(),
            weighed: vec![false; mappings.places()],
        }
    }

    /// Who answers for a tenure.
    pub fn resolve(&mut self, tenure: &Tenure) -> Option<Resolved<'a>> {
        // An orchestrator is whoever it is while the hour charges it, not whoever it was when a long job began.
        let moment = tenure.start_ms.max(self.hour.start());
        let resolved = self.mappings.resolve(&tenure.orchestrator, moment);
        for place in self.mappings.weighed(&tenure.orchestrator) {
            self.weighed.get_mut(place).into_iter().for_each(|is_weighed| *is_weighed = true);
        }
        self.ties.extend(resolved.and_then(|resolved| resolved.tie));
        resolved
    }

    /// Takes one episode of a job with its judged tenures.
    pub fn take(
        &mut self,
        job_id: JobId,
        about: About,
        bench: &Bench<'_>,
        judged: Vec<Judged<'a>>,
    ) {
        let (episode, class) = (bench.episode, bench.class);
        self.count_demand(&about, bench, &judged);
        let mut tenures = Vec::with_capacity(judged.len());
        for judged in judged {
            self.count_tenure(&about, bench, &judged);
            self.compare(episode, &judged);
            tenures.push(TenureFact::of(judged));
        }
        let is_told = episode.told().any(is_telling);
        let fact = JobFact {
            answer: answer(episode),
            batches: Vec::new(),
            claims: 0,
            class: about.class,
            first_ms: episode.first_ms(),
            gateway: episode.teller.map(|teller| teller.reporter),
            gateway_name: about.gateway,
            job_id,
            last_ms: episode.last_ms(),
            origin: about.origin,
            region: about.region,
            reporters: Vec::new(),
            requested_ms: about.requested_ms,
            state: state(episode, &tenures, self.horizon, class),
            tenures,
        };
        match self.jobs.last_mut().filter(|last| last.job_id == job_id) {
            // Words beside the story change nothing in how it stands.
            Some(last) if !is_told => last.append(JobFact { state: last.state, ..fact }),
            Some(last) => last.append(fact),
            None => self.jobs.push(fact),
        }
    }

    /// Whether a telling is of a test: each teller's words are held against the commitment, so that nobody takes
    /// another's test away by claiming to have known of it.
    pub fn origin(&self, job_id: JobId, episode: &Episode<'_>) -> Origin {
        let told_ms = episode.told().next().map_or(episode.first_ms(), |claim| claim.counted_ms);
        if self.probes.has(job_id, told_ms) { Origin::Probe } else { Origin::Organic }
    }

    /// Ends the reading of a job: everything that was said of it, whoever told its story.
    pub fn close(&mut self, job_id: JobId, claims: &[Admitted<'a>]) {
        self.said_of_tests.extend(self.probes.about(job_id));
        let Some(fact) = self.jobs.last_mut().filter(|last| last.job_id == job_id) else { return };
        let batches: BTreeSet<Position> = claims.iter().map(|claim| claim.position).collect();
        let reporters: BTreeSet<Address> =
            claims.iter().map(|claim| claim.event.reporter).collect();
        fact.batches = batches.into_iter().collect();
        fact.claims = u64::try_from(claims.len()).unwrap_or(u64::MAX);
        fact.first_ms = claims.first().map_or(fact.first_ms, |claim| claim.counted_ms);
        fact.last_ms = claims.last().map_or(fact.last_ms, |claim| claim.counted_ms);
        fact.reporters = reporters.into_iter().collect();
    }

    fn count_demand(&mut self, about: &About, bench: &Bench<'_>, judged: &[Judged<'_>]) {
        let episode = bench.episode;
        let Some(first) = episode.told().find(|claim| is_telling(claim)) else { return };
        let mut unserved =
            episode.told().filter(|claim| matches!(claim.event.body, Body::JobUnserved(_)));
        let was_unserved = unserved.next().is_some_and(|claim| self.hour.holds(claim.counted_ms));
        let served = judged.iter().filter_map(|judged| self.served(episode, &judged.held.tenure));
        let served = served.map(|(from_ms, to_ms)| to_ms.0 - from_ms.0).sum();
        let key = DemandKey {
            class: about.class.clone(),
            gateway: first.event.gateway.clone(),
            origin: about.origin,
            region: about.region.clone(),
            reporter: first.event.reporter,
        };
        let nobody_served = judged.iter().all(|judged| judged.held.tenure.output_ms.is_none());
        let (is_new, is_unserved) =
            (self.hour.holds(first.counted_ms), was_unserved && nobody_served);
        self.tally.demand.entry(key).or_default().add(
            u64::from(is_new),
            served,
            u64::from(is_unserved),
        );
        if is_new || is_unserved {
            // What was asked for may have been asked for before the hour; it is counted where it was told.
            let moment = first.counted_ms.max(self.hour.start());
            let mut row = self.rollup.row(about.rollup_key(Some(first.event.reporter)));
            row.at(moment).add(Column::Plain(Plain::Jobs), u64::from(is_new));
            row.at(moment).add(Column::Plain(Plain::Unserved), u64::from(is_unserved));
        }
        let told = judged.iter().map(|judged| &judged.held.tenure).filter(|held| !held.self_told);
        let delivered_ms = told.filter_map(|tenure| bench.delivered_ms(tenure)).min();
        if let Some(moment) = delivered_ms.filter(|moment| self.hour.holds(*moment)) {
            let mut row = self.rollup.row(about.rollup_key(Some(first.event.reporter)));
            row.at(moment).add(Column::Plain(Plain::Delivered), 1);
        }
    }

    /// The part of a tenure that lies in the hour, as far as its teller spoke of it.
    fn served(&self, episode: &Episode<'_>, tenure: &Tenure) -> Option<(UnixMillis, UnixMillis)> {
        let end_ms = tenure.end.map_or(episode.told_ms(), |end| end.at_ms).min(self.hour.end());
        let start_ms = tenure.start_ms.max(self.hour.start());
        (!tenure.self_told && start_ms < end_ms).then_some((start_ms, end_ms))
    }

    /// Counts what the teller and others say of one tenure, in the hour in which it was told.
    fn compare(&mut self, episode: &Episode<'_>, judged: &Judged<'_>) {
        let Some(compare) = &self.observe.compare else { return };
        let tenure = &judged.held.tenure;
        if tenure.self_told || !self.hour.holds(tenure.told_ms) {
            return;
        }
        for (key, pair) in pairs(episode, judged, compare) {
            self.tally.pairs.entry(key).or_default().merge(&pair);
        }
    }

    fn count_tenure(&mut self, about: &About, bench: &Bench<'_>, judged: &Judged<'_>) {
        let Held { operator, tenure, .. } = &judged.held;
        if tenure.self_told {
            return;
        }
        let reporters = about.sources(*operator);
        let mut blocks = Blocks::new(self.observe);
        for one in &judged.owed {
            let cell = blocks.cell(one.due_ms);
            cell.obligations.entry(one.obligation).or_default().add(one.outcome);
            if let (Outcome::Disputed, Some(orchestrator)) = (one.outcome, *operator) {
                reporters.iter().for_each(|from| cell.contradict(*from, orchestrator, 1));
            }
        }
        blocks.measure(self.hour, bench, tenure);
        self.roll_up(about, bench.episode, judged, &blocks);
        let apart = |by: Apart| self.observe.apart.contains(&by);
        let Machine { hardware, warm, .. } = &judged.machine;
        let mut key = CellKey {
            block: 0,
            class: about.class.clone(),
            collected: about.collected,
            gateway: about.gateway.clone().filter(|_| apart(Apart::Gateway)),
            hardware: hardware.clone().filter(|_| apart(Apart::Hardware)),
            origin: about.origin,
            region: about.region.clone(),
            reporters,
            subject: about.subject(*operator, &tenure.orchestrator),
            warm: warm.filter(|_| apart(Apart::Warm)),
        };
        for (block, cell) in blocks.cells {
            key.block = block;
            self.tally.cell(&key).merge(&cell);
        }
    }

    /// Adds one tenure to what people look at.
    fn roll_up(
        &mut self,
        about: &About,
        episode: &Episode<'_>,
        judged: &Judged<'_>,
        blocks: &Blocks<'_>,
    ) {
        let Held { operator, tenure, .. } = &judged.held;
        let key = RollupKey {
            gpu: judged.machine.gpu.clone(),
            hardware: judged.machine.hardware.clone(),
            operator: *operator,
            signer: if operator.is_none() { tenure.orchestrator.signer } else { None },
            url: tenure.orchestrator.url.clone(),
            ..about.rollup_key(episode.teller.map(|teller| teller.reporter))
        };
        let served = self.served(episode, tenure);
        let mut row = self.rollup.row(key);
        if self.hour.holds(tenure.told_ms) {
            row.at(tenure.told_ms).add(Column::Plain(Plain::Tenures), 1);
        }
        for one in &judged.owed {
            row.at(one.due_ms).add(Column::Owed(one.obligation, Came::from(one.outcome)), 1);
        }
        for (at_ms, measure, value) in &blocks.told {
            row.at(*at_ms).measure(*measure, *value);
        }
        if let Some(end) = tenure.end.filter(|end| self.hour.holds(end.at_ms)) {
            if let How::Failed(reason) | How::Swapped(reason) = end.how {
                row.at(end.at_ms).add(Column::Failed(reason), 1);
            }
            let told = |count: Option<u64>, plain: Plain| Some((Column::Plain(plain), count?));
            let tokens = tenure.tokens.unwrap_or_default();
            let counts = [
                told(tokens.completion, Plain::CompletionTokens),
                told(tokens.prompt, Plain::PromptTokens),
            ];
            for (column, count) in counts.into_iter().flatten() {
                row.at(end.at_ms).add(column, count);
            }
        }
        if let Some((from_ms, to_ms)) = served {
            row.spread(Column::Plain(Plain::ServedMs), from_ms, to_ms);
        }
    }
}
