//! Whose word counts: delegations, rosters, revocations and networks one by one.

use events::body::record::Revoked;
use events::body::{Body, node::Heartbeat};
use events::event::{Network, Role};
use events::identity::Digest;
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use sla::authority::Authority;
use sla::opened::Opened;
use sla::trust::TrustFile;

use crate::cast::{Chains, LASTS, Person, encode, roster, trust};

const BEGIN: UnixMillis = UnixMillis(1_767_906_000_000);
const DAY: u64 = 24 * 3_600_000;

/// A small world of records.
struct Desk {
    batches: Vec<Opened>,
    chains: Chains,
    controller: Person,
    epoch: u64,
    gateway: Person,
    number: u64,
    trust: TrustFile,
}

fn days(count: u64) -> UnixMillis {
    BEGIN.plus(Millis(count * DAY))
}

fn beat() -> Body {
    let version = "1".parse().unwrap();
    Body::NodeHeartbeat(Heartbeat { dropped: 0, uptime_ms: Millis(0), version })
}

impl Desk {
    /// A controller that may speak; a gateway that nobody knows yet.
    fn new() -> Self {
        let controller = Person::new("controller-1", "controller-1", Role::Controller);
        let gateway = Person::new("gateway-1", "gateway-1", Role::Gateway);
        let trust = trust([&controller, &gateway]);
        let (batches, chains) = (Vec::new(), Chains::default());
        let mut desk = Self { batches, chains, controller, epoch: 0, gateway, number: 0, trust };
        let granted = desk.controller.grant(1, BEGIN.plus(Millis(90 * DAY)));
        desk.say(&desk.controller.clone(), BEGIN, vec![Body::DelegationGranted(granted)]);
        desk
    }

    fn say(&mut self, by: &Person, sealed_ms: UnixMillis, bodies: Vec<Body>) -> Opened {
        let events: Vec<_> = bodies
            .into_iter()
            .map(|body| {
                self.number += 1;
                by.says(self.number, sealed_ms, body)
            })
            .collect();
        let opened = Opened::of(&self.chains.seal(by, self.epoch, sealed_ms, &encode(&events)));
        self.batches.push(opened.clone());
        opened
    }

    fn control(&mut self, sealed_ms: UnixMillis, bodies: Vec<Body>) {
        self.say(&self.controller.clone(), sealed_ms, bodies);
    }

    fn list(&mut self, as_of_ms: UnixMillis, members: &[&Person]) {
        self.control(as_of_ms, roster(as_of_ms, members.iter().copied()));
    }

    fn grant(&mut self, serial: u64, expiry_ms: UnixMillis) {
        let granted = self.gateway.grant(serial, expiry_ms);
        self.control(BEGIN, vec![Body::DelegationGranted(granted)]);
    }

    /// The hash of the gateway's last batch.
    fn tail(&self) -> Digest {
        self.chains.tail(self.gateway.key, 0).unwrap().hash
    }

    /// Takes the gateway's key back from its last batch on, which is said to have this hash.
    fn revoked(&self, hash: Digest) -> Body {
        let key = self.gateway.key;
        let seq = self.chains.tail(key, 0).unwrap().seq;
        Body::DelegationRevoked(Revoked { epoch: 0, hash, key, seq })
    }

    /// The gateway's batches.
    fn of_gateway(&self) -> Vec<Opened> {
        let is_theirs = |batch: &&Opened| batch.header.key == self.gateway.key;
        self.batches.iter().filter(is_theirs).cloned().collect()
    }

    /// What is now said of all the gateway said.
    fn again(&self) -> Vec<Option<Defect>> {
        let authority = Authority::of(&self.trust, &self.batches);
        let verdict = |batch: &Opened| {
            let event = batch.events[0].event.as_ref().unwrap();
            let admitted =
                authority.check_batch(batch).and_then(|()| authority.admit(batch, event));
            admitted.err().map(|refusal| refusal.defect)
        };
        self.of_gateway().iter().map(verdict).collect()
    }

    /// Whether a word of the gateway counts, in a chain of its own, which need not come after the others.
    fn verdict_alone(&mut self, sealed_ms: UnixMillis) -> Option<Defect> {
        self.epoch = 1_000 + self.number;
        let verdict = self.verdict(sealed_ms);
        self.epoch = 0;
        verdict
    }

    /// Whether a word of the gateway, sealed then, counts; in any order of the records.
    fn verdict(&mut self, sealed_ms: UnixMillis) -> Option<Defect> {
        let word = self.say(&self.gateway.clone(), sealed_ms, vec![beat()]);
        let ask = |batches: &[Opened]| {
            let authority = Authority::of(&self.trust, batches);
            if let Err(refusal) = authority.check_batch(&word) {
                return Some(refusal.defect);
            }
            let event = word.events[0].event.as_ref().unwrap();
            authority.admit(&word, event).err().map(|refusal| refusal.defect)
        };
        let forwards = ask(&self.batches);
        let backwards: Vec<Opened> = self.batches.iter().rev().cloned().collect();
        assert_eq!(ask(&backwards), forwards);
        forwards
    }
}

