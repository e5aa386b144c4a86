//! A month of a network, written as an instance would have: hours with sums, offers, scorecards and some jobs, and the longer
//! windows that end with them. Everything is drawn from numbers, so it is the same wherever it is made.

use std::collections::BTreeMap;
use std::path::Path;

use events::body::capability::{Gpu, Offer};
use events::body::probe::Measured;
use events::body::{Orchestrator, Price};
use events::event::{Network, Origin, Role, Workload};
use events::identity::{Address, Digest, JobId, ServiceUrl};
use events::unit::{Micros, MilliFps, Millis, Ppm, UnixMillis, Wei};
use sla::context::{Context, Standing};
use sla::hour::fact::{JobFact, State, TenureFact};
use sla::hour::{EventSet, OpenJobs};
use sla::register::Register;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::{Detail, Rollup, RollupKey};
use sla::scorecard::Basis;
use sla::supply::Word;
use sla::tally::Tally;
use sla::tally::cell::{Measure, WorkClass};
use sla::tally::outcome::Obligation;
use sla::tested::Tested;
use sla::window::{Hour, Span, Window};
use warehouse::Warehouse;
use warehouse::record::{HourRecord, Sums, WindowRecord};
use warehouse::sqlite::{Options, Sqlite};

use crate::cards::scorecard;
use crate::drive::scatter;

pub const NETWORK: Network = Network::Livepeer;

/// How large the network is.
pub struct Shape {
    pub days: u64,
    pub gateways: u64,
    pub jobs: u64,
    pub models: u64,
    /// Models that each orchestrator runs.
    pub models_each: u64,
    pub orchestrators: u64,
    /// Gateways that each orchestrator has work from in an hour.
    pub gateways_each: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            days: 30,
            gateways: 10,
            jobs: 200,
            models: 20,
            models_each: 4,
            orchestrators: 100,
            gateways_each: 5,
        }
    }
}

impl Shape {
    /// Rows of sums in an hour: work, and what was asked for.
    pub fn rows(&self) -> u64 {
        self.orchestrators * self.models_each * self.gateways_each + self.gateways * self.models
    }

    pub fn classes(&self, orchestrator: u64) -> impl Iterator<Item = u64> {
        let models = self.models;
        (0..self.models_each).map(move |at| (orchestrator * 7 + at * 3) % models)
    }
}

fn address(group: u8, number: u64) -> Address {
    let mut bytes = [group; 20];
    bytes[..8].copy_from_slice(&scatter(u64::from(group), number).to_be_bytes());
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Address(bytes)
}

/// An orchestrator's address.
pub fn operator(number: u64) -> Address {
    address(1, number)
}

/// A model's name.
pub fn model(number: u64) -> String {
    format!("model-{number}")
}

pub fn gateway(number: u64) -> Address {
    address(2, number)
}

pub fn url(number: u64) -> ServiceUrl {
    ServiceUrl::normalise(&format!("https://orchestrator-{number}.example:8935")).unwrap()
}

pub fn class(number: u64) -> WorkClass {
    let (workload, pipeline) = match number % 4 {
        0 | 1 => (Workload::LiveVideo, "live-video-to-video"),
        2 => (Workload::AiBatch, "text-to-image"),
        _ => (Workload::Llm, "llm"),
    };
    let (model, pipeline) = (model(number).parse().ok(), pipeline.parse().ok());
    WorkClass { model, pipeline, workload }
}

fn region(number: u64) -> Option<events::identity::Region> {
    ["LAX", "FRA", "SIN"].get(usize::try_from(number % 3).unwrap())?.parse().ok()
}

fn hardware(number: u64) -> Option<events::identity::Label> {
    ["NVIDIA GeForce RTX 4090", "NVIDIA L40S", "NVIDIA H100"]
        .get(usize::try_from(number % 3).unwrap())?
        .parse()
        .ok()
}

fn rollup(shape: &Shape, hour: Hour, detail: Detail) -> Rollup {
    let mut rollup = Rollup::new(detail);
    for orchestrator in 0..shape.orchestrators {
        for number in shape.classes(orchestrator) {
            for at in 0..shape.gateways_each {
                let teller = (orchestrator + at * 3) % shape.gateways;
                let drawn = scatter(hour.0, orchestrator * 1_000 + number * 10 + at);
                let key = RollupKey {
                    gateway: Some(gateway(teller)),
                    hardware: hardware(orchestrator),
                    operator: Some(operator(orchestrator)),
                    origin: Some(Origin::Organic),
                    region: region(teller),
                    url: Some(url(orchestrator)),
                    ..RollupKey::default().of_class(&class(number))
                };
                work(&mut rollup, key, hour, drawn);
            }
        }
    }
    for teller in 0..shape.gateways {
        for number in 0..shape.models {
            let drawn = scatter(hour.0, teller * 100 + number);
            let key = RollupKey {
                gateway: Some(gateway(teller)),
                origin: Some(Origin::Organic),
                region: region(teller),
                ..RollupKey::default().of_class(&class(number))
            };
            let mut row = rollup.row(key);
            let sums = row.at(hour.start().plus(Millis(drawn % 3_600_000)));
            sums.add(Column::Plain(Plain::Jobs), 5 + drawn % 40);
            sums.add(Column::Plain(Plain::Unserved), drawn % 3);
        }
    }
    rollup
}

