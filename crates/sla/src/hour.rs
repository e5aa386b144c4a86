//! The whole of one hour: from batches to a tally, the jobs behind it, and the root of the events it rests on.
//!
//! An hour rests on the events that count in it, the events of jobs that were open when it began, the nearest mapping of
//! each orchestrator it names, and what testers said of its jobs before they began and after they ended. All of that,
//! with the standing facts, can be exported and settled again.

mod about;
mod beside;
mod blocks;
mod compare;
pub mod fact;
mod input;
mod machine;
mod reading;

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Kind;
use events::identity::{Digest, JobId};
use events::merkle;
use events::unit::{Millis, UnixMillis};

use crate::admit::{Admitted, Note, Refused, admit};
use crate::authority::Authority;
use crate::authority::standing::{Standing, Words};
use crate::join::coverage::Coverage;
use crate::join::episode::Episode;
use crate::join::obligation::Bench;
use crate::join::story::{Story, stories};
use crate::join::tenure::tenures;
use crate::mapping::{Mappings, REACH};
use crate::opened::{EVENT_AGE_MAX, Opened};
use crate::policy::observe::{IDLE_MAX, Observe};
use crate::probes::Probes;
use crate::rollup::{Detail, Rollup};
use crate::supply::{Word, told};
use crate::tally::Tally;
use crate::tally::link::{Link, links_of};
use crate::tested::{Tested, tested};
use crate::window::Hour;
use about::About;
use fact::JobFact;
use machine::Machine;
use reading::{Held, Judged, Reading};

pub use input::{last_good_of, records_for};

/// How far back a job that is still open is read (docs/scoring.md, "Open jobs"; case 0004).
pub const OPEN_MAX: Millis = Millis(24 * 3_600_000);

/// The jobs that are open at a moment, and since when each is read.
pub type OpenJobs = BTreeMap<JobId, UnixMillis>;

/// The events an hour rests on, by their Merkle root (rule `set-1`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventSet {
    /// How many events.
    pub count: u64,
    /// The root over their sorted leaves.
    pub root: Digest,
    /// The rule the root is made by.
    pub rule: String,
}

impl EventSet {
    /// The set of these events, whatever their order and however often each comes.
    fn of<'c, 'a: 'c>(claims: impl Iterator<Item = &'c Admitted<'a>>) -> Self {
        // Leaves are far larger than the first bytes of their hashes, which tell nearly all of them apart.
        let first = |claim: &'c Admitted<'a>| {
            let bytes = claim.hash.0.first_chunk().copied().unwrap_or_default();
            (u64::from_be_bytes(bytes), claim)
        };
        let mut claims: Vec<(u64, &Admitted<'a>)> = claims.map(first).collect();
        claims.sort_unstable_by(|(first, one), (other_first, other)| {
            first.cmp(other_first).then_with(|| one.leaf().cmp(&other.leaf()))
        });
        claims.dedup_by(|(first, one), (other_first, other)| {
            first == other_first && one.leaf() == other.leaf()
        });
        let leaves = claims.iter().map(|(_, claim)| merkle::leaf(&claim.leaf()));
        Self {
            count: u64::try_from(claims.len()).unwrap_or(u64::MAX),
            root: merkle::root_of_hashes(leaves),
            rule: "set-1".to_owned(),
        }
    }
}

/// What an hour came to.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The events it rests on.
    pub event_set: EventSet,
    /// The jobs that had claims in it, by id.
    pub jobs: Vec<JobFact>,
    /// The jobs open at its end.
    pub open: OpenJobs,
    /// What was refused; never part of a scorecard.
    pub refused: Refused,
    /// The counts for people to look at.
    pub rollup: Rollup,
    /// The facts beyond the hour that its admission rests on.
    pub standing: Standing,
    /// What was offered in it.
    pub supply: Vec<Word>,
    /// The last refusals of each publisher one by one; never part of a scorecard.
    pub refused_notes: Vec<Note>,
    /// The counts.
    pub tally: Tally,
    /// What tests in it gave; read by no score.
    pub tests: Vec<Tested>,
    /// The batches that hold the events it rests on and prove its silences.
    pub used: BTreeSet<Position>,
}

/// Whether a batch sealed at `sealed_ms` can hold events of `hour` or prove that none came.
pub fn is_near(hour: Hour, sealed_ms: UnixMillis) -> bool {
    hour.start().minus(IDLE_MAX) <= sealed_ms && sealed_ms <= hour.end().plus(IDLE_MAX)
}

/// The counts of an hour, from any set of batches that holds its input.
pub fn tally(
    hour: Hour,
    batches: &[&Opened],
    open: &OpenJobs,
    trust: &crate::trust::TrustFile,
    observe: &Observe,
) -> Tally {
    let authority = Authority::of(trust, batches.iter().copied());
    settle(hour, batches, open, &authority, observe, Detail::Hour).tally
}

