//! Records to try a home with: alike each time they are made, different for each number they are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use events::batch::Position;
use events::body::Orchestrator;
use events::event::{Network, Origin, Role, Workload};
use events::identity::{Address, Digest, JobId, PublisherKey, ServiceUrl};
use events::refusal::Defect;
use events::unit::{MilliFps, Millis, Ppm, UnixMillis};
use sla::admit::Note;
use sla::context::{Context, Standing};
use sla::hour::fact::{JobFact, State, TenureFact};
use sla::hour::{EventSet, OpenJobs};
use sla::join::obligation::Owed;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::{Detail, Rollup, RollupKey};
use sla::scorecard::{
    Basis, Excluded, FORMAT, Grade, Indicator, PinnedHour, PolicyName, Scorecard, Scored, digest_of,
};
use sla::supply::Word;
use sla::tally::cell::{Cell, CellKey, Measure, Subject, WorkClass};
use sla::tally::link::{Link, Tie};
use sla::tally::outcome::{Counts, Excuse, Obligation, Outcome};
use sla::tally::pair::{Pair, PairKey};
use sla::tally::{Demand, DemandKey, Tally};
use sla::window::{Hour, Span, Window};

use crate::record::{BatchRow, Head, HourRecord, PublisherRow, Sums, WindowRecord};

/// The network that the suite records in where one is enough.
pub const NETWORK: Network = Network::Simulation;

/// `2026-01-08T21Z`.
pub const HOUR: Hour = Hour(491_085);

/// How many operators have the jobs of [`facts`].
pub const OPERATORS: u64 = 4;

fn byte(number: u64) -> u8 {
    u8::try_from(number % 251).unwrap()
}

/// An address.
pub fn address(number: u64) -> Address {
    Address([byte(number); 20])
}

/// A publisher's key.
pub fn key(number: u64) -> PublisherKey {
    PublisherKey(Digest::of(&[b"publisher", &number.to_be_bytes()]).0)
}

/// A job id.
pub fn job_id(number: u64) -> JobId {
    let Digest(full) = Digest::of(&[b"job", &number.to_be_bytes()]);
    JobId(*full.first_chunk().unwrap())
}

/// An operator of the jobs.
pub fn operator(number: u64) -> Address {
    address(100 + number % OPERATORS)
}

/// A gateway that tells of the jobs.
pub fn reporter(number: u64) -> Address {
    address(200 + number % 3)
}

/// The kind of work of a job.
pub fn class(number: u64) -> WorkClass {
    let (workload, pipeline, model) = match number % 3 {
        0 => (Workload::LiveVideo, Some("live-video-to-video"), Some("streamdiffusion")),
        1 => (Workload::AiBatch, Some("text-to-image"), Some("sd-turbo")),
        _ => (Workload::Transcoding, None, None),
    };
    WorkClass {
        model: model.map(|name| name.parse().unwrap()),
        pipeline: pipeline.map(|name| name.parse().unwrap()),
        workload,
    }
}

/// Where an operator answers.
pub fn url(number: u64) -> ServiceUrl {
    ServiceUrl::normalise(&format!("https://orchestrator-{}.example:8935", number % OPERATORS))
        .unwrap()
}

/// A batch: `number` is its ordinal and its sequence, and each is sealed a second after the one before.
pub fn batch(network: Network, number: u64) -> BatchRow {
    let sealed_ms = HOUR.start().plus(Millis(number * 1000));
    BatchRow {
        count: 256,
        has_mappings: number % 5 == 1,
        has_records: number % 7 == 1,
        hash: Digest::of(&[network.as_str().as_bytes(), &number.to_be_bytes()]),
        network,
        ordinal: number,
        position: Position { key: key(number % 2), epoch: 3, seq: number },
        received_ms: sealed_ms.plus(Millis(40)),
        sealed_ms,
    }
}

/// A job of an hour. Every state, class, operator and reporter has some.
pub fn fact(hour: Hour, number: u64) -> JobFact {
    let first_ms = hour.start().plus(Millis(number % 600 * 5_000));
    let after = |span: u64| first_ms.plus(Millis(span));
    let state = State::ALL[usize::try_from(number).unwrap() % State::ALL.len()];
    let owed = |obligation, outcome| Owed { due_ms: after(30_000), obligation, outcome };
    let tenure = TenureFact {
        end_ms: (state == State::Completed).then(|| after(2_000)),
        ended: (state == State::Completed).then(|| "completed".to_owned()),
        first_output_ms: Some(after(number % 900)),
        fps_in: Some(MilliFps(30_000)),
        fps_out: Some(MilliFps(17_298)),
        gpu: None,
        hardware: None,
        operator: Some(operator(number)),
        orchestrator: Orchestrator {
            recipient: None,
            signer: Some(address(50 + number % OPERATORS)),
            url: Some(url(number)),
        },
        output_ms: Some(after(1_000)),
        owed: vec![
            owed(Obligation::Start, Outcome::Good),
            owed(Obligation::Output, Outcome::Bad),
            owed(Obligation::Ending, Outcome::Excused(Excuse::UserLeft)),
        ],
        reason: None,
        samples: number % 11,
        self_told: false,
        start_ms: first_ms,
    };
    JobFact {
        answer: None,
        batches: vec![Position { key: key(number % 2), epoch: 3, seq: number }],
        claims: 4,
        class: class(number),
        first_ms,
        gateway: Some(reporter(number)),
        gateway_name: None,
        job_id: job_id(number),
        last_ms: after(2_500),
        origin: Origin::Organic,
        region: None,
        reporters: vec![reporter(number), operator(number)],
        requested_ms: Some(first_ms),
        state,
        tenures: vec![tenure],
    }
}

