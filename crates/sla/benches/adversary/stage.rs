//! The stage: addresses with a record that is old enough, words about operators as tallies, and the score of one of
//! them by the default policy.

use std::collections::{BTreeMap, BTreeSet};

use events::event::{Network, Origin, Role, Workload};
use events::identity::Address;
use events::unit::Millis;
use sla::context::Context;
use sla::policy::Policy;
use sla::policy::rule::{Evidence, Rule};
use sla::register::{Known, Register};
use sla::score::{Question, Scoring};
use sla::scorecard::{Basis, Scored};
use sla::tally::Tally;
use sla::tally::cell::{CellKey, Subject, WorkClass};
use sla::tally::link::{Link, Tie};
use sla::tally::outcome::{Counts, Obligation};
use sla::trust::{Member, TrustFile};
use sla::window::{Hour, Span, Window};

/// The last hour of every window.
const LAST: Hour = Hour(495_000);
/// Blocks of ten minutes in a day.
pub const BLOCKS_A_DAY: u64 = 144;

/// What became of a teller's obligations about one operator in one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    pub bad: u64,
    pub disputed: u64,
    pub good: u64,
}

impl Fate {
    pub fn count(self) -> u64 {
        self.bad + self.disputed + self.good
    }
}

/// By block, counted from the window's first.
pub type Words = BTreeMap<u64, Fate>;

/// Who told what of whom. Both components of a request fare alike.
pub type Record = BTreeMap<(Address, Address), Words>;

/// The address of that kind and number.
pub fn address(kind: u8, number: u64) -> Address {
    let mut bytes = [kind; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Address(bytes)
}

/// The operator whose score is looked at.
pub fn honest() -> Address {
    address(0x50, 0)
}

pub fn gateway(number: u64) -> Address {
    address(0x20, number)
}

pub fn tester(number: u64) -> Address {
    address(0x30, number)
}

pub fn liar(number: u64) -> Address {
    address(0x40, number)
}

pub fn sybil(number: u64) -> Address {
    address(0x60, number)
}

/// An address that only pays.
pub fn payer(number: u64) -> Address {
    address(0x10, number)
}

/// The policy, who counts, and what was known before.
pub struct Stage {
    pub policy: Policy,
    pub register: Register,
    pub testers: BTreeSet<Address>,
    pub span: Span,
}

impl Stage {
    /// Everybody who may be met is 40 days old in the record, and every gateway dealt with three other operators.
    pub fn new(span: Span) -> Self {
        let first = Hour(LAST.0 - 40 * 24);
        let mut register = Register::default();
        let others: BTreeSet<Address> = (0..3).map(|number| address(0x70, number)).collect();
        let known = Known { first: Some(first), operators: others.clone() };
        for number in 0..8 {
            for reporter in [gateway(number), liar(number)] {
                register.reporters.insert(reporter, known.clone());
            }
            register.operators.insert(sybil(number), first);
        }
        register.operators.extend(others.iter().map(|operator| (*operator, first)));
        register.operators.insert(honest(), first);
        Self { policy: policy(), register, testers: BTreeSet::new(), span }
    }

    /// `of` says that it pays from `to`.
    pub fn pays(&mut self, of: Address, to: Address) {
        let link = Link { of, teller: of, tie: Tie::Payer, to: to.to_string() };
        self.register.links.insert(link);
    }

    pub fn rule(&self) -> &Evidence {
        match &self.policy.score {
            Rule::Evidence(rule) => rule,
            _ => panic!("the default policy is by evidence"),
        }
    }

    /// The result of `operator` over all its work.
    pub fn result(&self, record: &Record, operator: Address) -> Scored {
        let tester =
            |address: &Address| Member { address: *address, key: None, role: Role::Tester };
        let trust = TrustFile {
            members: self.testers.iter().map(tester).collect(),
            network: Network::ALL[0],
            roster_quorum: 1,
        };
        let window = Window { last: LAST, span: self.span };
        let first_block = (LAST.0 + 1 - self.span.hours()) * 6;
        let context = Context::of(&self.policy, BTreeMap::new(), &self.register);
        let (policy, register) = (&self.policy, &self.register);
        let asked = Question { context: &context, policy, register, trust: &trust, window };
        let mut scoring = Scoring::new(asked);
        scoring.add(LAST, &tally(record, first_block));
        let card = scoring.finish(Basis::Hours(Vec::new()), None);
        let mut results = card.results.into_iter();
        let is_whole = |it: &Scored| it.operator == Some(operator) && it.class.is_none();
        results.find(is_whole).expect("the operator has rows")
    }

    /// Its score in millionths.
    pub fn score(&self, record: &Record) -> Option<i64> {
        self.result(record, honest()).score.map(|score| i64::from(score.0))
    }
}

fn tally(record: &Record, first_block: u64) -> Tally {
    let mut tally = Tally::default();
    let class = WorkClass { model: None, pipeline: None, workload: Workload::AiBatch };
    for ((teller, operator), words) in record {
        let subject = Subject { operator: Some(*operator), ..Subject::default() };
        for (block, fate) in words {
            let key = CellKey {
                block: first_block + block,
                class: class.clone(),
                collected: false,
                gateway: None,
                hardware: None,
                origin: Origin::Organic,
                region: None,
                reporters: vec![*teller],
                subject: subject.clone(),
                warm: None,
            };
            let counts = Counts {
                bad: fate.bad,
                disputed: fate.disputed,
                good: fate.good,
                ..Counts::default()
            };
            let owed = &mut tally.cell(&key).obligations;
            owed.insert(Obligation::Output, counts.clone());
            owed.insert(Obligation::Latency, counts);
        }
    }
    tally
}

/// The default policy, or what it would be with other constants.
fn policy() -> Policy {
    let changed = crate::CHANGED.get().map_or(&[][..], Vec::as_slice);
    if changed.is_empty() {
        return Policy::standard();
    }
    let mut text = Policy::standard().text.replace("id = \"evidence-1\"", "id = \"what-if\"");
    for change in changed {
        let (name, value) = change.split_once('=').expect("a change is name=value");
        let start = format!("{name} = ");
        let line = text.lines().find(|line| line.starts_with(&start)).expect("a constant's name");
        text = text.replace(line, &format!("{start}{value}"));
    }
    Policy::parse(&text).expect("the constant is in range")
}

/// The milliseconds of a block, which the policy names; the bench reckons in blocks of ten minutes.
pub fn check_block(stage: &Stage) {
    assert_eq!(stage.policy.observe.block_ms, Millis(600_000), "a block is ten minutes");
}
