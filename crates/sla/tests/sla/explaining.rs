//! Explanations of scores: what each part cost, what would raise it, and the page that says so.

use events::event::{Network, Origin, Workload};
use events::identity::Address;
use events::unit::Ppm;
use sla::context::Context;
use sla::explain::{explain, text};
use sla::hour::OpenJobs;
use sla::policy::Policy;
use sla::register::Register;
use sla::score::{Question, score_window};
use sla::scorecard::{Grade, PinnedHour, Scorecard, digest_of};
use sla::tally::Tally;
use sla::tally::cell::{Cell, CellKey, Subject, WorkClass};
use sla::tally::outcome::{Counts, Obligation};
use sla::trust::TrustFile;
use sla::window::{Hour, Window};

use crate::policies::lenient;

const HOUR: Hour = Hour(490_000);
const OPERATOR: Address = Address([7; 20]);

fn class() -> WorkClass {
    let model = Some("streamdiffusion-sdxl".parse().unwrap());
    let pipeline = Some("live-video-to-video".parse().unwrap());
    WorkClass { model, pipeline, workload: Workload::LiveVideo }
}

/// Three gateways that each saw so many obligations of each kind, met and not, in six blocks.
fn tally(good: u64, bad: impl Fn(Obligation) -> u64) -> Tally {
    let mut tally = Tally::default();
    for gateway in 1..=3 {
        for block in 0..6 {
            let key = CellKey {
                block: HOUR.0 * 6 + block,
                class: class(),
                collected: false,
                gateway: None,
                hardware: None,
                origin: Origin::Organic,
                region: None,
                reporters: vec![Address([gateway; 20])],
                subject: Subject { operator: Some(OPERATOR), ..Subject::default() },
                warm: None,
            };
            let mut cell = Cell { tenures: good, ..Cell::default() };
            for obligation in [Obligation::Start, Obligation::Latency, Obligation::Quality] {
                let counts = Counts { bad: bad(obligation), good, ..Counts::default() };
                cell.obligations.insert(obligation, counts);
            }
            tally.cells.insert(key, cell);
        }
    }
    tally
}

fn card(policy: &Policy, tally: &Tally) -> Scorecard {
    let trust = TrustFile { members: Vec::new(), network: Network::Livepeer, roster_quorum: 1 };
    let register = Register::default();
    let context = Context::of(policy, OpenJobs::new(), &register);
    let window = Window::hour(HOUR);
    let asked = Question { context: &context, policy, register: &register, trust: &trust, window };
    let pin = PinnedHour { hour: HOUR, revision: 0, tally: digest_of(tally) };
    score_window([(pin, tally)], asked)
}

#[test]
fn what_failed_more_costs_more_and_what_is_advised_helps() {
    let policy = lenient();
    let bad = |obligation| if obligation == Obligation::Latency { 4 } else { 1 };
    let explained = explain(&card(&policy, &tally(20, bad)), &policy, OPERATOR).unwrap();
    assert_eq!(explained.grade, Grade::A);
    let whole = &explained.scopes[0];
    assert!(whole.class.is_none() && whole.score == explained.score);
    let [reliability, latency, quality] = whole.parts.as_slice() else { panic!("{whole:?}") };
    assert!(latency.lost > quality.lost && reliability.lost > quality.lost);
    for part in &whole.parts {
        assert!(part.lost_to_doubt < part.lost && part.lost_to_doubt > Some(Ppm(0)));
        let lift = part.lift.as_ref().unwrap();
        assert!(lift.score.unwrap().0 >= whole.score.unwrap().0 + 10_000, "{part:?}");
    }
    // Three gateways tell of it in equal parts, in further blocks of as many as now.
    let more = latency.lift.as_ref().unwrap().good_more.div_ceil(3);
    let mut better = tally(20, bad);
    let now = better.clone();
    for (key, _) in now.cells.iter().filter(|(key, _)| key.block == HOUR.0 * 6) {
        for block in 0..more.div_ceil(24) {
            let key = CellKey { block: key.block + 6 + block, ..key.clone() };
            let counts = Counts { good: 24.min(more - block * 24), ..Counts::default() };
            better.cell(&key).obligations.insert(Obligation::Latency, counts);
        }
    }
    let after = explain(&card(&policy, &better), &policy, OPERATOR).unwrap();
    assert!(after.score.unwrap().0 >= explained.score.unwrap().0 + 10_000);
}

#[test]
fn without_a_score_it_says_what_is_lacking() {
    let policy = Policy::standard();
    let explained = explain(&card(&policy, &tally(20, |_| 0)), &policy, OPERATOR).unwrap();
    assert_eq!((explained.score, explained.grade), (None, Grade::Insufficient));
    assert_eq!(explained.reason.as_deref(), Some("known for 1 h, 168 h needed"));
    assert_eq!(explained.excluded.young, 3 * 6 * 20 * 3);
    let page = text(&explained, &[]);
    for line in
        ["no score: known for 1 h", "1080 obligations told by gateways that are no source yet"]
    {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert_eq!(explain(&card(&policy, &tally(1, |_| 0)), &policy, Address([9; 20])), None);
}

#[test]
fn a_page_names_parts_sources_and_advice() {
    let policy = lenient();
    let explained = explain(&card(&policy, &tally(20, |_| 1)), &policy, OPERATOR).unwrap();
    let page = text(&explained, &[]);
    let gateway = Address([1; 20]).to_string();
    for word in ["grade A", "reliability", "weight  8/16", "proven", "costs", "more met:", &gateway]
    {
        assert!(page.contains(word), "{word}\n{page}");
    }
    assert!(page.lines().all(|line| line.len() <= 140), "{page}");
}