fn work(rollup: &mut Rollup, key: RollupKey, hour: Hour, drawn: u64) {
    let mut row = rollup.row(key);
    for tenure in 0..1 + drawn % 3 {
        let begin = hour.start().plus(Millis(scatter(drawn, tenure) % 3_000_000));
        let end = begin.plus(Millis(60_000 + scatter(drawn, tenure + 9) % 500_000)).min(hour.end());
        row.at(begin).add(Column::Plain(Plain::Tenures), 1);
        row.at(begin).add(Column::Owed(Obligation::Output, Came::Good), 1);
        row.at(begin).measure(Measure::FirstOutputMs, 400 + scatter(drawn, tenure + 20) % 4_000);
        row.at(begin).measure(Measure::EndToEndMs, 900 + scatter(drawn, tenure + 30) % 9_000);
        row.spread(Column::Plain(Plain::ServedMs), begin, end);
        for status in 0..10 {
            let at = begin.plus(Millis(status * 10_000));
            let fps = 20_000 + scatter(drawn, tenure * 31 + status) % 10_000;
            row.at(at).measure(Measure::FpsOutMilli, fps);
            row.at(at).measure(Measure::FpsInMilli, fps + 500);
        }
    }
    let failed = u64::from(drawn.is_multiple_of(50));
    row.at(hour.start()).add(Column::Owed(Obligation::Output, Came::Bad), failed);
    row.at(hour.start()).add(Column::Plain(Plain::PaidMwei), 1_000_000 + drawn % 1_000_000);
}

fn supply(shape: &Shape, hour: Hour) -> Vec<Word> {
    let price = |number: u64| Some(Price { units: 1, wei: Wei(1_000 + u128::from(number % 900)) });
    let offers = |orchestrator: u64| {
        let offers = shape.classes(orchestrator).map(|number| Offer {
            capacity: Some(4),
            in_use: Some(1),
            model: class(number).model,
            pipeline: class(number).pipeline.unwrap(),
            price: price(orchestrator),
            runner_version: "0.14.1".parse().ok(),
            warm: Some(true),
        });
        offers.collect()
    };
    let gpu = |orchestrator: u64, at: u64| Gpu {
        id: format!("GPU-{orchestrator}-{at}").parse().ok(),
        memory_free_bytes: Some(8 << 30),
        memory_total_bytes: Some(24 << 30),
        model: None,
        name: hardware(orchestrator),
        pipeline: None,
    };
    let one = |orchestrator: u64| Word {
        at_ms: hour.start().plus(Millis(orchestrator)),
        gpus: (0..2).map(|at| gpu(orchestrator, at)).collect(),
        offers: offers(orchestrator),
        omitted: None,
        operator: operator(orchestrator),
        price: price(orchestrator),
        region: region(orchestrator),
        reporter: gateway(orchestrator % shape.gateways),
        role: Role::Gateway,
        signer: Some(address(3, orchestrator)),
        url: url(orchestrator),
        version: "0.9.1".parse().ok(),
    };
    (0..shape.orchestrators).map(one).collect()
}

fn jobs(shape: &Shape, hour: Hour, count: u64) -> Vec<JobFact> {
    let mut facts: Vec<JobFact> = (0..count).map(|number| job(shape, hour, number)).collect();
    facts.sort_by_key(|fact| fact.job_id);
    facts
}

fn job(shape: &Shape, hour: Hour, number: u64) -> JobFact {
    let drawn = scatter(hour.0, number);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&drawn.to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    let orchestrator = drawn % shape.orchestrators;
    let first_ms = hour.start().plus(Millis(drawn % 3_000_000));
    let tenure = TenureFact {
        end_ms: Some(first_ms.plus(Millis(300_000))),
        ended: Some("completed".to_owned()),
        first_output_ms: Some(first_ms.plus(Millis(900))),
        fps_in: Some(MilliFps(25_000)),
        fps_out: Some(MilliFps(24_500)),
        gpu: None,
        hardware: hardware(orchestrator),
        operator: Some(operator(orchestrator)),
        orchestrator: Orchestrator { url: Some(url(orchestrator)), ..Orchestrator::default() },
        output_ms: Some(first_ms.plus(Millis(1_900))),
        owed: Vec::new(),
        reason: None,
        samples: 30,
        self_told: false,
        start_ms: first_ms,
    };
    JobFact {
        answer: None,
        batches: Vec::new(),
        claims: 34,
        class: class(drawn % shape.models),
        first_ms,
        gateway: Some(gateway(drawn % shape.gateways)),
        gateway_name: None,
        job_id: JobId(id),
        last_ms: first_ms.plus(Millis(300_000)),
        origin: Origin::Organic,
        region: region(drawn),
        reporters: vec![gateway(drawn % shape.gateways), operator(orchestrator)],
        requested_ms: Some(first_ms),
        state: State::Completed,
        tenures: vec![tenure],
    }
}

