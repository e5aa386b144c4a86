//! Which jobs were tests: those a tester bound itself to before anybody told of them, and showed before the hour closed.
//!
//! A tester that names its tests afterwards could pick them by how they went. So nothing here asks what a test gave, and
//! an event's own time is not believed: a commitment and a reveal stand from when they were sealed.

use std::collections::BTreeMap;
use std::ops::Range;

use events::batch::Position;
use events::body::Body;
use events::event::{Event, Role};
use events::identity::{Address, Digest, JobId};
use events::unit::{Millis, UnixMillis};

use crate::admit::Admitted;
use crate::authority::Authority;
use crate::opened::Opened;
use crate::window::Hour;

/// How long before an hour a commitment or reveal still bears on it (docs/scoring.md, "Tests"; case 0045).
pub const REACH: Millis = Millis(24 * 3_600_000);

/// How long after its end an hour closes: what is shown later makes no job of it a test (docs/scoring.md, "Tests";
/// case 0041).
pub const CLOSES_AFTER: Millis = Millis(15 * 60_000);

/// When commitments and reveals that bear on `hour` are said.
pub fn span(hour: Hour) -> Range<UnixMillis> {
    hour.start().minus(REACH)..hour.end().plus(CLOSES_AFTER)
}

/// When a commitment or reveal stands: not before it was sealed, whatever its own time says, or a tester could bind
/// itself ten minutes back.
pub fn said_ms(counted_ms: UnixMillis, sealed_ms: UnixMillis) -> UnixMillis {
    counted_ms.max(sealed_ms)
}

/// What a commitment or a reveal is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// A tester's binding.
    Committed(Address, Digest),
    /// The binding that a tester opened, and the jobs it showed.
    Revealed(Address, Digest, Vec<JobId>),
}

/// What an event says of tests, if it does and speaks as a tester.
pub fn trace(event: &Event) -> Option<Trace> {
    let tester = (event.role == Role::Tester).then_some(event.reporter)?;
    match &event.body {
        Body::ProbeCommitted(said) => Some(Trace::Committed(tester, said.commitment)),
        Body::ProbeRevealed(said) => {
            Some(Trace::Revealed(tester, said.commitment, said.jobs.clone()))
        }
        _ => None,
    }
}

/// The commitments and reveals that bear on one hour and count.
///
/// Of one tester's identical words in several batches those count that were sealed first.
#[derive(Debug, Default)]
pub struct Probes<'a> {
    committed: BTreeMap<(Address, Digest), Vec<Admitted<'a>>>,
    revealed: BTreeMap<JobId, Vec<Admitted<'a>>>,
}

impl<'a> Probes<'a> {
    /// Those among `batches` that bear on `hour`.
    pub fn of(
        hour: Hour,
        batches: impl IntoIterator<Item = &'a Opened>,
        authority: &Authority,
    ) -> Self {
        let span = span(hour);
        let place = |claim: &Admitted<'_>| -> (UnixMillis, Position, u16) {
            (claim.sealed_ms, claim.position, claim.index)
        };
        let mut first: BTreeMap<(Address, Digest), Admitted<'a>> = BTreeMap::new();
        for batch in batches {
            let words = batch.readable().filter(|(opened, event)| {
                is_word(event) && span.contains(&said_ms(opened.counted_ms, batch.header.sealed_ms))
            });
            for (opened, event) in words {
                if authority.check_batch(batch).is_err() || authority.admit(batch, event).is_err() {
                    continue;
                }
                let claim = Admitted::of(batch, opened, event);
                let known = first.entry((event.reporter, opened.hash)).or_insert(claim);
                if place(&claim) < place(known) {
                    *known = claim;
                }
            }
        }
        let mut probes = Self::default();
        first.into_values().for_each(|claim| probes.take(claim));
        probes
    }

    fn take(&mut self, claim: Admitted<'a>) {
        match &claim.event.body {
            Body::ProbeCommitted(said) => {
                let binding = (claim.event.reporter, said.commitment);
                self.committed.entry(binding).or_default().push(claim);
            }
            Body::ProbeRevealed(said) => {
                let jobs: std::collections::BTreeSet<JobId> = said.jobs.iter().copied().collect();
                for job_id in jobs {
                    self.revealed.entry(job_id).or_default().push(claim);
                }
            }
            _ => {}
        }
    }

    /// The reveals that name a job, each with the commitments of the same tester that it names.
    fn naming(&self, job_id: JobId) -> impl Iterator<Item = (&Admitted<'a>, &[Admitted<'a>])> {
        self.revealed.get(&job_id).into_iter().flatten().map(|revealed| {
            let committed = binding(revealed).and_then(|binding| self.committed.get(&binding));
            (revealed, committed.map_or(&[][..], Vec::as_slice))
        })
    }

    /// Whether a job was a test that its teller first spoke of at `told_ms`: some tester bound itself to it before that,
    /// and showed it.
    pub fn has(&self, job_id: JobId, told_ms: UnixMillis) -> bool {
        self.naming(job_id).any(|(revealed, committed)| {
            let Body::ProbeRevealed(shown) = &revealed.event.body else { return false };
            committed.iter().any(|claim| match &claim.event.body {
                Body::ProbeCommitted(bound) => {
                    said_ms(claim.counted_ms, claim.sealed_ms) < told_ms && shown.answers(bound)
                }
                _ => false,
            })
        })
    }

    /// All that was said of a job as a test, whether it made it one or not: an hour with the job rests on it.
    pub fn about(&self, job_id: JobId) -> impl Iterator<Item = Admitted<'a>> {
        self.naming(job_id)
            .flat_map(|(revealed, committed)| std::iter::once(revealed).chain(committed))
            .copied()
    }
}

/// Whether an event is a tester's commitment or reveal.
fn is_word(event: &Event) -> bool {
    event.role == Role::Tester
        && matches!(event.body, Body::ProbeCommitted(_) | Body::ProbeRevealed(_))
}

/// The binding that a reveal opens.
fn binding(claim: &Admitted<'_>) -> Option<(Address, Digest)> {
    match &claim.event.body {
        Body::ProbeRevealed(said) => Some((claim.event.reporter, said.commitment)),
        _ => None,
    }
}