/// Jobs of an hour, by id.
pub fn facts(hour: Hour, numbers: Range<u64>) -> Vec<JobFact> {
    let mut facts: Vec<JobFact> = numbers.map(|number| fact(hour, number)).collect();
    facts.sort_by_key(|fact| fact.job_id);
    facts
}

/// The counts of an hour; not those of its jobs, which no home compares.
pub fn tally(number: u64) -> Tally {
    let key = CellKey {
        block: HOUR.0 * 6,
        class: class(number),
        collected: false,
        gateway: None,
        hardware: Some("RTX 4090".parse().unwrap()),
        origin: Origin::Organic,
        region: Some("eu-west".parse().unwrap()),
        reporters: vec![reporter(0), reporter(1)],
        subject: Subject {
            operator: Some(operator(number)),
            url: Some(url(number)),
            ..Subject::default()
        },
        warm: Some(true),
    };
    let counts = Counts { good: number, bad: 1, ..Counts::default() };
    let mut cell = Cell { tenures: number, ..Cell::default() };
    cell.obligations.insert(Obligation::Start, counts);
    cell.measure(Measure::FirstOutputMs, number, &BTreeSet::from([Measure::FirstOutputMs]));
    cell.contradict(reporter(0), operator(number), 2);
    let demand_key = DemandKey {
        class: class(number),
        gateway: Some("gateway.example".parse().unwrap()),
        origin: Origin::Probe,
        region: None,
        reporter: reporter(0),
    };
    let link =
        Link { of: reporter(0), teller: reporter(0), tie: Tie::Payer, to: reporter(1).to_string() };
    let pair = PairKey { other: operator(number), teller: reporter(0) };
    Tally {
        cells: BTreeMap::from([(key, cell)]),
        demand: BTreeMap::from([(demand_key, Demand { jobs: number, served_ms: 1, unserved: 0 })]),
        links: BTreeMap::from([(link, 2)]),
        pairs: BTreeMap::from([(pair, Pair { both: 2, ..Pair::default() })]),
    }
}

/// A result.
pub fn scored(number: u64, class: Option<WorkClass>) -> Scored {
    let is_known = number.is_multiple_of(2);
    Scored {
        class,
        components: Vec::new(),
        excluded: Excluded { young: number, ..Excluded::default() },
        grade: if is_known { Grade::B } else { Grade::Insufficient },
        indicators: vec![Indicator {
            counts: Counts { good: 9, bad: 1, ..Counts::default() },
            obligation: Obligation::Start,
            share: Some(Ppm(900_000)),
        }],
        operator: Some(operator(number)),
        reason: (!is_known).then(|| "9 obligations known, 1 more to a score".to_owned()),
        score: is_known.then_some(Ppm(900_000)),
        signer: None,
        sources: vec![reporter(0)],
        tenures: number,
        upper: is_known.then_some(Ppm(950_000)),
        urls: vec![url(number)],
        workloads: Vec::new(),
    }
}

/// The events an hour rests on.
pub fn event_set(number: u64) -> EventSet {
    let root = Digest::of(&[b"set", &number.to_be_bytes()]);
    EventSet { count: number, root, rule: "set-1".to_owned() }
}

/// A scorecard: a result over all work and one for each class, for each operator.
pub fn scorecard(network: Network, hour: Hour, number: u64) -> Scorecard {
    let classes = [None, Some(class(0)), Some(class(1)), Some(class(2))];
    let results = (0..OPERATORS)
        .flat_map(|operator| classes.iter().map(move |class| scored(operator, class.clone())));
    Scorecard {
        basis: Basis::Events(event_set(number)),
        agreements: Vec::new(),
        clusters: Vec::new(),
        context: context(hour, number).digest(),
        format: FORMAT.to_owned(),
        network,
        policy: PolicyName { hash: Digest::of(&[b"policy"]), id: "sample-1".to_owned() },
        results: results.collect(),
        standing: Some(Digest::of(&[b"standing"])),
        trust: Digest::of(&[b"trust"]),
        window: Window::hour(hour),
    }
}

/// The context of an hour: with a register in every other one.
fn context(hour: Hour, number: u64) -> Context {
    let open = open(hour.start(), number);
    if number.is_multiple_of(2) {
        return Context::Open(open);
    }
    Context::Standing(Standing { open, register: Digest::of(&[b"register"]) })
}

