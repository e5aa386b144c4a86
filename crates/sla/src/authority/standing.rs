//! The standing facts: what an hour's admission rests on beyond the hour itself.
//!
//! Their hash stands in the scorecard. Beside them, outside the hash, is named what an export must carry so that
//! whoever settles again refuses what was refused here.

use std::collections::BTreeSet;

use events::batch::Position;
use events::body::record::Revoked;
use events::delegation::Delegation;
use events::identity::{Address, Digest, PublisherKey};
use events::merkle;
use events::unit::UnixMillis;

use super::Authority;

/// One roster, by the hash of its members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct RosterFact {
    /// When it was observed.
    pub as_of_ms: UnixMillis,
    /// By whom.
    pub controller: Address,
    /// The hash of its sorted members.
    pub members: Digest,
}

/// The facts that reach beyond an hour and that its admission rests on. Hashed into the scorecard.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// The Merkle root over the sorted header hashes of its publishers' batches in and around the hour: what their
    /// silences were proven with.
    pub chains: Digest,
    /// Where its publishers' revocations name another last good batch than the one that stands there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub contested: BTreeSet<Position>,
    /// The delegations of its publishers.
    pub delegations: BTreeSet<Delegation>,
    /// The first forked sequence of its publishers' epochs.
    pub forks: BTreeSet<Position>,
    /// The revocations of its publishers' keys, each with its author.
    pub revocations: BTreeSet<(Address, Revoked)>,
    /// The rosters in force when its words were sealed.
    pub rosters: BTreeSet<RosterFact>,
    /// The sealing times between which a batch can bear on the hour at all. Not hashed.
    #[serde(skip)]
    pub reach: (UnixMillis, UnixMillis),
    /// The moments of all rosters that were asked, also for words that were refused. Not hashed.
    #[serde(skip)]
    pub rosters_asked: BTreeSet<UnixMillis>,
}

/// Whose words, sealed when, standing facts are asked for.
#[derive(Debug)]
pub struct Words {
    /// When batches were sealed that were weighed at all.
    pub asked_ms: BTreeSet<UnixMillis>,
    /// The header hashes of the publishers' batches in and around the hour.
    pub chains: BTreeSet<Digest>,
    /// The publishers whose words count.
    pub keys: BTreeSet<PublisherKey>,
    /// The sealing times between which a batch can bear on the hour at all.
    pub reach: (UnixMillis, UnixMillis),
    /// When their words were sealed.
    pub sealed_ms: BTreeSet<UnixMillis>,
}

impl Authority {
    /// What of all that is known here `words` rest on.
    pub fn standing(&self, words: &Words) -> Standing {
        let is_theirs = |key: &PublisherKey| words.keys.contains(key);
        let delegations = self.delegations.iter().filter(|((key, _), _)| is_theirs(key));
        let delegations = delegations.flat_map(|(_, said)| said);
        let revocations = self.revocations.iter().filter(|(key, _)| is_theirs(key));
        let revocations: BTreeSet<(Address, Revoked)> =
            revocations.flat_map(|(_, said)| said.clone()).collect();
        let contested = revocations.iter().filter(|(_, last_good)| self.is_contested(last_good));
        let forks = self.forks.iter().filter(|((key, _), _)| is_theirs(key));
        Standing {
            chains: merkle::root(words.chains.iter().map(|hash| hash.0.as_slice())),
            contested: contested.map(|(_, last_good)| last_good.position()).collect(),
            delegations: delegations.map(|(_, delegation)| delegation.clone()).collect(),
            forks: forks
                .map(|((key, epoch), seq)| Position { key: *key, epoch: *epoch, seq: *seq })
                .collect(),
            revocations,
            reach: words.reach,
            rosters: self.rosters_in_force(&words.sealed_ms),
            rosters_asked: self.rosters_asked(&words.asked_ms),
        }
    }

    /// Of each controller the rosters that hold at `moments`.
    fn rosters_in_force(&self, moments: &BTreeSet<UnixMillis>) -> BTreeSet<RosterFact> {
        let mut facts = BTreeSet::new();
        for (controller, rosters) in &self.rosters {
            let mut complete = rosters.iter().filter(|(_, roster)| roster.is_complete()).peekable();
            while let Some((as_of_ms, roster)) = complete.next() {
                let until = complete.peek().map_or(UnixMillis(u64::MAX), |(next, _)| **next);
                if moments.range(*as_of_ms..until).next().is_some() {
                    let members = crate::scorecard::digest_of(&roster.members);
                    facts.insert(RosterFact {
                        as_of_ms: *as_of_ms,
                        controller: *controller,
                        members,
                    });
                }
            }
        }
        facts
    }

    /// Of each controller the rosters that hold at `moments`, and those after them that are not complete.
    fn rosters_asked(&self, moments: &BTreeSet<UnixMillis>) -> BTreeSet<UnixMillis> {
        let mut all = BTreeSet::new();
        for rosters in self.rosters.values() {
            let mut asked = BTreeSet::new();
            for moment in moments {
                for (as_of_ms, roster) in rosters.range(..=*moment).rev() {
                    let is_known = !asked.insert(*as_of_ms);
                    if is_known || roster.is_complete() {
                        break;
                    }
                }
            }
            all.extend(asked);
        }
        all
    }
}
