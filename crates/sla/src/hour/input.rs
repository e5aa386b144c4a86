//! Which batches an export needs beside those of the hour itself: the records its admission rests on.

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Body;
use events::event::Event;
use events::identity::{Address, Digest, PublisherKey};
use events::unit::UnixMillis;

use crate::authority::standing::Standing;
use crate::opened::Opened;

/// The batches among `records` that decide which words of `used` count and which do not.
///
/// Records lean on records: a roster counts by its controller's delegation, a revocation by its author's, so the keys
/// that carried what is needed are asked for once more, and so are the rosters that held when it was sealed.
pub fn records_for<'a>(
    records: impl IntoIterator<Item = &'a Opened> + Clone,
    used: &BTreeSet<Position>,
    standing: &Standing,
) -> BTreeSet<Position> {
    let mut asked = Asked {
        keys: used.iter().map(|position| position.key).collect(),
        last_good: BTreeSet::new(),
        moments: moments(records.clone()),
        rosters: standing.rosters_asked.clone(),
    };
    let forked = forked(records.clone());
    let mut needed = BTreeSet::new();
    loop {
        let known = needed.len();
        for batch in records.clone() {
            let position = batch.position();
            let proves_fork = standing.forks.contains(&position)
                || asked.keys.contains(&position.key) && forked.contains(&position);
            if !needed.contains(&position) && (proves_fork || asked.needs(batch)) {
                needed.insert(position);
                asked.lean_on(batch, standing);
            }
        }
        if needed.len() == known {
            return needed;
        }
    }
}

/// What is asked of the records.
struct Asked {
    keys: BTreeSet<PublisherKey>,
    /// Where needed revocations say that the last good batch stands.
    last_good: BTreeSet<Position>,
    /// The moments of every controller's rosters.
    moments: BTreeMap<Address, BTreeSet<UnixMillis>>,
    rosters: BTreeSet<UnixMillis>,
}

impl Asked {
    fn needs(&self, batch: &Opened) -> bool {
        self.last_good.contains(&batch.position())
            || batch.readable().any(|(_, event)| self.needs_event(event))
    }

    fn needs_event(&self, event: &Event) -> bool {
        match &event.body {
            Body::DelegationGranted(granted) => self.keys.contains(&granted.delegation.key),
            Body::DelegationRevoked(revoked) => self.keys.contains(&revoked.key),
            Body::RosterObserved(member) => self.rosters.contains(&member.as_of_ms),
            _ => false,
        }
    }

    /// Asks for what decides whether `batch` counts.
    fn lean_on(&mut self, batch: &Opened, standing: &Standing) {
        self.keys.insert(batch.header.key);
        self.last_good.extend(last_good_of(batch));
        let sealed_ms = batch.header.sealed_ms;
        let (from, to) = standing.reach;
        if (from..=to).contains(&sealed_ms) {
            let latest = self.moments.values().filter_map(|at| at.range(..=sealed_ms).next_back());
            self.rosters.extend(latest);
        }
    }
}

/// Where revocations in a batch say that the last good batch stands, whether they count or not.
pub fn last_good_of(batch: &Opened) -> impl Iterator<Item = Position> {
    batch.readable().filter_map(|(_, event)| match &event.body {
        Body::DelegationRevoked(revoked) => Some(revoked.position()),
        _ => None,
    })
}

/// When each controller's rosters were observed, whether they count or not.
fn moments<'a>(
    records: impl IntoIterator<Item = &'a Opened>,
) -> BTreeMap<Address, BTreeSet<UnixMillis>> {
    let mut moments: BTreeMap<Address, BTreeSet<UnixMillis>> = BTreeMap::new();
    for (_, event) in records.into_iter().flat_map(Opened::readable) {
        if let Body::RosterObserved(member) = &event.body {
            moments.entry(event.reporter).or_default().insert(member.as_of_ms);
        }
    }
    moments
}

/// The places at which two batches stand.
fn forked<'a>(records: impl IntoIterator<Item = &'a Opened>) -> BTreeSet<Position> {
    let mut hashes: BTreeMap<Position, Digest> = BTreeMap::new();
    let standing = records.into_iter().map(|batch| (batch.position(), batch.hash));
    standing
        .filter(|(position, hash)| hashes.entry(*position).or_insert(*hash) != hash)
        .map(|(position, _)| position)
        .collect()
}
