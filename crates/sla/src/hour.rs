//! The whole of one hour: from batches to a tally, the jobs behind it, and the root of the events it rests on.
//!
//! An hour rests on the events that count in it, the events of jobs that were open when it began, and the nearest
//! mapping of each orchestrator it names. All of that, with the standing facts, can be exported and settled again.

pub mod fact;
mod input;

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Kind;
use events::identity::{Digest, JobId};
use events::merkle;
use events::unit::{Millis, UnixMillis};

use crate::admit::{Admitted, Refused, admit};
use crate::authority::{Authority, Standing};
use crate::join::coverage::Coverage;
use crate::join::episode::Episode;
use crate::join::obligation::Bench;
use crate::join::tenure::tenures;
use crate::mapping::{Mappings, REACH};
use crate::opened::Opened;
use crate::policy::{IDLE_MAX, Observe};
use crate::tally::Tally;
use crate::window::Hour;
use fact::{JobFact, Reading};

pub use input::records_for;

/// How far back a job that is still open is read (SCORING section 2).
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
    /// The facts beyond the hour that its admission rests on.
    pub standing: Standing,
    /// The counts.
    pub tally: Tally,
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
    settle(hour, batches, open, &authority, observe).tally
}

/// Settles an hour. `batches` may hold more than its input, in any order and any number of times.
pub fn settle(
    hour: Hour,
    batches: &[&Opened],
    open: &OpenJobs,
    authority: &Authority,
    observe: &Observe,
) -> Settled {
    let reach = hour.start().minus(REACH)..=hour.end().plus(REACH);
    let admission =
        admit(authority, batches.iter().copied(), |counted_ms, event| match event.kind() {
            Kind::ScorecardPublished => false,
            Kind::CapabilityOffered => reach.contains(&counted_ms),
            _ => hour.holds(counted_ms) || is_carried(open, hour, counted_ms, event.job_id),
        });
    let near = batches.iter().copied().filter(|batch| is_near(hour, batch.header.sealed_ms));
    let near: Vec<&Opened> = near.filter(|batch| authority.check_batch(batch).is_ok()).collect();
    let coverage = Coverage::of(near.iter().copied());
    let mappings = Mappings::of(admission.admitted.iter().copied());

    let mut set: BTreeSet<[u8; 88]> = BTreeSet::new();
    let mut used: BTreeSet<Position> = near.iter().map(|batch| batch.position()).collect();
    let mut jobs: BTreeMap<JobId, Vec<Admitted<'_>>> = BTreeMap::new();
    for claim in &admission.admitted {
        let counts = hour.holds(claim.counted_ms);
        let carried = is_carried(open, hour, claim.counted_ms, claim.event.job_id);
        if counts || carried {
            set.insert(claim.leaf());
            used.insert(claim.position);
            if let Some(job_id) = claim.event.job_id {
                jobs.entry(job_id).or_default().push(*claim);
            }
        }
    }

    let mut reading = Reading::new(hour, observe, &mappings);
    let mut still_open = OpenJobs::new();
    for (job_id, claims) in jobs {
        if let Some(since) = read_job(&mut reading, job_id, claims, &coverage) {
            still_open.insert(job_id, since);
        }
    }
    for tie in &reading.ties {
        set.insert(tie.leaf());
        used.insert(tie.position);
    }
    let keys = admission
        .admitted
        .iter()
        .filter(|claim| used.contains(&claim.position))
        .map(|claim| claim.position.key);
    let sealed = admission
        .admitted
        .iter()
        .filter(|claim| used.contains(&claim.position))
        .map(|claim| claim.sealed_ms);
    let (from, to) = (sealed.clone().min(), sealed.max());
    let standing =
        authority.standing(&keys.collect(), from.unwrap_or(hour.start()), to.unwrap_or(hour.end()));
    Settled {
        event_set: EventSet {
            count: u64::try_from(set.len()).unwrap_or(u64::MAX),
            root: merkle::root(set.iter().map(<[u8; 88]>::as_slice)),
            rule: "set-1".to_owned(),
        },
        jobs: reading.jobs,
        open: still_open,
        refused: admission.refused,
        standing,
        tally: reading.tally,
        used,
    }
}

fn is_carried(open: &OpenJobs, hour: Hour, counted_ms: UnixMillis, job_id: Option<JobId>) -> bool {
    counted_ms < hour.start()
        && job_id.and_then(|job_id| open.get(&job_id)).is_some_and(|since| *since <= counted_ms)
}

/// Reads the claims about one job; tells since when it is to be read if it is open at the hour's end.
fn read_job<'a>(
    reading: &mut Reading<'a, '_>,
    job_id: JobId,
    claims: Vec<Admitted<'a>>,
    coverage: &Coverage,
) -> Option<UnixMillis> {
    let workload = claims.iter().find_map(|claim| claim.event.workload)?;
    let (hour, observe) = (reading.hour, reading.observe);
    let class = observe.class(workload)?;
    let mut open_since = None;
    for episode in Episode::split(claims, class, observe) {
        let bench = Bench { class, coverage, episode: &episode, hour, observe };
        let judged = tenures(&episode, observe.linger_ms)
            .into_iter()
            .map(|tenure| (bench.judge(&tenure), tenure));
        let judged: Vec<_> = judged.collect();
        if episode.closes_ms(class, observe) >= hour.end() {
            open_since = Some(episode.first_ms().max(hour.end().minus(OPEN_MAX)));
        }
        reading.take(job_id, workload, &episode, judged);
    }
    open_since
}
