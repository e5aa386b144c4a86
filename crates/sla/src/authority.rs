//! Whose word counts: rosters, delegations, revocations and equivocations, gathered from the batches themselves.
//!
//! A delegation proves itself by its signature, whoever carries it. A roster counts only from a controller that the
//! trust file names, a revocation only from the same address or a controller. Nothing here depends on arrival.

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Body;
use events::body::record::{Granted, Revoked};
use events::delegation::Delegation;
use events::event::{Event, Network, Role};
use events::identity::{Address, Digest, PublisherKey};
use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;

use crate::opened::Opened;
use crate::trust::TrustFile;

/// One observation of the whole active set by one controller.
#[derive(Debug, Clone, Default)]
struct Roster {
    count: usize,
    members: BTreeSet<(Address, Role)>,
}

/// The delegations, rosters, revocations and equivocations known.
#[derive(Debug, Clone)]
pub struct Authority {
    trust: TrustFile,
    /// Of each key and address, the delegation with the highest serial.
    delegations: BTreeMap<(PublisherKey, Address), Delegation>,
    rosters: BTreeMap<Address, BTreeMap<UnixMillis, Roster>>,
    /// Of each key, the last good batch that its own address or a controller named.
    revocations: BTreeMap<PublisherKey, BTreeSet<(Address, Revoked)>>,
    /// Of each key and epoch, the first sequence that was sealed twice.
    forks: BTreeMap<(PublisherKey, u64), u64>,
}

/// A speaker: the address, node and role that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The address.
    pub reporter: Address,
    /// The role.
    pub role: Role,
}

impl Authority {
    /// An authority that knows the trust file alone.
    pub fn new(trust: &TrustFile) -> Self {
        Self {
            trust: trust.clone(),
            delegations: BTreeMap::new(),
            rosters: BTreeMap::new(),
            revocations: BTreeMap::new(),
            forks: BTreeMap::new(),
        }
    }

