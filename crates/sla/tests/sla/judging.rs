//! Whose word counts, and what an outage excuses, by the default policy over tallies made by hand.

use std::collections::BTreeSet;

use events::event::{Network, Origin, Workload};
use events::identity::Address;
use sla::context::Context;
use sla::hour::OpenJobs;
use sla::policy::Policy;
use sla::policy::rule::Rule;
use sla::register::{Known, Register};
use sla::score::cluster::Clusters;
use sla::score::{Question, Scoring};
use sla::scorecard::{Basis, Scored};
use sla::tally::Tally;
use sla::tally::cell::{CellKey, Subject, WorkClass};
use sla::tally::link::{Link, Tie};
use sla::tally::outcome::{Counts, Obligation};
use sla::trust::TrustFile;
use sla::window::{Hour, Span, Window};

const LAST: Hour = Hour(490_000);
const BLOCK: u64 = 490_000 * 6;

fn gateway(number: u8) -> Address {
    Address([number; 20])
}

fn operator(number: u8) -> Address {
    Address([100 + number; 20])
}

/// What is known, and what was told.
struct Stage {
    register: Register,
    tally: Tally,
}

impl Stage {
    /// Three gateways and nine operators, all 40 days old, of whom each gateway dealt with three.
    fn new() -> Self {
        let first = Hour(LAST.0 - 40 * 24);
        let mut register = Register::default();
        for number in 1..=3 {
            let operators = (6..=8).map(operator).collect();
            register.reporters.insert(gateway(number), Known { first: Some(first), operators });
        }
        register.operators.extend((0..9).map(|number| (operator(number), first)));
        Self { register, tally: Tally::default() }
    }

    /// A gateway told this of an operator's requests in a block and region; of nobody's, the operator is unknown.
    fn tell(&mut self, by: u8, of: Option<u8>, region: &str, block: u64, (good, bad): (u64, u64)) {
        let signer = of.is_none().then_some(Address([200; 20]));
        let key = CellKey {
            block: BLOCK + block,
            class: WorkClass { model: None, pipeline: None, workload: Workload::AiBatch },
            collected: false,
            gateway: None,
            hardware: None,
            origin: Origin::Organic,
            region: region.parse().ok(),
            reporters: vec![gateway(by)],
            subject: Subject { operator: of.map(operator), signer, ..Subject::default() },
            warm: None,
        };
        let counts = Counts { bad, good, ..Counts::default() };
        let owed = &mut self.tally.cell(&key).obligations;
        owed.insert(Obligation::Output, counts.clone());
        owed.insert(Obligation::Latency, counts);
    }

    fn ties(&mut self, of: Address, tie: Tie, to: &str) {
        let to = to.to_owned();
        self.register.links.insert(Link { of, teller: of, tie, to });
    }

    /// Some operators answer at one host, as two gateways saw.
    fn share_a_host(&mut self, numbers: &[u8]) {
        for number in numbers {
            let hosts = self.register.hosts.entry(operator(*number)).or_default();
            hosts.insert("one.example".to_owned(), BTreeSet::from([gateway(1), gateway(2)]));
        }
    }

    fn result(&self, of: u8) -> Scored {
        let (policy, trust) = (Policy::standard(), trust());
        let window = Window { last: LAST, span: Span::Week };
        let context = Context::of(&policy, OpenJobs::new(), &self.register);
        let register = &self.register;
        let asked =
            Question { context: &context, policy: &policy, register, trust: &trust, window };
        let mut scoring = Scoring::new(asked);
        scoring.add(LAST, &self.tally);
        let card = scoring.finish(Basis::Hours(Vec::new()), None);
        let mut results = card.results.into_iter();
        let is_whole = |it: &Scored| it.operator == Some(operator(of)) && it.class.is_none();
        results.find(is_whole).expect("somebody told of it")
    }

    /// Four operators or so fail in one block, of which the first did well in many others.
    fn outage(failing: &[(u8, &str)]) -> Self {
        let mut stage = Self::new();
        (1..=100).for_each(|block| stage.tell(1, Some(0), "fra", block, (10, 0)));
        for (number, region) in failing {
            stage.tell(1, Some(*number), region, 0, (0, 5));
        }
        stage
    }
}

fn trust() -> TrustFile {
    TrustFile { members: Vec::new(), network: Network::ALL[0], roster_quorum: 1 }
}

const FOUR: [(u8, &str); 4] = [(0, "fra"), (1, "fra"), (2, "fra"), (3, "fra")];

#[test]
fn four_who_fail_at_once_are_an_outage() {
    // Five of each of two components, of a thousand and five, are less than a hundredth.
    assert_eq!(Stage::outage(&FOUR).result(0).excluded.outage, 10);
    assert_eq!(Stage::outage(&FOUR[..3]).result(0).excluded.outage, 0);
}

#[test]
fn an_outage_is_of_one_region_and_one_sources_word() {
    let apart = [(0, "fra"), (1, "fra"), (2, "lax"), (3, "lax")];
    assert_eq!(Stage::outage(&apart).result(0).excluded.outage, 0);
    let mut stage = Stage::outage(&FOUR[..3]);
    stage.tell(2, Some(3), "fra", 0, (0, 5));
    assert_eq!(stage.result(0).excluded.outage, 0);
}

#[test]
fn operators_of_one_party_are_one_in_an_outage() {
    let mut stage = Stage::outage(&FOUR);
    stage.share_a_host(&[2, 3]);
    assert_eq!(stage.result(0).excluded.outage, 0);
    // One who only says that it pays from several makes one party of none.
    let mut stage = Stage::outage(&FOUR);
    for number in [2, 3] {
        stage.ties(gateway(3), Tie::Payer, &operator(number).to_string());
    }
    assert_eq!(stage.result(0).excluded.outage, 10);
}