#[test]
fn a_gateway_needs_a_delegation_and_a_roster() {
    let mut desk = Desk::new();
    assert_eq!(desk.verdict_alone(days(1)), Some(Defect::SignerUnknown));
    desk.grant(1, days(30));
    assert_eq!(desk.verdict_alone(days(1)), Some(Defect::RosterAbsent));
    desk.list(days(2), &[&desk.gateway.clone()]);
    assert_eq!(desk.verdict_alone(days(1)), Some(Defect::RosterAbsent), "not listed yet");
    assert_eq!(desk.verdict_alone(days(2)), None);
    assert_eq!(desk.verdict_alone(days(30)), None);
    assert_eq!(desk.verdict_alone(days(31)), Some(Defect::DelegationExpired));
    let other = Person::new("gateway-2", "gateway-2", Role::Gateway);
    desk.list(days(3), &[&other]);
    assert_eq!(desk.verdict_alone(days(2)), None);
    assert_eq!(desk.verdict_alone(days(3)), Some(Defect::RosterAbsent), "not listed any more");
}

#[test]
fn a_renewed_delegation_takes_nothing_from_the_past() {
    let mut desk = Desk::new();
    desk.list(BEGIN, &[&desk.gateway.clone()]);
    desk.grant(1, days(60));
    desk.grant(2, days(130));
    assert_eq!(desk.verdict(days(1)), None, "sealed before the renewal reaches back");
    assert_eq!(desk.verdict(days(50)), None);
    assert_eq!(desk.verdict(days(100)), None);
    assert_eq!(desk.verdict(days(131)), Some(Defect::DelegationExpired));
}

#[test]
fn a_higher_serial_can_shorten() {
    let mut desk = Desk::new();
    desk.list(BEGIN, &[&desk.gateway.clone()]);
    desk.grant(1, days(80));
    desk.grant(2, days(20));
    assert_eq!(desk.verdict(days(20)), None);
    assert_eq!(desk.verdict(days(21)), Some(Defect::DelegationExpired));
}

#[test]
fn a_revocation_needs_the_right_author() {
    let mut desk = Desk::new();
    let own_new = Person::new("gateway-1b", "gateway-1", Role::Gateway);
    let stranger = Person::new("gateway-2", "gateway-2", Role::Gateway);
    desk.list(BEGIN, &[&desk.gateway.clone(), &stranger]);
    desk.grant(1, days(80));
    for person in [&own_new, &stranger] {
        desk.control(BEGIN, vec![Body::DelegationGranted(person.grant(1, days(80)))]);
    }
    assert_eq!(desk.verdict(days(1)), None);
    desk.say(&stranger, days(2), vec![desk.revoked(Digest::ZERO)]);
    assert_eq!(desk.verdict(days(2)), None, "another operator says nothing about this key");
    let tail = desk.tail();
    desk.say(&own_new, days(2), vec![desk.revoked(tail)]);
    assert_eq!(desk.verdict(days(3)), Some(Defect::DelegationRevoked));
    assert_eq!(desk.again(), [None, None, Some(Defect::DelegationRevoked)]);
    let mut desk = Desk::new();
    desk.list(BEGIN, &[&desk.gateway.clone()]);
    desk.grant(1, days(80));
    assert_eq!(desk.verdict(days(1)), None);
    let tail = desk.tail();
    desk.control(days(1), vec![desk.revoked(tail)]);
    assert_eq!(desk.verdict(days(1)), Some(Defect::DelegationRevoked), "a controller may");
}

#[test]
fn a_revocation_says_which_chain_was_good() {
    let mut desk = Desk::new();
    desk.list(BEGIN, &[&desk.gateway.clone()]);
    desk.grant(1, days(80));
    let (gateway, revoked) = (desk.gateway.clone(), Some(Defect::DelegationRevoked));
    desk.verdict(days(1));
    // Somebody who has the key seals another second batch, and the true one is not heard.
    let own = desk.gateway.says("own", days(2), beat());
    let own = Opened::of(&desk.chains.fork(&gateway, 0, days(2), &encode(&[own])));
    desk.verdict(days(2));
    desk.control(days(3), vec![desk.revoked(own.hash)]);
    assert_eq!(desk.again(), [revoked, revoked], "nobody can tell where it went astray");
    let authority = Authority::of(&desk.trust, &desk.batches);
    assert!(!authority.hears(&desk.of_gateway()[0]));
    assert_eq!(desk.verdict_alone(days(4)), revoked, "and nothing after it");
    // Once the true one is known, the two prove where the fork is.
    desk.batches.push(own);
    let twice = Some(Defect::Equivocation);
    assert_eq!(desk.again(), [None, twice, revoked, twice], "in the order they were heard");
    // Of a batch that nobody knows there is nothing to compare.
    let mut desk = Desk::new();
    desk.list(BEGIN, &[&gateway]);
    desk.grant(1, days(80));
    desk.verdict(days(1));
    let mut unknown = desk.revoked(Digest::ZERO);
    if let Body::DelegationRevoked(last_good) = &mut unknown {
        last_good.seq += 1;
    }
    desk.control(days(3), vec![unknown]);
    assert_eq!(desk.again(), [None]);
}

