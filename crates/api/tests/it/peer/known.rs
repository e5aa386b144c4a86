//! A small world whose every number can be reckoned by hand: two settled hours and the open one after them.

use std::sync::atomic::Ordering;

use events::body::capability::{Gpu, Offer};
use events::body::{Price, Reason};
use events::event::{Origin, Workload};
use events::identity::Label;
use events::unit::{Millis, Ppm, UnixMillis, Wei};
use sla::hour::fact::{Answer, JobFact, State};
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::{Detail, Rollup, RollupKey, Sums};
use sla::scorecard::{Grade, WorkloadScore};
use sla::supply::Word;
use sla::tally::cell::{Measure, WorkClass};
use sla::tally::outcome::Obligation;
use sla::window::Hour;
use warehouse::Warehouse as _;
use warehouse::contract::sample;
use warehouse::record::HourRecord;

use crate::world::World;

pub const HOUR: Hour = sample::HOUR;
/// A model whose name needs escaping everywhere.
pub const MODEL: &str = "stream/diffusion é\"<&,";
pub const LIVE: &str = "live-video-to-video";

pub fn class(workload: Workload, pipeline: &str, model: Option<&str>) -> WorkClass {
    WorkClass {
        model: model.map(|name| name.parse().unwrap()),
        pipeline: Some(pipeline.parse().unwrap()),
        workload,
    }
}

pub fn live() -> WorkClass {
    class(Workload::LiveVideo, LIVE, Some(MODEL))
}

/// What gateway 200 tells of a kind of work.
pub fn told(class: &WorkClass) -> RollupKey {
    RollupKey {
        gateway: Some(sample::address(200)),
        origin: Some(Origin::Organic),
        ..RollupKey::default().of_class(class)
    }
}

/// The same of an operator of the sample's, and its card.
pub fn had(class: &WorkClass, operator: u64, gpu: Option<&str>) -> RollupKey {
    RollupKey {
        gpu: gpu.map(|id| id.parse().unwrap()),
        hardware: gpu.map(|_| "RTX 4090".parse().unwrap()),
        operator: Some(sample::operator(operator)),
        url: Some(sample::url(operator)),
        ..told(class)
    }
}

fn add(rollup: &mut Rollup, hour: Hour, key: RollupKey, columns: &[(Column, u64)]) {
    let mut row = rollup.row(key);
    let sums: &mut Sums = row.at(hour.start().plus(Millis(120_000)));
    for (column, count) in columns {
        match column {
            Column::Sum(measure) => sums.measure(*measure, *count),
            column => sums.add(*column, *count),
        }
    }
}

fn plain(plain: Plain, count: u64) -> (Column, u64) {
    (Column::Plain(plain), count)
}

fn owed(obligation: Obligation, came: Came, count: u64) -> (Column, u64) {
    (Column::Owed(obligation, came), count)
}

fn measured(measure: Measure, value: u64) -> (Column, u64) {
    (Column::Sum(measure), value)
}

/// The hour before: 5 sessions, all delivered, all by the first operator; one ether paid.
pub fn before() -> Rollup {
    let (mut rollup, hour) = (Rollup::new(Detail::Minute), HOUR.previous());
    add(&mut rollup, hour, told(&live()), &[plain(Plain::Jobs, 5), plain(Plain::Delivered, 5)]);
    let served = [
        plain(Plain::Tenures, 5),
        plain(Plain::ServedMs, 1_200_000),
        owed(Obligation::Output, Came::Good, 5),
    ];
    add(&mut rollup, hour, had(&live(), 0, Some("GPU-1")), &served);
    let payer = RollupKey { gateway: Some(sample::address(200)), ..RollupKey::default() };
    add(&mut rollup, hour, payer, &[plain(Plain::PaidMwei, 1_000_000_000_000)]);
    rollup
}

