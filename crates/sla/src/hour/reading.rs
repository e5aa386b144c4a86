//! Reading the jobs of an hour one by one into facts and counts.
//!
//! Each job adds its own counts and nothing else, so that tallies of disjoint jobs add up.

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Body;
use events::event::{Origin, Workload};
use events::identity::{Address, JobId};
use events::unit::UnixMillis;

use super::about::About;
use super::fact::{JobFact, TenureFact, state};
use crate::admit::Admitted;
use crate::join::episode::Episode;
use crate::join::obligation::Owed;
use crate::join::story::is_telling;
use crate::join::tenure::Tenure;
use crate::mapping::{Mappings, Resolved};
use crate::policy::{Class, Observe};
use crate::probes::Probes;
use crate::tally::{Cell, CellKey, DemandKey, Outcome, Tally, add};
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
    /// The commitments and reveals that name the jobs.
    pub said_of_tests: Vec<Admitted<'a>>,
    /// The counts.
    pub tally: Tally,
    /// The mapping claims that held.
    pub ties: Vec<Admitted<'a>>,
    /// Which ties were weighed, by their places in the mappings.
    pub weighed: Vec<bool>,
}

/// A tenure, who answers for it, and what it owes in the hour.
pub struct Judged<'a> {
    /// Who answers for it.
    pub operator: Option<Address>,
    /// What it owes.
    pub owed: Vec<Owed>,
    /// The tenure.
    pub tenure: Tenure,
    /// The claim that told who answers for it, where one was needed.
    pub tie: Option<Admitted<'a>>,
}

impl<'a, 'b> Reading<'a, 'b> {
    /// Nothing read yet.
    pub fn new(
        hour: Hour,
        horizon: UnixMillis,
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
        workload: Workload,
        class: &Class,
        episode: &Episode<'a>,
        judged: Vec<Judged<'a>>,
    ) {
        let about = About::of(workload, episode, self.origin(job_id, episode), &judged);
        self.count_demand(&about, episode, &judged);
        let mut tenures = Vec::with_capacity(judged.len());
        for Judged { operator, owed, tenure, .. } in judged {
            self.count_tenure(&about, operator, &owed, &tenure);
            tenures.push(TenureFact::of(operator, owed, tenure));
        }
        let is_told = episode.told().any(is_telling);
        let fact = JobFact {
            batches: Vec::new(),
            claims: 0,
            class: about.class,
            first_ms: episode.first_ms(),
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
    fn origin(&self, job_id: JobId, episode: &Episode<'_>) -> Origin {
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

    fn count_demand(&mut self, about: &About, episode: &Episode<'_>, judged: &[Judged<'_>]) {
        let Some(first) = episode.told().find(|claim| is_telling(claim)) else { return };
        let mut unserved =
            episode.told().filter(|claim| matches!(claim.event.body, Body::JobUnserved(_)));
        let was_unserved = unserved.next().is_some_and(|claim| self.hour.holds(claim.counted_ms));
        let served = judged.iter().map(|judged| self.served_ms(episode, &judged.tenure)).sum();
        let key = DemandKey {
            class: about.class.clone(),
            gateway: first.event.gateway.clone(),
            origin: about.origin,
            region: about.region.clone(),
            reporter: first.event.reporter,
        };
        let nobody_served = judged.iter().all(|judged| judged.tenure.output_ms.is_none());
        self.tally.demand.entry(key).or_default().add(
            u64::from(self.hour.holds(first.counted_ms)),
            served,
            u64::from(was_unserved && nobody_served),
        );
    }

    /// How much of a tenure lies in the hour, as far as its teller spoke of it.
    fn served_ms(&self, episode: &Episode<'_>, tenure: &Tenure) -> u64 {
        if tenure.self_told {
            return 0;
        }
        let end_ms = tenure.end.map_or(episode.told_ms(), |end| end.at_ms).min(self.hour.end());
        end_ms.since(tenure.start_ms.max(self.hour.start())).map_or(0, |span| span.0)
    }

    fn count_tenure(
        &mut self,
        about: &About,
        operator: Option<Address>,
        owed: &[Owed],
        tenure: &Tenure,
    ) {
        if tenure.self_told {
            return;
        }
        let (hour, block_ms) = (self.hour, self.observe.block_ms.0.max(1));
        let mut blocks = Blocks { block_ms, cells: BTreeMap::new() };
        let reporters = about.sources(operator);
        for one in owed {
            let cell = blocks.cell(one.due_ms);
            cell.obligations.entry(one.obligation).or_default().add(one.outcome);
            if let (Outcome::Disputed, Some(orchestrator)) = (one.outcome, operator) {
                reporters.iter().for_each(|from| cell.contradict(*from, orchestrator, 1));
            }
        }
        if hour.holds(tenure.told_ms) {
            let cell = blocks.cell(tenure.told_ms);
            add(&mut cell.tenures, 1);
            let came_ms = tenure.first_output_ms;
            let waited = came_ms.and_then(|came_ms| came_ms.since(tenure.start_ms));
            waited.iter().for_each(|waited| cell.first_output_ms.add(waited.0));
        }
        for sample in tenure.samples.iter().filter(|sample| hour.holds(sample.at_ms)) {
            if let Some(fps) = sample.fps_out {
                blocks.cell(sample.at_ms).fps_out_milli.add(u64::from(fps.0));
            }
        }
        let mut key = CellKey {
            block: 0,
            class: about.class.clone(),
            collected: about.collected,
            origin: about.origin,
            region: about.region.clone(),
            reporters,
            subject: about.subject(operator, &tenure.orchestrator),
        };
        for (block, cell) in blocks.cells {
            key.block = block;
            self.tally.cell(&key).merge(&cell);
        }
    }
}

/// What one tenure adds, block by block.
struct Blocks {
    block_ms: u64,
    cells: BTreeMap<u64, Cell>,
}

impl Blocks {
    fn cell(&mut self, moment: UnixMillis) -> &mut Cell {
        self.cells.entry(moment.0 / self.block_ms).or_default()
    }
}