#[test]
fn who_is_unknown_linked_or_young_brings_nobody_down() {
    let mut stage = Stage::outage(&FOUR[..3]);
    stage.tell(1, None, "fra", 0, (0, 50));
    assert_eq!(stage.result(0).excluded.outage, 0);
    let mut stage = Stage::outage(&FOUR);
    stage.ties(gateway(1), Tie::Payer, &operator(3).to_string());
    assert_eq!(stage.result(0).excluded.outage, 0);
    let mut stage = Stage::outage(&FOUR);
    stage.register.reporters.remove(&gateway(1));
    let result = stage.result(0);
    assert_eq!((result.excluded.outage, result.excluded.young), (0, 2 * 1_005));
}

#[test]
fn an_outage_excuses_those_who_failed_as_much() {
    let mut stage = Stage::outage(&FOUR);
    stage.tell(1, Some(4), "fra", 0, (3, 2));
    stage.tell(1, Some(5), "fra", 0, (1, 1));
    (1..=100).for_each(|block| stage.tell(1, Some(4), "fra", block, (10, 0)));
    (1..=100).for_each(|block| stage.tell(1, Some(5), "fra", block, (10, 0)));
    assert_eq!(stage.result(4).excluded.outage, 0);
    assert_eq!(stage.result(5).excluded.outage, 2);
}

#[test]
fn standing_is_nobodys_but_ones_own() {
    let told = |stage: &mut Stage| {
        for by in 1..=2 {
            (0..100).for_each(|block| stage.tell(by, Some(0), "fra", block, (2, 0)));
        }
    };
    let sources = |stage: &Stage| stage.result(0).sources;
    let mut stage = Stage::new();
    told(&mut stage);
    assert_eq!(sources(&stage), [gateway(1), gateway(2)]);
    // The second is young, and pays from where the first one does.
    stage.register.reporters.get_mut(&gateway(2)).unwrap().first = Some(LAST);
    for by in [1, 2] {
        stage.ties(gateway(by), Tie::Payer, &Address([50; 20]).to_string());
    }
    assert_eq!(sources(&stage), [gateway(1)]);
    assert_eq!(stage.result(0).excluded.young, 400);
}

#[test]
fn what_an_operator_says_of_itself_leaves_out_nobody() {
    let mut stage = Stage::new();
    (0..100).for_each(|block| stage.tell(1, Some(0), "fra", block, (1, 1)));
    stage.ties(operator(0), Tie::Payer, &gateway(1).to_string());
    assert_eq!(stage.result(0).excluded.linked, 0);
    stage.ties(gateway(1), Tie::Payer, &operator(0).to_string());
    assert_eq!(stage.result(0).excluded.linked, 400);
}

#[test]
fn its_own_party_is_no_counterparty() {
    let mut stage = Stage::new();
    (0..100).for_each(|block| stage.tell(1, Some(0), "fra", block, (2, 0)));
    let known = stage.register.reporters.get_mut(&gateway(1)).unwrap();
    known.operators = BTreeSet::from([operator(6), gateway(1)]);
    // With the one it tells of now it dealt with two others, and itself.
    assert_eq!(stage.result(0).excluded.young, 400);
    let known = stage.register.reporters.get_mut(&gateway(1)).unwrap();
    known.operators.insert(operator(7));
    assert_eq!(stage.result(0).excluded.young, 0);
}

/// Who shares a vote with whom, by the register of a stage.
fn clusters(stage: &Stage) -> Vec<Vec<Address>> {
    let policy = Policy::standard();
    let Rule::Evidence(rule) = &policy.score else { panic!("the default policy is by evidence") };
    let shown = Clusters::of(&stage.register, &trust(), rule).into_shown();
    shown.into_iter().map(|cluster| cluster.members).collect()
}

#[test]
fn payers_tie_those_who_name_them() {
    let (silent, other) = (Address([50; 20]).to_string(), Address([51; 20]).to_string());
    let mut stage = Stage::new();
    assert!(clusters(&stage).is_empty());
    // One who speaks must name the other in turn.
    stage.ties(gateway(1), Tie::Payer, &gateway(2).to_string());
    assert!(clusters(&stage).is_empty());
    stage.ties(gateway(2), Tie::Payer, &gateway(1).to_string());
    assert_eq!(clusters(&stage), [[gateway(1), gateway(2)]]);
    // One who does not ties all who name it, each to no other such one.
    let mut stage = Stage::new();
    stage.ties(gateway(1), Tie::Payer, &silent);
    stage.ties(gateway(2), Tie::Payer, &other);
    stage.ties(gateway(3), Tie::Payer, &silent);
    stage.ties(gateway(3), Tie::Payer, &other);
    assert_eq!(clusters(&stage), [[gateway(1), gateway(3)]]);
}

#[test]
fn what_others_say_of_hosts_ties_nobody_who_tells_of_work() {
    let mut stage = Stage::new();
    stage.share_a_host(&[1, 2]);
    assert_eq!(clusters(&stage), [[operator(1), operator(2)]]);
    for address in [gateway(1), gateway(3)] {
        let hosts = stage.register.hosts.entry(address).or_default();
        hosts.insert("one.example".to_owned(), BTreeSet::from([gateway(2), operator(9)]));
    }
    assert_eq!(clusters(&stage), [[operator(1), operator(2)]]);
}