/// The settled hour.
pub fn settled() -> Rollup {
    let mut rollup = Rollup::new(Detail::Minute);
    let mut say = |key, columns: &[(Column, u64)]| {
        add(&mut rollup, HOUR, key, columns);
    };
    let jobs = |jobs, unserved, delivered| {
        [
            plain(Plain::Jobs, jobs),
            plain(Plain::Unserved, unserved),
            plain(Plain::Delivered, delivered),
        ]
    };
    say(told(&live()), &jobs(10, 2, 7));
    say(
        had(&live(), 0, Some("GPU-1")),
        &[
            plain(Plain::Tenures, 6),
            plain(Plain::ServedMs, 600_000),
            owed(Obligation::Output, Came::Good, 5),
            owed(Obligation::Output, Came::Bad, 1),
            owed(Obligation::Output, Came::Excused, 3),
            owed(Obligation::Stay, Came::Good, 3),
            owed(Obligation::Stay, Came::Bad, 1),
            measured(Measure::FpsOutMilli, 15_000),
            measured(Measure::FpsOutMilli, 18_000),
            measured(Measure::EndToEndMs, 2_000),
            measured(Measure::EndToEndMs, 3_000),
        ],
    );
    say(
        had(&live(), 1, None),
        &[
            plain(Plain::Tenures, 3),
            plain(Plain::ServedMs, 300_000),
            owed(Obligation::Output, Came::Good, 2),
            owed(Obligation::Output, Came::Disputed, 1),
        ],
    );
    let payer = RollupKey { gateway: Some(sample::address(200)), ..RollupKey::default() };
    say(payer, &[plain(Plain::PaidMwei, 500_000_000_000)]);
    let image = class(Workload::AiBatch, "text-to-image", Some("sd"));
    say(told(&image), &jobs(4, 1, 2));
    let times = [measured(Measure::EndToEndMs, 1_000), measured(Measure::EndToEndMs, 3_000)];
    say(had(&image, 0, None), &[plain(Plain::Tenures, 5), times[0], times[1]]);
    let llm = class(Workload::Llm, "llm", Some("llama"));
    say(told(&llm), &jobs(2, 0, 2));
    say(
        had(&llm, 0, None),
        &[
            plain(Plain::Tenures, 2),
            plain(Plain::PromptTokens, 30),
            plain(Plain::CompletionTokens, 70),
            measured(Measure::FirstOutputMs, 200),
            measured(Measure::FirstOutputMs, 400),
            measured(Measure::TokensPerSecondMilli, 40_000),
            measured(Measure::TokensPerSecondMilli, 50_000),
        ],
    );
    let own = class(Workload::Byoc, "my cap", None);
    say(told(&own), &jobs(1, 0, 0));
    say(had(&own, 0, None), &[plain(Plain::Tenures, 1)]);
    say(told(&own), &[plain(Plain::LetIn, 3), plain(Plain::TurnedAway, 1)]);
    rollup
}

fn offer(
    pipeline: &str,
    model: Option<&str>,
    warm: Option<bool>,
    price: Option<(u128, u64)>,
) -> Offer {
    Offer {
        capacity: None,
        in_use: None,
        model: model.map(|name| name.parse().unwrap()),
        pipeline: pipeline.parse().unwrap(),
        price: price.map(|(wei, units)| Price { units, wei: Wei(wei) }),
        runner_version: None,
        warm,
    }
}

fn gpu(id: Option<&str>, name: Option<&str>, is_live: bool) -> Gpu {
    Gpu {
        id: id.map(|id| id.parse::<Label>().unwrap()),
        memory_free_bytes: None,
        memory_total_bytes: None,
        model: is_live.then(|| MODEL.parse().unwrap()),
        name: name.map(|name| name.parse().unwrap()),
        pipeline: is_live.then(|| LIVE.parse().unwrap()),
    }
}