fn record(shape: &Shape, hour: Hour, detail: Detail) -> HourRecord {
    let context = context();
    let event_set = EventSet {
        count: 50_000,
        root: Digest::of(&[&hour.0.to_be_bytes()]),
        rule: "set-1".to_owned(),
    };
    let basis = Basis::Events(event_set.clone());
    HourRecord {
        event_set,
        hour,
        jobs: jobs(shape, hour, shape.jobs),
        network: NETWORK,
        open: OpenJobs::new(),
        refused: BTreeMap::new(),
        refused_notes: Vec::new(),
        restands: None,
        revision: 0,
        rollup: rollup(shape, hour, detail),
        scorecard: scorecard(shape, Window::hour(hour), basis, context.digest()),
        settled_ms: hour.end().plus(Millis(900_000)),
        supply: supply(shape, hour),
        tally: Tally::default(),
        tests: tests(shape, hour),
        used: Vec::new(),
        context,
    }
}

/// A test of each orchestrator in each hour, as testers of the leaderboard post them.
fn tests(shape: &Shape, hour: Hour) -> Vec<Tested> {
    let test = |orchestrator: u64| {
        let drawn = scatter(hour.0, orchestrator + 77);
        let at_ms = hour.start().plus(Millis(orchestrator * 30_000));
        let measured = Measured {
            round_trip_us: Some(Micros(500_000 + drawn % 2_000_000)),
            segment_us: Some(Micros(2_000_000)),
            success_ppm: Some(Ppm(900_000 + u32::try_from(drawn % 100_000).unwrap())),
            ..Measured::default()
        };
        Tested {
            at_ms,
            id: format!("test/{orchestrator}-{at_ms}").parse().unwrap(),
            measured,
            model: None,
            operator: operator(orchestrator),
            pipeline: None,
            region: region(drawn),
            reporter: gateway(0),
            workload: Workload::Transcoding,
        }
    };
    (0..shape.orchestrators).map(test).collect()
}

fn context() -> Context {
    let register = Register::default();
    Context::Standing(Standing { open: OpenJobs::new(), register: register.digest() })
}

/// Writes the month before `now_ms`, and gives the home it is in.
pub fn write(folder: &Path, shape: &Shape, now_ms: u64) -> Sqlite {
    std::fs::create_dir_all(folder.join("ledger")).unwrap();
    drop(ledger::Ledger::open(&folder.join("ledger"), ledger::Options::default()).unwrap());
    let home = Sqlite::open(&folder.join("warehouse.sqlite"), Options::default()).unwrap();
    let open = Hour::of(UnixMillis(now_ms));
    let first = open.0 - shape.days * 24;
    home.begin_fill().unwrap();
    for number in first..open.0 {
        let hour = Hour(number);
        let detail = if number + 48 >= open.0 { Detail::Minute } else { Detail::Hour };
        home.record_hour(&record(shape, hour, detail)).unwrap();
        // An instance makes these once an hour, and for the past once a day.
        if number % 24 == 23 || number + 48 >= open.0 {
            for span in [Span::Day, Span::Week] {
                let (window, context) = (Window { last: hour, span }, context());
                let basis = Basis::Hours(Vec::new());
                let scorecard = scorecard(shape, window, basis, context.digest());
                let made_ms = hour.end().plus(Millis(960_000));
                let made = WindowRecord { context, made_ms, network: NETWORK, scorecard };
                home.record_window(&made).unwrap();
            }
        }
        if number % 72 == 0 {
            eprintln!("  {} of {} hours", number - first, open.0 - first);
        }
    }
    home.end_fill().unwrap();
    while home.record_day(NETWORK).unwrap() {}
    write_open_hour(&home, shape, now_ms, 0);
    home
}

/// Writes the open hour as it is known so far, with the jobs of a turn.
pub fn write_open_hour(home: &Sqlite, shape: &Shape, now_ms: u64, turn: u64) {
    let hour = Hour::of(UnixMillis(now_ms));
    let fresh = jobs(shape, hour, 20 + turn);
    let at = UnixMillis(now_ms + turn * 1_000);
    home.record_provisional(NETWORK, hour, &fresh, None, at).unwrap();
    // What an hour comes to is counted every five seconds.
    if turn.is_multiple_of(5) {
        let record = record(shape, hour, Detail::Minute);
        let sums = Sums {
            rollup: &record.rollup,
            scorecard: &record.scorecard,
            supply: &record.supply,
            tests: &record.tests,
        };
        home.record_provisional(NETWORK, hour, &[], Some(sums), at).unwrap();
    }
}

/// How many mebibytes the database takes.
pub fn mib(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("warehouse.sqlite")).map_or(0, |file| file.len() >> 20)
}
