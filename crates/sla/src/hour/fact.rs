//! What is known of each job in an hour, and the counts it adds to the tally.

use std::collections::BTreeSet;

use events::batch::Position;
use events::body::{Body, Orchestrator, Reason};
use events::event::{Event, Origin, Role, Workload};
use events::identity::{Address, JobId, NodeId, Region};
use events::unit::{MilliFps, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;
use crate::join::episode::Episode;
use crate::join::obligation::Owed;
use crate::join::tenure::{How, Tenure};
use crate::mapping::Mappings;
use crate::policy::Observe;
use crate::tally::{CellKey, DemandKey, Outcome, Subject, Tally, WorkClass};
use crate::window::Hour;

events::words! {
    /// How a job stands.
    State {
        /// It was asked for and nobody has it yet.
        Requested = "requested",
        /// Somebody has it.
        Running = "running",
        /// It ended as it should, or its user left.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// Nobody took it.
        Unserved = "unserved",
        /// It fell silent.
        Silent = "silent",
    }
}

/// What is known of one job in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFact {
    /// The batches that hold its claims, sorted.
    pub batches: Vec<Position>,
    /// How many claims were read.
    pub claims: u64,
    /// What was asked for.
    pub class: WorkClass,
    /// When its first claim counts.
    pub first_ms: UnixMillis,
    /// The job.
    pub job_id: JobId,
    /// When its last claim counts.
    pub last_ms: UnixMillis,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// Where it was asked for.
    pub region: Option<Region>,
    /// Everybody who spoke of it, sorted.
    pub reporters: Vec<Address>,
    /// When it was asked for, if that was heard.
    pub requested_ms: Option<UnixMillis>,
    /// How it stands.
    pub state: State,
    /// Who had it, in order.
    pub tenures: Vec<TenureFact>,
}

/// One orchestrator's time with a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenureFact {
    /// When it ended, if it did.
    pub end_ms: Option<UnixMillis>,
    /// How it ended: `completed`, `failed`, `swapped`, `silent`.
    pub ended: Option<String>,
    /// When the first output came.
    pub first_output_ms: Option<UnixMillis>,
    /// Mean frames in, rounded down; none where none were told.
    pub fps_in: Option<MilliFps>,
    /// Mean frames out, rounded down; none where none were told.
    pub fps_out: Option<MilliFps>,
    /// Who answers for it; none where no mapping tells.
    pub operator: Option<Address>,
    /// The names it was seen by.
    pub orchestrator: Orchestrator,
    /// When output was enough to watch, or the answer whole.
    pub output_ms: Option<UnixMillis>,
    /// The obligations that belong to the hour.
    pub owed: Vec<Owed>,
    /// Why it ended, where it ended badly or early.
    pub reason: Option<Reason>,
    /// How many statuses were heard.
    pub samples: u64,
    /// Whether nobody but the orchestrator's own side told of it.
    pub self_told: bool,
    /// When it began.
    pub start_ms: UnixMillis,
}

/// The jobs read so far and what they add up to.
pub struct Reading<'a, 'b> {
    /// The hour.
    pub hour: Hour,
    /// The jobs.
    pub jobs: Vec<JobFact>,
    mappings: &'b Mappings<'a>,
    /// What is measured.
    pub observe: &'b Observe,
    /// The counts.
    pub tally: Tally,
    /// The mapping claims that held.
    pub ties: Vec<Admitted<'a>>,
    /// The batches of all mapping claims that were weighed.
    pub weighed: BTreeSet<Position>,
}

/// A judged tenure.
type Judged = (Vec<Owed>, Tenure);

impl<'a, 'b> Reading<'a, 'b> {
    /// Nothing read yet.
    pub fn new(hour: Hour, observe: &'b Observe, mappings: &'b Mappings<'a>) -> Self {
        Self {
            hour,
            jobs: Vec::new(),
            mappings,
            observe,
            tally: Tally::default(),
            ties: Vec::new(),
            weighed: BTreeSet::new(),
        }
    }

    /// Takes one episode of a job with its judged tenures.
    pub fn take(
        &mut self,
        job_id: JobId,
        workload: Workload,
        episode: &Episode<'a>,
        judged: Vec<Judged>,
    ) {
        let about = About::of(workload, episode);
        self.count_demand(&about, episode, &judged);
        let mut tenures = Vec::with_capacity(judged.len());
        for (owed, tenure) in judged {
            // An orchestrator is whoever it is while the hour charges it, not whoever it was when a long job began.
            let moment = tenure.start_ms.max(self.hour.start());
            let resolved = self.mappings.resolve(&tenure.orchestrator, moment);
            self.weighed.extend(self.mappings.weighed(&tenure.orchestrator));
            self.ties.extend(resolved.and_then(|resolved| resolved.tie));
            let operator = resolved.map(|resolved| resolved.operator);
            self.count_tenure(&about, operator, &owed, &tenure);
            tenures.push(TenureFact::of(operator, owed, tenure));
        }
        let fact = JobFact {
            batches: episode
                .claims
                .iter()
                .map(|claim| claim.position)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            claims: u64::try_from(episode.claims.len()).unwrap_or(u64::MAX),
            class: about.class,
            first_ms: episode.first_ms(),
            job_id,
            last_ms: episode.last_ms(),
            origin: about.origin,
            region: about.region,
            reporters: about.everybody.into_iter().collect(),
            requested_ms: about.requested_ms,
            state: state(episode, &tenures, self.hour, self.observe),
            tenures,
        };
        match self.jobs.last_mut() {
            Some(last) if last.job_id == job_id => last.append(fact),
            _ => self.jobs.push(fact),
        }
    }