/// Two places: the first offers everything, the second live video that it does not say is loaded.
pub fn supply() -> Vec<Word> {
    let first = Word {
        gpus: vec![
            gpu(Some("GPU-1"), Some("RTX 4090"), true),
            gpu(Some("GPU-2"), None, false),
            gpu(None, Some("RTX 4090"), true),
        ],
        offers: vec![
            offer(LIVE, Some(MODEL), Some(true), Some((1_618, 1))),
            offer("text-to-image", Some("sd"), Some(false), Some((0, 1))),
            offer("my cap", None, None, Some((5, 2))),
            offer("llm", Some("llama"), Some(true), Some((u128::MAX, 1))),
        ],
        ..sample::word(HOUR, 0)
    };
    let second = Word {
        gpus: vec![gpu(Some("GPU-1"), Some("RTX 4090"), true)],
        offers: vec![offer(LIVE, Some(MODEL), None, Some((2_000, 1)))],
        ..sample::word(HOUR, 1)
    };
    vec![first, second]
}

/// A request that ended, of the sample's.
pub fn request(number: u64, workload: Workload, state: State) -> JobFact {
    let pipeline = if workload == Workload::Byoc { "my cap" } else { "text-to-image" };
    let fact = sample::fact(HOUR, number);
    let answer = Answer {
        duration_ms: Some(Millis(2_100)),
        http_status: Some(504),
        tries: Some(2),
        ..Answer::default()
    };
    let mut tenures = fact.tenures;
    tenures[0].reason = (state == State::Failed).then_some(Reason::Timeout);
    if state == State::Unserved {
        tenures.clear();
    }
    JobFact {
        answer: Some(answer),
        class: class(workload, pipeline, Some("sd")),
        gateway_name: Some("gate way/é".parse().unwrap()),
        state,
        tenures,
        ..fact
    }
}

/// A record of an hour with these sums and jobs.
pub fn record(hour: Hour, rollup: Rollup, mut jobs: Vec<JobFact>, supply: Vec<Word>) -> HourRecord {
    jobs.sort_by_key(|job| job.job_id);
    let mut record =
        HourRecord { jobs, rollup, supply, ..sample::record(sample::NETWORK, hour, 0, 4) };
    for result in &mut record.scorecard.results {
        match &result.class {
            None if result.operator == Some(sample::operator(0)) => {
                result.workloads = vec![WorkloadScore {
                    components: Vec::new(),
                    evidence: 90,
                    grade: Grade::B,
                    reason: None,
                    score: Some(Ppm(940_500)),
                    upper: None,
                    workload: Workload::LiveVideo,
                }];
            }
            Some(class) if class.workload == Workload::LiveVideo => result.class = Some(live()),
            _ => {}
        }
    }
    record
}

/// The world: it is ten minutes past the settled hour, and one stream runs.
pub fn world() -> World {
    let world = World::empty();
    world
        .warehouse
        .record_hour(&record(HOUR.previous(), before(), Vec::new(), Vec::new()))
        .unwrap();
    let jobs = vec![
        request(1, Workload::AiBatch, State::Completed),
        request(2, Workload::AiBatch, State::Unserved),
        request(3, Workload::AiBatch, State::Running),
        request(4, Workload::Byoc, State::Failed),
    ];
    world.warehouse.record_hour(&record(HOUR, settled(), jobs, supply())).unwrap();
    let now = UnixMillis(world.now_ms.load(Ordering::SeqCst));
    let mut running = sample::fact(HOUR.next(), 61);
    running.state = State::Running;
    running.class = live();
    running.tenures[0].operator = Some(sample::operator(0));
    let mut silent = sample::fact(HOUR.next(), 62);
    silent.state = State::Running;
    silent.class = live();
    running.last_ms = now.minus(Millis(30_000));
    silent.last_ms = now.minus(Millis(300_000));
    let mut jobs = vec![running, silent];
    jobs.sort_by_key(|job| job.job_id);
    world.warehouse.record_provisional(sample::NETWORK, HOUR.next(), &jobs, None, now).unwrap();
    world
}
