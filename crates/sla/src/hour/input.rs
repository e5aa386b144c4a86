//! Which batches an export needs beside those of the hour itself: the records its admission rests on.

use std::collections::BTreeSet;

use events::batch::Position;
use events::body::Body;
use events::identity::PublisherKey;
use events::unit::UnixMillis;

use crate::authority::Standing;
use crate::opened::Opened;

/// The batches among `records` that `standing` was made from, for the words of `used`.
///
/// Records lean on records: a roster counts by its controller's delegation, a revocation by its author's, so the keys
/// that carried what is needed are asked for once more.
pub fn records_for<'a>(
    records: impl IntoIterator<Item = &'a Opened> + Clone,
    used: &BTreeSet<Position>,
    standing: &Standing,
) -> BTreeSet<Position> {
    let rosters: BTreeSet<UnixMillis> =
        standing.rosters.iter().map(|roster| roster.as_of_ms).collect();
    let mut keys: BTreeSet<PublisherKey> = used.iter().map(|position| position.key).collect();
    let mut needed = BTreeSet::new();
    loop {
        let known = needed.len();
        for batch in records.clone() {
            if standing.forks.contains(&batch.position()) || leans_on(batch, &keys, &rosters) {
                needed.insert(batch.position());
                keys.insert(batch.header.key);
            }
        }
        if needed.len() == known {
            return needed;
        }
    }
}

fn leans_on(batch: &Opened, keys: &BTreeSet<PublisherKey>, rosters: &BTreeSet<UnixMillis>) -> bool {
    batch.readable().any(|(_, event)| match &event.body {
        Body::DelegationGranted(granted) => keys.contains(&granted.delegation.key),
        Body::DelegationRevoked(revoked) => keys.contains(&revoked.key),
        Body::RosterObserved(member) => rosters.contains(&member.as_of_ms),
        _ => false,
    })
}
