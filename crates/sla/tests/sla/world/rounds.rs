//! What testers, and others who are none, bind and show: in time or not, rightly or not.

use std::collections::BTreeMap;

use events::body::Body;
use events::body::probe::{Committed, Revealed, commitment};
use events::identity::{Digest, JobId};
use events::unit::{HOUR_MS, Millis, UnixMillis};

use super::chance::Chance;
use super::{GATEWAYS, Said, TESTER};
use crate::cast::Person;

/// A moment before or after another.
fn moved(from: UnixMillis, by_ms: i64) -> UnixMillis {
    let distance = Millis(by_ms.unsigned_abs());
    if by_ms < 0 { from.minus(distance) } else { from.plus(distance) }
}

/// Some rounds of tests about the jobs that `said` tells of.
pub fn rounds(chance: &mut Chance, people: &[Person], said: &[Said]) -> Vec<Said> {
    let mut begun: BTreeMap<JobId, UnixMillis> = BTreeMap::new();
    for words in said {
        if let Some(job_id) = words.event.job_id {
            let first = begun.entry(job_id).or_insert(words.event.at_ms);
            *first = words.event.at_ms.min(*first);
        }
    }
    let begun: Vec<(JobId, UnixMillis)> = begun.into_iter().collect();
    let mut spoken = Vec::new();
    for number in 0..begun.len() {
        let few = 1 + chance.below(2);
        let picked: Vec<(JobId, UnixMillis)> = (0..few).map(|_| chance.pick(&begun)).collect();
        let Some(first) = picked.iter().map(|(_, at_ms)| *at_ms).min() else { continue };
        let mut jobs: Vec<JobId> = picked.into_iter().map(|(job_id, _)| job_id).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let nonce = Digest::of(&[&number.to_be_bytes()]);
        let bound = commitment(&jobs, &nonce);
        let count = u32::try_from(jobs.len()).unwrap();
        let count = if chance.in_ten(1) { count + 1 } else { count };
        let hour = i64::try_from(HOUR_MS).unwrap();
        let before = [-25 * hour, -2 * hour, -60_000, -60_000, -60_000, -300, -1, 0, 5_000];
        let after = [1_000, 60_000, 60_000, hour / 2, hour, hour + hour / 5, 20 * hour];
        let (bound_ms, shown_ms) =
            (moved(first, chance.pick(&before)), moved(first, chance.pick(&after)));
        let nonce = if chance.in_ten(1) { Digest::ZERO } else { nonce };
        let bodies = [
            (bound_ms, Body::ProbeCommitted(Committed { commitment: bound, jobs: count })),
            (shown_ms, Body::ProbeRevealed(Revealed { commitment: bound, jobs, nonce })),
        ];
        for (at_ms, body) in bodies {
            let by = chance.pick(&[TESTER, TESTER, TESTER, TESTER, GATEWAYS[0]]);
            let id = format!("round-{number}-{}", body.kind());
            let antedated = Millis(chance.pick(&[0, 0, 0, 500_000]));
            let event = people[by].says(id, at_ms.minus(antedated), body);
            let again = chance.in_ten(2).then(|| Said {
                by,
                event: event.clone(),
                sealed_ms: at_ms.plus(Millis(chance.below(90_000))),
            });
            spoken.push(Said { by, event, sealed_ms: at_ms });
            spoken.extend(again);
        }
    }
    spoken
}