    /// The authority that a set of batches gives.
    pub fn of<'a>(
        trust: &TrustFile,
        batches: impl IntoIterator<Item = &'a Opened> + Clone,
    ) -> Self {
        let mut authority = Self::new(trust);
        authority.note_forks(batches.clone());
        // Delegations first: they prove themselves, and rosters and revocations lean on them.
        for (_, event) in batches.clone().into_iter().flat_map(Opened::readable) {
            if let Body::DelegationGranted(granted) = &event.body {
                authority.note_delegation(granted);
            }
        }
        for batch in batches {
            authority.note_records(batch);
        }
        authority
    }

    /// The trust file it rests on.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    fn network(&self) -> Network {
        self.trust.network
    }

    fn note_forks<'a>(&mut self, batches: impl IntoIterator<Item = &'a Opened>) {
        let mut hashes: BTreeMap<Position, Digest> = BTreeMap::new();
        for batch in batches {
            let position = batch.position();
            if *hashes.entry(position).or_insert(batch.hash) != batch.hash {
                self.note_fork(position);
            }
        }
    }

    /// Takes a position that was sealed twice; whoever keeps the record can prove it with both batches.
    pub fn note_fork(&mut self, position: Position) {
        let first = self.forks.entry((position.key, position.epoch)).or_insert(position.seq);
        *first = position.seq.min(*first);
    }

    /// Takes a delegation that proves itself; of two for one key and address the higher serial holds.
    pub fn note_delegation(&mut self, granted: &Granted) {
        let delegation = &granted.delegation;
        let place = (delegation.key, delegation.operator);
        let is_known = self
            .delegations
            .get(&place)
            .is_some_and(|known| (known.serial, known) >= (delegation.serial, delegation));
        if delegation.network == self.network()
            && !is_known
            && delegation.verify(&granted.signature).is_ok()
        {
            self.delegations.insert(place, delegation.clone());
        }
    }

    fn note_records(&mut self, batch: &Opened) {
        for (_, event) in batch.readable() {
            match &event.body {
                Body::RosterObserved(member) if self.may_control(batch, event) => {
                    let rosters = self.rosters.entry(event.reporter).or_default();
                    let roster = rosters.entry(member.as_of_ms).or_default();
                    roster.count =
                        usize::try_from(member.count).unwrap_or(usize::MAX).max(roster.count);
                    roster.members.insert((member.member, member.role));
                }
                Body::DelegationRevoked(revoked) if self.speaker(batch, event).is_ok() => {
                    self.revocations
                        .entry(revoked.key)
                        .or_default()
                        .insert((event.reporter, revoked.clone()));
                }
                _ => {}
            }
        }
    }

    fn may_control(&self, batch: &Opened, event: &Event) -> bool {
        self.speaker(batch, event).is_ok_and(|speaker| speaker.role == Role::Controller)
            && self.trust.names(Role::Controller, event.reporter)
    }

    /// Whether the batch as a whole may count: its network, and no fork at or before it.
    pub fn check_batch(&self, batch: &Opened) -> Result<(), Refusal> {
        let header = &batch.header;
        let refuse = |defect, detail: &str| {
            Err(Refusal::new(defect, format_args!("sequence {}: {detail}", header.seq)))
        };
        if header.network != self.network() {
            return refuse(Defect::BatchNetwork, header.network.as_str());
        }
        match self.forks.get(&(header.key, header.epoch)) {
            Some(fork) if *fork == header.seq => refuse(Defect::Equivocation, "sealed twice"),
            Some(fork) if *fork < header.seq => {
                refuse(Defect::EpochRefused, "follows a sequence sealed twice")
            }
            _ => Ok(()),
        }
    }

    /// Whom the batch's key stands for where the event says who it is; roster aside.
    fn speaker(&self, batch: &Opened, event: &Event) -> Result<Speaker, Refusal> {
        let header = &batch.header;
        let refuse = |defect, detail: &str| {
            Err(Refusal::new(defect, format_args!("{}: {detail}", event.reporter)))
        };
        let speaker = Speaker { reporter: event.reporter, role: event.role };
        if self.trust.names_key(event.role, event.reporter, header.key) {
            return Ok(speaker);
        }
        let Some(delegation) = self.delegations.get(&(header.key, event.reporter)) else {
            return refuse(Defect::SignerUnknown, "has delegated nothing to this key");
        };
        if delegation.node != event.node || delegation.role != event.role {
            return refuse(
                Defect::EventReporter,
                "speaks as another node or role than its delegation's",
            );
        }
        if !delegation.covers(header.sealed_ms) {
            return refuse(Defect::DelegationExpired, "sealed outside its delegation's time");
        }
        Ok(speaker)
    }

    /// Whom the event counts from, or why it does not count.
    pub fn admit(&self, batch: &Opened, event: &Event) -> Result<Speaker, Refusal> {
        let refuse = |defect, detail: &str| {
            Err(Refusal::new(defect, format_args!("{}: {detail}", event.reporter)))
        };
        if event.network != batch.header.network {
            return refuse(Defect::EventReporter, "an event of another network than its batch");
        }
        let speaker = self.speaker(batch, event)?;
        if self.is_revoked(&batch.header, event.reporter) {
            return refuse(Defect::DelegationRevoked, "sealed after the last good batch");
        }
        match speaker.role {
            Role::Controller | Role::Collector | Role::Tester => {
                if self.trust.names(speaker.role, speaker.reporter) {
                    Ok(speaker)
                } else {
                    refuse(Defect::RoleNotTrusted, speaker.role.as_str())
                }
            }
            Role::Gateway => self.check_roster(speaker, Role::Gateway, batch.header.sealed_ms),
            Role::Orchestrator | Role::Worker | Role::Transcoder => {
                self.check_roster(speaker, Role::Orchestrator, batch.header.sealed_ms)
            }
        }
    }

    fn is_revoked(&self, header: &events::batch::Header, operator: Address) -> bool {
        let said = self.revocations.get(&header.key).into_iter().flatten();
        said.into_iter().any(|(author, last_good)| {
            let may_revoke = *author == operator || self.trust.names(Role::Controller, *author);
            may_revoke && (header.epoch, header.seq) > (last_good.epoch, last_good.seq)
        })
    }

    fn check_roster(
        &self,
        speaker: Speaker,
        needed: Role,
        sealed_ms: UnixMillis,
    ) -> Result<Speaker, Refusal> {
        let lists = |rosters: &BTreeMap<UnixMillis, Roster>| {
            let latest = rosters
                .range(..=sealed_ms)
                .rev()
                .find(|(_, roster)| roster.members.len() >= roster.count);
            latest.is_some_and(|(_, roster)| roster.members.contains(&(speaker.reporter, needed)))
        };
        let listed = self.rosters.values().filter(|rosters| lists(rosters)).count();
        if listed >= usize::try_from(self.trust.roster_quorum).unwrap_or(usize::MAX) {
            Ok(speaker)
        } else {
            Err(Refusal::new(
                Defect::RosterAbsent,
                format_args!("{} as {needed}", speaker.reporter),
            ))
        }
    }

    /// What of all this the words of `keys`, sealed between `from` and `to`, rest on: the standing facts.
    pub fn standing(
        &self,
        keys: &BTreeSet<PublisherKey>,
        from: UnixMillis,
        to: UnixMillis,
        chains: Digest,
    ) -> Standing {
        let of_keys = |key: &PublisherKey| keys.contains(key);
        let delegations = self
            .delegations
            .iter()
            .filter(|((key, _), _)| of_keys(key))
            .map(|(_, said)| said.clone());
        let revocations = self
            .revocations
            .iter()
            .filter(|(key, _)| of_keys(key))
            .flat_map(|(_, said)| said.clone());
        let forks = self.forks.iter().filter(|((key, _), _)| of_keys(key));
        let rosters = self.rosters.iter().flat_map(|(controller, rosters)| {
            let complete =
                |(_, roster): &(&UnixMillis, &Roster)| roster.members.len() >= roster.count;
            let latest = rosters.range(..=from).rev().find(complete);
            let within =
                rosters.range(from..=to).filter(complete).filter(move |(at, _)| **at > from);
            latest.into_iter().chain(within).map(|(at, roster)| RosterFact {
                as_of_ms: *at,
                controller: *controller,
                members: crate::scorecard::digest_of(&roster.members),
            })
        });
        Standing {
            chains,
            delegations: delegations.collect(),
            forks: forks
                .map(|((key, epoch), seq)| Position { key: *key, epoch: *epoch, seq: *seq })
                .collect(),
            revocations: revocations.collect(),
            rosters: rosters.collect(),
        }
    }
}

/// The keys that a batch shows some address delegated to, whoever carries it.
pub fn delegated_keys(batch: &Opened) -> impl Iterator<Item = PublisherKey> {
    batch.readable().filter_map(|(_, event)| match &event.body {
        Body::DelegationGranted(granted) if granted.delegation.verify(&granted.signature).is_ok() => {
            Some(granted.delegation.key)
        }
        _ => None,
    })
}

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
    /// The delegations of its publishers.
    pub delegations: BTreeSet<Delegation>,
    /// The first forked sequence of its publishers' epochs.
    pub forks: BTreeSet<Position>,
    /// The revocations of its publishers' keys, each with its author.
    pub revocations: BTreeSet<(Address, Revoked)>,
    /// The rosters in force while its batches were sealed.
    pub rosters: BTreeSet<RosterFact>,
}