/// Settles an hour, for people as finely as `detail` asks. `batches` may hold more than its input, in any order and any number of times.
pub fn settle(
    hour: Hour,
    batches: &[&Opened],
    open: &OpenJobs,
    authority: &Authority,
    observe: &Observe,
    detail: Detail,
) -> Settled {
    let admission = admit(authority, batches.iter().copied(), |counted_ms, event| {
        let counts = hour.holds(counted_ms) || is_carried(open, hour, counted_ms, event.job_id);
        counts && event.kind() != Kind::ScorecardPublished
    });
    let near = batches.iter().copied().filter(|batch| is_near(hour, batch.header.sealed_ms));
    let near: Vec<&Opened> = near.filter(|batch| authority.check_batch(batch).is_ok()).collect();
    // The silence of somebody whose words do not count says nothing either.
    let proving: Vec<&Opened> =
        near.iter().copied().filter(|batch| authority.hears(batch)).collect();
    let coverage = Coverage::of(proving.iter().copied());
    let mappings = Mappings::of(hour, batches.iter().copied(), authority);
    let probes = Probes::of(hour, batches.iter().copied(), authority);

    let claims = admission.admitted.iter().copied();
    let around = Around { coverage: &coverage, mappings: &mappings, probes: &probes };
    let read = read_jobs(hour, hour.end(), claims, around, observe, detail);
    let said = admission.admitted.iter().chain(&read.ties).chain(&read.probes);
    let event_set = EventSet::of(said.clone());
    let mut used: BTreeSet<Position> = near.iter().map(|batch| batch.position()).collect();
    used.extend(&admission.positions);
    used.extend(&read.weighed);
    used.extend(read.probes.iter().map(|claim| claim.position));
    let far = batches
        .iter()
        .filter(|batch| !is_near(hour, batch.header.sealed_ms) && used.contains(&batch.position()));
    let mut words = Words {
        asked_ms: near.iter().chain(far).map(|batch| batch.header.sealed_ms).collect(),
        chains: BTreeSet::new(),
        keys: said.clone().map(|claim| claim.position.key).collect(),
        reach: reach(hour),
        sealed_ms: said.map(|claim| claim.sealed_ms).collect(),
    };
    let theirs = proving.iter().filter(|batch| words.keys.contains(&batch.header.key));
    words.chains = theirs.map(|batch| batch.hash).collect();
    let mut tally = read.tally;
    tally.links = links(hour, &admission.admitted);
    let mut rollup = read.rollup;
    beside::add(&mut rollup, hour, &admission.admitted);
    Settled {
        event_set,
        standing: authority.standing(&words),
        jobs: read.jobs,
        open: read.open,
        refused: admission.refused,
        rollup,
        supply: told(hour, &admission.admitted),
        refused_notes: admission.notes,
        tally,
        tests: tested(hour, &admission.admitted),
        used,
    }
}

/// What the events of an hour say belongs together.
fn links(hour: Hour, admitted: &[Admitted<'_>]) -> BTreeMap<Link, u64> {
    let mut links = BTreeMap::new();
    let heard = admitted.iter().filter(|claim| hour.holds(claim.counted_ms));
    for link in heard.flat_map(links_of) {
        crate::tally::add(links.entry(link).or_default(), 1);
    }
    links
}

/// The sealing times between which a batch can hold anything that bears on `hour`.
fn reach(hour: Hour) -> (UnixMillis, UnixMillis) {
    let furthest = Millis(REACH.0 + EVENT_AGE_MAX.0);
    (hour.start().minus(furthest), hour.end().plus(furthest))
}

/// What is known around jobs: whose silence counts, who answers for which names, and which jobs were tests.
#[derive(Clone, Copy)]
pub struct Around<'a, 'b> {
    /// Whose silence counts.
    pub coverage: &'b Coverage,
    /// Who answers for which names.
    pub mappings: &'b Mappings<'a>,
    /// Which jobs were tests.
    pub probes: &'b Probes<'a>,
}

/// What the claims of some jobs come to.
#[derive(Debug)]
pub struct Read<'a> {
    /// The jobs, by id.
    pub jobs: Vec<JobFact>,
    /// The jobs open at the hour's end.
    pub open: OpenJobs,
    /// The commitments and reveals that name the jobs.
    pub probes: Vec<Admitted<'a>>,
    /// The counts for people to look at.
    pub rollup: Rollup,
    /// The counts.
    pub tally: Tally,
    /// The mapping claims that held.
    pub ties: Vec<Admitted<'a>>,
    /// The batches of all mapping claims that were weighed.
    pub weighed: BTreeSet<Position>,
}