    fn count_demand(&mut self, about: &About, episode: &Episode<'_>, judged: &[Judged]) {
        let Some(first) = episode.gateway_claims().next() else { return };
        let mut unserved = episode
            .gateway_claims()
            .filter(|claim| matches!(claim.event.body, Body::JobUnserved(_)));
        let was_unserved = unserved.next().is_some_and(|claim| self.hour.holds(claim.counted_ms));
        let served: u64 = judged.iter().map(|(_, tenure)| self.served_ms(episode, tenure)).sum();
        let key = DemandKey {
            class: about.class.clone(),
            gateway: first.event.gateway.clone(),
            origin: about.origin,
            region: about.region.clone(),
            reporter: first.event.reporter,
        };
        let demand = self.tally.demand.entry(key).or_default();
        demand.jobs += u64::from(self.hour.holds(episode.first_ms()));
        demand.served_ms += served;
        demand.unserved +=
            u64::from(was_unserved && judged.iter().all(|(_, tenure)| tenure.output_ms.is_none()));
    }

    /// How much of a tenure lies in the hour, as far as anybody spoke of it.
    fn served_ms(&self, episode: &Episode<'_>, tenure: &Tenure) -> u64 {
        let end_ms = tenure.end.map_or(episode.last_ms(), |end| end.at_ms).min(self.hour.end());
        end_ms.since(tenure.start_ms.max(self.hour.start())).map_or(0, |span| span.0)
    }

    fn count_tenure(
        &mut self,
        about: &About,
        operator: Option<Address>,
        owed: &[Owed],
        tenure: &Tenure,
    ) {
        let begins = self.hour.holds(tenure.start_ms) && !tenure.self_told;
        let samples = tenure.samples.iter().filter(|sample| self.hour.holds(sample.at_ms));
        let subject = about.subject(operator, &tenure.orchestrator);
        let key = |moment: UnixMillis| CellKey {
            block: moment.0 / self.observe.block_ms.0,
            class: about.class.clone(),
            collected: about.collected,
            origin: about.origin,
            region: about.region.clone(),
            reporters: about.sources(operator),
            subject: subject.clone(),
        };
        for one in owed {
            let cell = self.tally.cells.entry(key(one.due_ms)).or_default();
            cell.obligations.entry(one.obligation).or_default().add(one.outcome);
            if let (Outcome::Disputed, Some(orchestrator)) = (one.outcome, operator) {
                for reporter in about.sources(Some(orchestrator)) {
                    cell.contradict(reporter, orchestrator, 1);
                }
            }
        }
        if begins {
            let cell = self.tally.cells.entry(key(tenure.start_ms)).or_default();
            cell.tenures += 1;
            if let Some(waited) =
                tenure.first_output_ms.and_then(|came| came.since(tenure.start_ms))
            {
                cell.first_output_ms.add(waited.0);
            }
        }
        for sample in samples.filter(|_| !tenure.self_told) {
            if let Some(fps) = sample.fps_out {
                self.tally
                    .cells
                    .entry(key(sample.at_ms))
                    .or_default()
                    .fps_out_milli
                    .add(u64::from(fps.0));
            }
        }
    }
}

/// What an episode is about, and who told of it.
struct About {
    class: WorkClass,
    collected: bool,
    everybody: BTreeSet<Address>,
    /// Who spoke for the gateway's side.
    handed_out: BTreeSet<Address>,
    node: Option<(Address, NodeId)>,
    origin: Origin,
    region: Option<Region>,
    requested_ms: Option<UnixMillis>,
}