fn open(since_ms: UnixMillis, number: u64) -> OpenJobs {
    (0..number % 5).map(|job| (job_id(1_000_000 + job), since_ms)).collect()
}

/// A note of a refusal of the first publisher.
pub fn note(number: u64) -> Note {
    Note {
        defect: Defect::EventDuplicate,
        detail: format!("number {number}"),
        event: Some(format!("event-{number}").parse().unwrap()),
        index: Some(7),
        position: Position { key: key(0), epoch: 3, seq: number },
        sealed_ms: HOUR.start().plus(Millis(number)),
    }
}

/// A revision of an hour with `jobs` jobs; everything in it depends on how many.
pub fn record(network: Network, hour: Hour, revision: u32, jobs: u64) -> HourRecord {
    HourRecord {
        context: context(hour, jobs),
        event_set: event_set(jobs),
        hour,
        jobs: facts(hour, 0..jobs),
        network,
        open: open(hour.end(), jobs + 1),
        refused: BTreeMap::from([
            ((key(0), Defect::EventDuplicate), jobs),
            ((key(1), Defect::SignerUnknown), 1),
        ]),
        refused_notes: vec![note(jobs), note(jobs + 1)],
        restands: None,
        revision,
        rollup: rollup(hour, jobs, Detail::Minute),
        scorecard: scorecard(network, hour, jobs),
        settled_ms: hour.end().plus(Millis(900_000 + u64::from(revision))),
        supply: (0..jobs.min(3)).map(|number| word(hour, number)).collect(),
        tally: tally(jobs),
        tests: (0..jobs.min(3)).map(|number| super::tested::one(hour, number)).collect(),
        used: (0..256).map(|number| number * 3).collect(),
    }
}

/// The counts of an hour for people to look at.
pub fn rollup(hour: Hour, jobs: u64, detail: Detail) -> Rollup {
    let mut rollup = Rollup::new(detail);
    for number in 0..jobs {
        let first_ms = fact(hour, number).first_ms;
        let key = RollupKey {
            gateway: Some(reporter(number)),
            origin: Some(Origin::Organic),
            ..RollupKey::default().of_class(&class(number))
        };
        rollup.row(key.clone()).at(first_ms).add(Column::Plain(Plain::Jobs), 1);
        let key = RollupKey { operator: Some(operator(number)), url: Some(url(number)), ..key };
        let mut row = rollup.row(key);
        row.at(first_ms).add(Column::Owed(Obligation::Start, Came::Good), number % 2);
        row.at(first_ms).measure(Measure::FirstOutputMs, number * 37);
        row.spread(Column::Plain(Plain::ServedMs), first_ms, hour.end());
    }
    rollup
}

/// What an hour comes to so far.
pub fn sums<'a>(record: &'a HourRecord, scorecard: &'a Scorecard) -> Sums<'a> {
    Sums { rollup: &record.rollup, scorecard, supply: &record.supply, tests: &record.tests }
}

/// What a gateway told of an orchestrator in an hour.
pub fn word(hour: Hour, number: u64) -> Word {
    Word {
        at_ms: hour.start().plus(Millis(number)),
        gpus: Vec::new(),
        offers: Vec::new(),
        omitted: Some(u32::try_from(hour.0 % 1_000).unwrap()),
        operator: operator(number),
        price: None,
        region: None,
        reporter: reporter(number),
        role: Role::Gateway,
        signer: None,
        url: url(number),
        version: None,
    }
}

/// A window of several hours with the results of [`scorecard`]; everything in it depends on the number.
pub fn window_record(network: Network, last: Hour, span: Span, number: u64) -> WindowRecord {
    let context = Context::Standing(Standing {
        open: OpenJobs::new(),
        register: Digest::of(&[&number.to_be_bytes()]),
    });
    let pinned = |hour| PinnedHour { hour, revision: 1, tally: digest_of(&tally(number)) };
    let window = Window { last, span };
    WindowRecord {
        made_ms: last.end().plus(Millis(960_000)),
        network,
        scorecard: Scorecard {
            basis: Basis::Hours(window.hours().map(pinned).collect()),
            context: context.digest(),
            standing: None,
            window,
            ..scorecard(network, last, number)
        },
        context,
    }
}

/// An epoch of a publisher.
pub fn publisher(network: Network, number: u64, epoch: u64) -> PublisherRow {
    let sealed_ms = HOUR.start().plus(Millis(number));
    PublisherRow {
        address: Some(operator(number)),
        batches: 9,
        collected: false,
        epoch,
        events: 9 * 256,
        gaps: vec![(2, 4), (6, 6)],
        head: Some(Head { hash: Digest::of(&[&number.to_be_bytes()]), seq: 12 }),
        key: key(number),
        last_received_ms: sealed_ms.plus(Millis(9)),
        network,
        node: Some("3f6c1c0e-1111-4222-8333-444455556666".parse().unwrap()),
        role: Some(Role::Orchestrator),
        sealed_ms: Some(sealed_ms),
    }
}