/// Reads the jobs that `claims` are about, as far as they are known: up to `horizon`, which is the hour's end or, while
/// it is open, now. Claims about no job are passed over.
pub fn read_jobs<'a>(
    hour: Hour,
    horizon: UnixMillis,
    claims: impl IntoIterator<Item = Admitted<'a>>,
    around: Around<'a, '_>,
    observe: &Observe,
    detail: Detail,
) -> Read<'a> {
    let Around { coverage, mappings, probes } = around;
    let claims: Vec<(JobId, Admitted<'a>)> =
        claims.into_iter().filter_map(|claim| Some((claim.event.job_id?, claim))).collect();
    // References are put in order, not claims: those are too large to be moved about.
    let mut order: Vec<(u128, UnixMillis, &Admitted<'a>)> =
        claims.iter().map(|(job_id, claim)| (number(*job_id), claim.counted_ms, claim)).collect();
    order.sort_unstable_by(|(job, at_ms, one), (other_job, other_at_ms, other)| {
        let by_moment = (job, at_ms).cmp(&(other_job, other_at_ms));
        by_moment.then_with(|| one.order().cmp(&other.order()))
    });
    let mut reading = Reading::new(hour, horizon, detail, observe, mappings, probes);
    let mut open = OpenJobs::new();
    for claims in order.chunk_by(|(one, ..), (next, ..)| one == next) {
        let Some((job, ..)) = claims.first() else { continue };
        let job_id = JobId(job.to_be_bytes());
        let claims = claims.iter().map(|(_, _, claim)| **claim).collect();
        if let Some(since) = read_job(&mut reading, job_id, claims, coverage) {
            open.insert(job_id, since);
        }
    }
    Read {
        jobs: reading.jobs,
        open,
        probes: reading.said_of_tests,
        rollup: reading.rollup,
        tally: reading.tally,
        ties: reading.ties,
        weighed: mappings.positions(&reading.weighed),
    }
}

/// A job's id as a number: numbers stand in the order of the ids, and are compared at once.
fn number(job_id: JobId) -> u128 {
    u128::from_be_bytes(job_id.0)
}

fn is_carried(open: &OpenJobs, hour: Hour, counted_ms: UnixMillis, job_id: Option<JobId>) -> bool {
    counted_ms < hour.start()
        && job_id.and_then(|job_id| open.get(&job_id)).is_some_and(|since| *since <= counted_ms)
}

/// Reads the claims about one job, which are in order; tells since when it is to be read if it is open at the hour's
/// end.
fn read_job<'a>(
    reading: &mut Reading<'a, '_>,
    job_id: JobId,
    claims: Vec<Admitted<'a>>,
    coverage: &Coverage,
) -> Option<UnixMillis> {
    let open_since = stories(&claims)
        .into_iter()
        .filter_map(|story| read_story(reading, job_id, story, coverage))
        .min();
    reading.close(job_id, &claims);
    open_since
}

/// Reads one telling of a job; tells since when it is to be read if it is open at the hour's end.
fn read_story<'a>(
    reading: &mut Reading<'a, '_>,
    job_id: JobId,
    story: Story<'a>,
    coverage: &Coverage,
) -> Option<UnixMillis> {
    let Story { claims, teller, workload } = story;
    let (hour, observe) = (reading.hour, reading.observe);
    let class = observe.class(workload)?;
    let mut open_since: Option<UnixMillis> = None;
    for episode in Episode::split(claims, teller, class, observe) {
        let horizon = reading.horizon;
        let bench = Bench { class, coverage, episode: &episode, horizon, hour, observe };
        let held = tenures(&episode, workload, observe.linger_ms).into_iter().map(|tenure| {
            let resolved = reading.resolve(&tenure);
            let operator = resolved.map(|resolved| resolved.operator);
            let tie = resolved.and_then(|resolved| resolved.tie);
            Held { operator, tenure, tie }
        });
        let held: Vec<Held> = held.collect();
        let about = About::of(workload, &episode, reading.origin(job_id, &episode), &held);
        let judged = held.into_iter().map(|held| {
            let machine = Machine::of(&about.class, held.tie);
            let special = observe.special(&about.class, machine.hardware.as_ref());
            let bench = Bench { class: special.as_ref().unwrap_or(class), ..bench };
            Judged { owed: bench.judge(&held.tenure, held.operator), held, machine }
        });
        let judged: Vec<Judged> = judged.collect();
        if episode.is_open_at(hour.end(), class, observe) {
            let since = episode.first_ms().max(hour.end().minus(OPEN_MAX));
            open_since = Some(open_since.map_or(since, |known| known.min(since)));
        }
        reading.take(job_id, about, &bench, judged);
    }
    open_since
}
