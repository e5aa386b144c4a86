//! Whose word counts: rosters, delegations, revocations and equivocations, gathered from the batches themselves.
//!
//! A delegation proves itself by its signature, whoever carries it. A roster counts only from a controller that the
//! trust file names, a revocation only from the same address or a controller. Nothing here depends on arrival.

pub mod standing;

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::Body;
use events::body::record::{Granted, Revoked};
use events::delegation::{Delegation, MAX_LIFETIME};
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

impl Roster {
    /// Whether all its members were heard; until then it says nothing.
    fn is_complete(&self) -> bool {
        self.members.len() >= self.count
    }
}

/// The delegations, rosters, revocations and equivocations known.
#[derive(Debug, Clone)]
pub struct Authority {
    trust: TrustFile,
    /// Of each key and address, the delegations by serial.
    delegations: BTreeMap<(PublisherKey, Address), BTreeSet<(u64, Delegation)>>,
    rosters: BTreeMap<Address, BTreeMap<UnixMillis, Roster>>,
    /// Of each key, the last good batch that its own address or a controller named.
    revocations: BTreeMap<PublisherKey, BTreeSet<(Address, Revoked)>>,
    /// Of each key and epoch, the first sequence that was sealed twice.
    forks: BTreeMap<(PublisherKey, u64), u64>,
    /// Of each place that a revocation names as the last good one, the hashes of the batches that stand there.
    last_good: BTreeMap<Position, BTreeSet<Digest>>,
    /// Whether a delegation proves itself, by the hash of the event that carries it: checking is dear.
    proven: BTreeMap<Digest, bool>,
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
            last_good: BTreeMap::new(),
            proven: BTreeMap::new(),
        }
    }

    /// The authority that a set of batches gives.
    pub fn of<'a>(
        trust: &TrustFile,
        batches: impl IntoIterator<Item = &'a Opened> + Clone,
    ) -> Self {
        Self::new(trust).again(batches)
    }

    /// The authority that another set of batches gives; what was proven of a delegation is not checked again.
    pub fn again<'a>(&self, batches: impl IntoIterator<Item = &'a Opened> + Clone) -> Self {
        let mut authority = Self { proven: self.proven.clone(), ..Self::new(&self.trust) };
        authority.note_forks(batches.clone());
        // Each step leans on those before: delegations prove themselves, revocations need a speaker, and a roster is
        // nobody's whose key was revoked.
        batches.clone().into_iter().for_each(|batch| authority.note_delegations(batch));
        batches.clone().into_iter().for_each(|batch| authority.note_revocations(batch));
        authority.note_last_good(batches.clone());
        batches.into_iter().for_each(|batch| authority.note_rosters(batch));
        authority
    }

    /// The keys that somebody of a complete roster, or of the trust file, delegated to.
    pub fn vouched_keys(&self) -> impl Iterator<Item = PublisherKey> {
        let complete = |roster: &&Roster| roster.members.len() >= roster.count;
        let rosters = self.rosters.values().flat_map(BTreeMap::values).filter(complete);
        let listed = rosters.flat_map(|roster| roster.members.iter().map(|(member, _)| *member));
        let named = self.trust.members.iter().map(|member| member.address);
        let vouched: BTreeSet<Address> = listed.chain(named).collect();
        let keys = self.delegations.keys().filter(move |(_, operator)| vouched.contains(operator));
        keys.map(|(key, _)| *key)
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

    fn note_delegations(&mut self, batch: &Opened) {
        for (opened, event) in batch.readable() {
            if let Body::DelegationGranted(granted) = &event.body {
                self.note_delegation(opened.hash, granted);
            }
        }
    }

    /// Takes a delegation that proves itself.
    fn note_delegation(&mut self, hash: Digest, granted: &Granted) {
        let delegation = &granted.delegation;
        if delegation.network != self.network() {
            return;
        }
        let place = (delegation.key, delegation.operator);
        let said = (delegation.serial, delegation.clone());
        let is_known = self.delegations.get(&place).is_some_and(|known| known.contains(&said));
        let prove = || delegation.verify(&granted.signature).is_ok();
        if !is_known && *self.proven.entry(hash).or_insert_with(prove) {
            self.delegations.entry(place).or_default().insert(said);
        }
    }

    fn note_revocations(&mut self, batch: &Opened) {
        for event in self.stated(batch) {
            if let Body::DelegationRevoked(revoked) = &event.body
                && self.speaker(batch, event).is_ok()
            {
                let said = (event.reporter, revoked.clone());
                self.revocations.entry(revoked.key).or_default().insert(said);
            }
        }
    }

    fn note_last_good<'a>(&mut self, batches: impl IntoIterator<Item = &'a Opened>) {
        let named = self.revocations.values().flatten().map(|(_, last_good)| last_good.position());
        self.last_good = named.map(|position| (position, BTreeSet::new())).collect();
        let network = self.network();
        for batch in batches.into_iter().filter(|batch| batch.header.network == network) {
            if let Some(hashes) = self.last_good.get_mut(&batch.position()) {
                hashes.insert(batch.hash);
            }
        }
    }

    /// Whether another batch stands where a revocation names the last good one, and that one is not known.
    fn is_contested(&self, last_good: &Revoked) -> bool {
        let hashes = self.last_good.get(&last_good.position());
        hashes.is_some_and(|hashes| !hashes.is_empty() && !hashes.contains(&last_good.hash))
    }

    fn note_rosters(&mut self, batch: &Opened) {
        for event in self.stated(batch) {
            if let Body::RosterObserved(member) = &event.body
                && self.may_control(batch, event)
            {
                let rosters = self.rosters.entry(event.reporter).or_default();
                let roster = rosters.entry(member.as_of_ms).or_default();
                let count = usize::try_from(member.count).unwrap_or(usize::MAX);
                roster.count = count.max(roster.count);
                roster.members.insert((member.member, member.role));
            }
        }
    }

    /// The events of a batch that counts, as far as they belong to its network.
    fn stated<'a>(&self, batch: &'a Opened) -> impl Iterator<Item = &'a Event> + use<'a> {
        let counts = self.check_batch(batch).is_ok();
        let readable = batch.readable().map(|(_, event)| event);
        readable.filter(move |event| counts && event.network == batch.header.network)
    }

    fn may_control(&self, batch: &Opened, event: &Event) -> bool {
        event.role == Role::Controller
            && self.trust.names(Role::Controller, event.reporter)
            && self.speaker(batch, event).is_ok()
            && !self.is_revoked(&batch.header, event.reporter)
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

    /// Whether what the batch's key sealed then is heard: some of its events, and none is refused for who says it.
    pub fn hears(&self, batch: &Opened) -> bool {
        let mut check = self.checker(batch);
        let mut heard = batch.readable().map(|(_, event)| check(event).is_ok()).peekable();
        heard.peek().is_some() && heard.all(|is_heard| is_heard)
    }

    /// Says of one event of `batch` after the other whether it counts; a speaker that goes on is asked about once.
    pub fn checker<'a>(&'a self, batch: &'a Opened) -> impl FnMut(&'a Event) -> Result<(), Defect> {
        let speaker = |event: &'a Event| (event.reporter, event.role, event.network, &event.node);
        let mut last = None;
        move |event| match last {
            Some((known, verdict)) if known == speaker(event) => verdict,
            _ => {
                let verdict = self.admit(batch, event).map(|_| ()).map_err(|why| why.defect);
                last = Some((speaker(event), verdict));
                verdict
            }
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
        let Some(delegations) = self.delegations.get(&(header.key, event.reporter)) else {
            return refuse(Defect::SignerUnknown, "has delegated nothing to this key");
        };
        // The highest serial that had begun holds, so a renewal takes nothing from what was sealed before it.
        let has_begun = |(_, delegation): &&(u64, Delegation)| {
            delegation.expiry_ms.minus(MAX_LIFETIME) <= header.sealed_ms
        };
        let Some((_, delegation)) = delegations.iter().rev().find(has_begun) else {
            return refuse(Defect::DelegationExpired, "sealed before its delegation's time");
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
            return refuse(
                Defect::DelegationRevoked,
                "not up to the last good batch, in its chain",
            );
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
            let is_after = (header.epoch, header.seq) > (last_good.epoch, last_good.seq);
            // Where its last good batch is another one, nobody can tell where in the epoch the chain went another way.
            let is_astray = header.epoch == last_good.epoch && self.is_contested(last_good);
            may_revoke && (is_after || is_astray)
        })
    }

    fn check_roster(
        &self,
        speaker: Speaker,
        needed: Role,
        sealed_ms: UnixMillis,
    ) -> Result<Speaker, Refusal> {
        let member = (speaker.reporter, needed);
        let lists = |rosters: &BTreeMap<UnixMillis, Roster>| {
            let latest = rosters.range(..=sealed_ms).rev().find(|(_, roster)| roster.is_complete());
            latest.is_some_and(|(_, roster)| roster.members.contains(&member))
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
}

/// The keys that a batch shows some address delegated to, whoever carries it.
pub fn delegated_keys(batch: &Opened) -> impl Iterator<Item = PublisherKey> {
    batch.readable().filter_map(|(_, event)| match &event.body {
        Body::DelegationGranted(granted)
            if granted.delegation.verify(&granted.signature).is_ok() =>
        {
            Some(granted.delegation.key)
        }
        _ => None,
    })
}