impl About {
    fn of(workload: Workload, episode: &Episode<'_>) -> Self {
        let gateway = || episode.gateway_claims().map(|claim| claim.event);
        let either = |pick: &dyn Fn(&Event) -> bool| {
            gateway().find(|event| pick(event)).or_else(|| {
                episode.claims.iter().map(|claim| claim.event).find(|event| pick(event))
            })
        };
        let model = either(&|event| event.model.is_some()).and_then(|event| event.model.clone());
        let pipeline =
            either(&|event| event.pipeline.is_some()).and_then(|event| event.pipeline.clone());
        let requested = episode
            .gateway_claims()
            .find(|claim| matches!(claim.event.body, Body::JobRequested(_)));
        let spoke = episode
            .orchestrator_claims()
            .next()
            .map(|claim| (claim.event.reporter, claim.event.node.clone()));
        Self {
            class: WorkClass { model, pipeline, workload },
            collected: gateway().all(|event| event.role == Role::Collector),
            everybody: episode.claims.iter().map(|claim| claim.event.reporter).collect(),
            handed_out: gateway().map(|event| event.reporter).collect(),
            node: spoke,
            origin: if gateway().any(|event| event.role == Role::Tester) {
                Origin::Probe
            } else {
                Origin::Organic
            },
            region: either(&|event| event.region.is_some()).and_then(|event| event.region.clone()),
            requested_ms: requested.map(|claim| claim.counted_ms),
        }
    }

    /// Those whose word about `operator` counts: everybody on the gateway's side but the operator itself.
    fn sources(&self, operator: Option<Address>) -> Vec<Address> {
        self.handed_out.iter().copied().filter(|reporter| Some(*reporter) != operator).collect()
    }

    fn subject(&self, operator: Option<Address>, seen: &Orchestrator) -> Subject {
        let own_node = self.node.as_ref().filter(|(speaker, _)| Some(*speaker) == operator);
        Subject {
            node: own_node.map(|(_, node)| node.clone()),
            operator,
            signer: if operator.is_none() { seen.signer } else { None },
            url: seen.url.clone(),
        }
    }
}

impl JobFact {
    /// Adds a later episode of the same job.
    fn append(&mut self, later: Self) {
        let batches: BTreeSet<Position> =
            self.batches.iter().chain(&later.batches).copied().collect();
        let reporters: BTreeSet<Address> =
            self.reporters.iter().chain(&later.reporters).copied().collect();
        self.batches = batches.into_iter().collect();
        self.reporters = reporters.into_iter().collect();
        self.claims += later.claims;
        self.last_ms = later.last_ms;
        self.requested_ms = self.requested_ms.or(later.requested_ms);
        self.state = later.state;
        self.tenures.extend(later.tenures);
    }
}

impl TenureFact {
    fn of(operator: Option<Address>, owed: Vec<Owed>, tenure: Tenure) -> Self {
        let (ended, reason) = match tenure.end.map(|end| end.how) {
            None => (None, None),
            Some(How::Completed(reason)) => (Some("completed"), reason),
            Some(How::Failed(reason)) => (Some("failed"), Some(reason)),
            Some(How::Swapped(reason)) => (Some("swapped"), Some(reason)),
            Some(How::Silent) => (Some("silent"), None),
        };
        Self {
            end_ms: tenure.end.map(|end| end.at_ms),
            ended: ended.map(str::to_owned),
            first_output_ms: tenure.first_output_ms,
            fps_in: mean(tenure.samples.iter().filter_map(|sample| sample.fps_in)),
            fps_out: mean(tenure.samples.iter().filter_map(|sample| sample.fps_out)),
            operator,
            orchestrator: tenure.orchestrator,
            output_ms: tenure.output_ms,
            owed,
            reason,
            samples: u64::try_from(tenure.samples.len()).unwrap_or(u64::MAX),
            self_told: tenure.self_told,
            start_ms: tenure.start_ms,
        }
    }
}

/// The mean, rounded down; none of nothing.
fn mean(values: impl Iterator<Item = MilliFps>) -> Option<MilliFps> {
    let (sum, count) =
        values.fold((0u64, 0u64), |(sum, count), fps| (sum + u64::from(fps.0), count + 1));
    sum.checked_div(count).and_then(|mean| u32::try_from(mean).ok()).map(MilliFps)
}

fn state(episode: &Episode<'_>, tenures: &[TenureFact], hour: Hour, observe: &Observe) -> State {
    if let Some(state) = episode.gateway_claims().filter_map(last_word).last() {
        return state;
    }
    let class = episode
        .claims
        .iter()
        .find_map(|claim| claim.event.workload)
        .and_then(|workload| observe.class(workload));
    if class.is_some_and(|class| episode.fell_silent_ms(class, hour.end()).is_some()) {
        return State::Silent;
    }
    if tenures.iter().any(|tenure| tenure.end_ms.is_none()) {
        State::Running
    } else {
        State::Requested
    }
}

/// How a job stands after a claim that ends it.
fn last_word(claim: &Admitted<'_>) -> Option<State> {
    match &claim.event.body {
        Body::JobCompleted(_) => Some(State::Completed),
        Body::JobFailed(_) => Some(State::Failed),
        Body::JobUnserved(_) => Some(State::Unserved),
        Body::SegmentAttempted(said) if said.success => Some(State::Completed),
        Body::SegmentAttempted(_) => Some(State::Failed),
        _ => None,
    }
}
