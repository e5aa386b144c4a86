//! Where testers' commitments and reveals stand in the record, so that an hour finds those that name its jobs.
//!
//! It never decides whether a word counts: it may name records in vain, and settling passes over them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::identity::{Address, Digest, JobId};
use events::unit::UnixMillis;
use sla::probes::{Trace, span};
use sla::window::Hour;

/// A moment at which something was said, and the record that holds it.
type Place = (UnixMillis, u64);

/// The commitments and reveals of one network's testers.
#[derive(Debug, Default)]
pub struct Traces {
    committed: BTreeMap<(Address, Digest), BTreeSet<Place>>,
    /// Looked into for every event of an hour, and never walked.
    revealed: HashMap<JobId, BTreeSet<(Place, Address, Digest)>>,
}

impl Traces {
    /// Takes what was said at a place.
    pub fn take(&mut self, place: Place, trace: &Trace) {
        match trace {
            Trace::Committed(tester, commitment) => {
                self.committed.entry((*tester, *commitment)).or_default().insert(place);
            }
            Trace::Revealed(tester, commitment, jobs) => {
                for job_id in jobs {
                    let shown = (place, *tester, *commitment);
                    self.revealed.entry(*job_id).or_default().insert(shown);
                }
            }
        }
    }

    /// The records that say of `jobs` that they were tests, as far as that bears on `hour`.
    pub fn naming(&self, hour: Hour, jobs: impl IntoIterator<Item = JobId>) -> BTreeSet<u64> {
        let span = span(hour);
        let is_in_time = |(said_ms, _): &Place| span.contains(said_ms);
        let mut ordinals = BTreeSet::new();
        for shown in jobs.into_iter().filter_map(|job_id| self.revealed.get(&job_id)) {
            for (place, tester, commitment) in shown.iter().filter(|(at, ..)| is_in_time(at)) {
                ordinals.insert(place.1);
                let committed = self.committed.get(&(*tester, *commitment)).into_iter().flatten();
                ordinals.extend(committed.filter(|at| is_in_time(at)).map(|(_, ordinal)| *ordinal));
            }
        }
        ordinals
    }
}