#[test]
fn half_a_roster_says_nothing() {
    let mut desk = Desk::new();
    desk.grant(1, days(30));
    let other = Person::new("gateway-2", "gateway-2", Role::Gateway);
    let mut bodies = roster(days(1), [&desk.gateway.clone(), &other]);
    let last = bodies.pop().unwrap();
    desk.control(days(1), bodies);
    assert_eq!(desk.verdict(days(2)), Some(Defect::RosterAbsent));
    desk.control(days(1), vec![last]);
    assert_eq!(desk.verdict(days(2)), None);
}

#[test]
fn a_roster_needs_a_controller_whose_key_is_good() {
    let mut desk = Desk::new();
    desk.grant(1, days(30));
    let gateway = desk.gateway.clone();
    desk.say(&gateway, BEGIN, roster(BEGIN, [&gateway]));
    assert_eq!(desk.verdict(days(1)), Some(Defect::RosterAbsent), "a gateway lists nobody");
    let key = desk.controller.key;
    let (hash, seq) = desk.chains.tail(key, 0).map(|tail| (tail.hash, tail.seq)).unwrap();
    let last_good = Revoked { epoch: 0, hash, key, seq };
    desk.control(days(1), vec![Body::DelegationRevoked(last_good)]);
    desk.list(days(2), &[&gateway]);
    assert_eq!(desk.verdict(days(2)), Some(Defect::RosterAbsent), "its key was revoked");
}

#[test]
fn a_roster_of_another_network_says_nothing() {
    let mut desk = Desk::new();
    desk.grant(1, days(30));
    let (controller, gateway) = (desk.controller.clone(), desk.gateway.clone());
    // The trust file vouches for the controller's key itself, so no delegation stands in the way.
    desk.trust.members.iter_mut().for_each(|member| member.key = Some(controller.key));
    let events: Vec<_> = roster(days(1), [&gateway])
        .into_iter()
        .map(|body| {
            let mut event = controller.says("elsewhere", days(1), body);
            event.network = Network::Livepeer;
            event
        })
        .collect();
    let payload = encode(&events);
    let payload = events::batch::Payload::of(payload.iter().map(Vec::as_slice));
    let network = Network::Livepeer;
    let batch =
        events::batch::Batch::seal(&controller.secret, network, 9, None, days(1), payload).unwrap();
    desk.batches.push(Opened::of(&batch));
    assert_eq!(desk.verdict(days(2)), Some(Defect::RosterAbsent));
}

#[test]
fn a_quorum_of_controllers_must_list() {
    let mut desk = Desk::new();
    desk.grant(1, days(30));
    let second = Person::new("controller-2", "controller-2", Role::Controller);
    desk.trust = trust([&desk.controller.clone(), &second]);
    desk.trust.roster_quorum = 2;
    desk.control(BEGIN, vec![Body::DelegationGranted(second.grant(1, BEGIN.plus(LASTS)))]);
    let gateway = desk.gateway.clone();
    desk.list(BEGIN, &[&gateway]);
    assert_eq!(desk.verdict_alone(days(1)), Some(Defect::RosterAbsent));
    desk.say(&second, days(2), roster(days(2), [&gateway]));
    assert_eq!(desk.verdict_alone(days(2)), None);
    assert_eq!(desk.verdict_alone(days(1)), Some(Defect::RosterAbsent));
}

#[test]
fn a_fork_silences_its_epoch_from_there_on() {
    let mut desk = Desk::new();
    desk.grant(1, days(30));
    desk.list(BEGIN, &[&desk.gateway.clone()]);
    assert_eq!(desk.verdict(days(1)), None);
    let gateway = desk.gateway.clone();
    let event = gateway.says("other", days(2), beat());
    let fork = Opened::of(&desk.chains.fork(&gateway, 0, days(2), &encode(&[event])));
    assert_eq!(desk.verdict(days(2)), None, "nobody knows of the other one yet");
    desk.batches.push(fork);
    assert_eq!(desk.verdict(days(3)), Some(Defect::EpochRefused));
    let events = encode(&[gateway.says("new", days(3), beat())]);
    let next = Opened::of(&desk.chains.seal(&gateway, 1, days(3), &events));
    desk.batches.push(next.clone());
    let authority = Authority::of(&desk.trust, &desk.batches);
    assert!(authority.check_batch(&next).is_ok(), "a new epoch counts");
    assert!(authority.check_batch(&desk.batches[3]).is_ok(), "what came before it counts");
    assert!(authority.hears(&next));
}
