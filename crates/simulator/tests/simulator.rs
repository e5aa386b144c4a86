//! The simulator from outside: the same for the same seed, well formed, well signed, and everything happens.
//!
//! Speed is not asserted here; `make bench` measures it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "simulator/sealing.rs"]
mod sealing;
#[path = "simulator/shapes.rs"]
mod shapes;

use std::collections::{BTreeMap, BTreeSet};

use events::batch::{self, Batch};
use events::body::Body;
use events::event::{Network, Role, Workload};
use events::identity::{Digest, JobId};
use events::unit::{HOUR_MS, Millis, UnixMillis};
use events::{job, wire};
use serde_json::Value;
use simulator::cast::Cast;
use simulator::options::{Faults, Options};
use simulator::sealer::Sealers;
use simulator::truth::{Fault, Outcome};
use simulator::world::{Saying, What, World};

/// 2026-01-05T10:00:00Z.
const START: UnixMillis = UnixMillis(1_767_607_200_000);

fn frequent() -> Options {
    Options { faults: Faults::FREQUENT, ..Options::small() }
}

/// What was said until so long after the start.
fn span(world: &mut World, length_ms: u64) -> Vec<Saying> {
    let mut said = Vec::new();
    while world.next_ms().0 < START.0 + length_ms {
        said.extend(world.next());
    }
    said
}

fn bytes(saying: &Saying) -> Vec<u8> {
    match &saying.what {
        What::Envelope(bytes) | What::Transcode(bytes) => bytes.clone(),
        What::Event(event) => event.encode().unwrap(),
    }
}

fn digest(said: impl Iterator<Item = Saying>) -> Digest {
    let line =
        |it: Saying| [format!("{} {} ", it.at_ms, it.speaker).into_bytes(), bytes(&it)].concat();
    let all: Vec<u8> = said.flat_map(line).collect();
    Digest::of(&[&all])
}

#[test]
fn one_seed_is_one_play() {
    let first = digest(World::new(7, frequent(), START).take(20_000));
    assert_eq!(first, digest(World::new(7, frequent(), START).take(20_000)));
    assert_ne!(first, digest(World::new(8, frequent(), START).take(20_000)));
    assert_ne!(first, digest(World::new(7, frequent(), UnixMillis(START.0 + 1)).take(20_000)));

    // Asking what comes next, in whatever portions, changes nothing.
    let mut world = World::new(7, frequent(), START);
    let mut said = Vec::new();
    for portion in (1..).take_while(|portion| portion * (portion + 1) / 2 <= 20_000) {
        world.next_ms();
        said.extend(world.by_ref().take(portion));
    }
    said.extend(world.by_ref().take(20_000 - said.len()));
    assert_eq!(first, digest(said.into_iter()));
}

/// A digest that stands here fails on a machine, or after a change, that plays another play.
#[test]
fn the_play_is_the_same_on_every_machine() {
    let said = World::new(1, Options::small(), START).take(2_000);
    let now = digest(said).to_string();
    assert_eq!(
        now,
        include_str!("simulator/play.digest").trim(),
        "if the play was meant to change, write this digest"
    );
}

#[test]
fn members_stay_who_they_are_in_a_larger_network() {
    let small = Cast::new(7, &Options::small());
    let large = Cast::new(7, &Options { orchestrators: 40, ..Options::small() });
    for (few, many) in small.orchestrators.iter().zip(&large.orchestrators) {
        assert_eq!((&few.named, few.signer), (&many.named, many.signer));
        let (few, many) = (&small.nodes[few.node], &large.nodes[many.node]);
        assert_eq!(
            (&few.id, few.publisher, few.operator),
            (&many.id, many.publisher, many.operator)
        );
    }
    assert_eq!(small.controller().publisher, large.controller().publisher);
    let operators: BTreeSet<_> = large.orchestrators.iter().map(|it| it.recipient).collect();
    assert!(operators.len() < large.orchestrators.len(), "one operator has two machines");
    assert!(large.orchestrators.iter().any(|it| it.signer != it.recipient));
    let keys: BTreeSet<_> = large.nodes.iter().map(|node| node.publisher).collect();
    assert_eq!(keys.len(), large.nodes.len());
}

#[test]
fn every_envelope_has_the_shape_of_its_family() {
    let mut world = World::new(3, frequent(), START);
    let mut families: BTreeMap<String, u64> = BTreeMap::new();
    for saying in span(&mut world, 2 * HOUR_MS) {
        match &saying.what {
            What::Envelope(bytes) => {
                let value: Value = serde_json::from_slice(bytes).unwrap();
                let family =
                    shapes::check_envelope(&value).unwrap_or_else(|why| panic!("{why}: {value}"));
                *families.entry(family).or_default() += 1;
            }
            What::Transcode(bytes) => {
                let value: Value = serde_json::from_slice(bytes).unwrap();
                shapes::check_transcode(&value).unwrap_or_else(|why| panic!("{why}: {value}"));
                *families.entry("transcode".to_owned()).or_default() += 1;
            }
            What::Event(event) => {
                assert_eq!(event.network, Network::Simulation);
                *families.entry(event.kind().to_string()).or_default() += 1;
            }
        }
    }
    let missing: Vec<_> =
        shapes::EXPECTED.iter().filter(|name| !families.contains_key(**name)).collect();
    assert!(missing.is_empty(), "never said: {missing:?}, said: {families:#?}");
}

#[test]
fn ids_are_unique_but_for_doubled_deliveries() {
    let mut world = World::new(4, frequent(), START);
    let mut heard: BTreeMap<(usize, String), Vec<u8>> = BTreeMap::new();
    let mut doubled = 0;
    let mut last = START;
    for saying in span(&mut world, HOUR_MS) {
        assert!(saying.at_ms >= last, "time never goes back");
        last = saying.at_ms;
        let bytes = bytes(&saying);
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let id = value["id"].as_str().unwrap().to_owned();
        if let Some(before) = heard.insert((saying.speaker, id), bytes.clone()) {
            assert_eq!(before, bytes, "a doubled delivery is the same bytes");
            assert_eq!(saying.events, 0);
            doubled += 1;
        }
    }
    assert!(doubled > 0);
    let planned = world.faults()[&Fault::Duplicate];
    assert!(planned >= doubled && planned - doubled < 50, "{planned} planned, {doubled} heard");
}

#[test]
fn clocks_are_off_by_no_more_than_the_options_allow() {
    let options = frequent();
    let mut world = World::new(5, options.clone(), START);
    let most = i64::try_from(options.skew_max_ms).unwrap();
    assert!(world.cast().nodes.iter().all(|node| node.skew_ms.abs() <= most));
    assert!(world.cast().nodes.iter().any(|node| node.skew_ms.abs() > 250));
    for saying in span(&mut world, HOUR_MS / 4) {
        let said = match &saying.what {
            What::Event(event) => event.at_ms.0,
            What::Envelope(bytes) => {
                let value: Value = serde_json::from_slice(bytes).unwrap();
                value["timestamp"].as_str().unwrap().parse().unwrap()
            }
            What::Transcode(_) => continue,
        };
        // A doubled delivery is late besides.
        let most = options.skew_max_ms + if saying.events == 0 { 8_000 } else { 0 };
        assert!(said.abs_diff(saying.at_ms.0) <= most, "{said} said at {}", saying.at_ms);
    }
}

#[test]
fn everything_happens_within_an_hour() {
    let mut world = World::new(6, frequent(), START);
    span(&mut world, HOUR_MS);
    let faults = world.faults().clone();
    let missing: Vec<_> = Fault::ALL.iter().filter(|fault| !faults.contains_key(fault)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    let truth = world.truth();
    let workloads: BTreeSet<_> = truth.iter().map(|truth| truth.workload).collect();
    let wanted = [
        Workload::LiveVideo,
        Workload::AiBatch,
        Workload::Llm,
        Workload::Byoc,
        Workload::Transcoding,
    ];
    assert_eq!(workloads, BTreeSet::from(wanted));
    let outcomes: BTreeSet<_> = truth.iter().map(|truth| truth.outcome).collect();
    let wanted = [Outcome::Served, Outcome::Dead, Outcome::Cut, Outcome::Failed, Outcome::Unserved];
    assert_eq!(outcomes, BTreeSet::from(wanted));
    assert!(world.truth().is_empty(), "what was taken is gone");
}

#[test]
fn nothing_goes_wrong_where_nothing_may() {
    let mut world = World::new(6, Options { faults: Faults::NONE, ..Options::small() }, START);
    span(&mut world, HOUR_MS);
    assert!(world.faults().is_empty(), "{:?}", world.faults());
    assert!(
        world
            .truth()
            .iter()
            .all(|truth| truth.outcome == Outcome::Served || truth.outcome == Outcome::Dead)
    );
}

/// The jobs that gateways name in their envelopes, as anybody can compute them.
fn jobs_of_gateways(said: &[Saying]) -> BTreeSet<JobId> {
    let mut jobs = BTreeSet::new();
    for saying in said {
        let (What::Envelope(bytes) | What::Transcode(bytes)) = &saying.what else { continue };
        let value: Value = serde_json::from_slice(bytes).unwrap();
        let text = |name: &str| value["data"][name].as_str().unwrap_or_default();
        match value["type"].as_str().unwrap() {
            "stream_trace" => jobs.extend([job::live_video(text("stream_id"), text("request_id"))]),
            "ai_batch_request" => {
                jobs.extend([job::request(Workload::AiBatch, text("request_id"))])
            }
            "ai_llm_request" => jobs.extend([job::request(Workload::Llm, text("request_id"))]),
            "job_gateway" => jobs.extend([job::request(Workload::Byoc, text("request_id"))]),
            "transcode" => {
                let (stream, sequence) =
                    (value["streamId"].as_str(), value["segment"]["seqNo"].as_u64());
                for attempt in value["attempts"].as_array().unwrap() {
                    let signer =
                        attempt["orchestrator"]["address"].as_str().unwrap().parse().unwrap();
                    jobs.insert(job::segment(stream.unwrap(), sequence.unwrap(), Some(signer)));
                }
            }
            _ => (),
        }
    }
    jobs
}

#[test]
fn parties_name_a_job_alike() {
    let faults = Faults { lost: events::unit::Ppm(0), ..Faults::FREQUENT };
    let mut world = World::new(9, Options { faults, ..Options::small() }, START);
    let said = span(&mut world, HOUR_MS);
    let known = jobs_of_gateways(&said);
    let mut shared: BTreeMap<Workload, (u64, u64)> = BTreeMap::new();
    for saying in &said {
        let What::Event(event) = &saying.what else { continue };
        if let (Some(job), Some(workload)) = (event.job_id, event.workload) {
            let (together, alone) = shared.entry(workload).or_default();
            *if known.contains(&job) { together } else { alone } += 1;
        }
    }
    for (workload, (together, alone)) in shared {
        assert!(together > 50, "{workload}: {together} joined");
        if workload != Workload::AiBatch {
            // Only what reached over the end of the hour may be unmatched.
            assert!(alone * 50 < together, "{workload}: {alone} alone, {together} joined");
        } else {
            assert!(alone > 0, "some orchestrators are not told the id of an AI batch request");
        }
    }
}

#[test]
fn disputes_are_claims_against_the_truth() {
    let mut world = World::new(10, frequent(), START);
    let said = span(&mut world, HOUR_MS);
    let truth = world.truth();
    let disputed = truth
        .iter()
        .filter(|it| it.faults.contains(&Fault::Dispute) && it.outcome != Outcome::Served);
    let disputed: BTreeSet<JobId> = disputed.map(|it| it.job_id).collect();
    let claims = said.iter().filter(|saying| {
        let What::Event(event) = &saying.what else { return false };
        let is_claim = match &event.body {
            Body::JobCompleted(_) => true,
            Body::SegmentAttempted(attempted) => attempted.success,
            _ => false,
        };
        is_claim && event.job_id.is_some_and(|job| disputed.contains(&job))
    });
    assert!(claims.count() > 5, "of {} disputed", disputed.len());
}

#[test]
fn probes_are_bound_before_and_shown_within_the_hour() {
    let mut world = World::new(11, Options { testers: 6, ..Options::small() }, START);
    let mut bound = BTreeMap::new();
    let mut begun = BTreeMap::new();
    let mut shown = 0;
    for saying in span(&mut world, 2 * HOUR_MS) {
        let What::Event(event) = saying.what else { continue };
        match event.body {
            Body::ProbeCommitted(committed) => {
                bound.extend([(committed.commitment, saying.at_ms)]);
            }
            Body::ProbeRevealed(revealed) => {
                let line = serde_json::json!({ "jobs": revealed.jobs, "nonce": revealed.nonce });
                let computed = Digest::of(&[&events::canonical::write(&line).unwrap()]);
                assert_eq!(computed, revealed.commitment);
                let Some(committed) = bound.get(&revealed.commitment) else { continue };
                assert_eq!(committed.0 / HOUR_MS, saying.at_ms.0 / HOUR_MS);
                for job in &revealed.jobs {
                    if let Some(first) = begun.get(job) {
                        assert!(committed < first);
                    }
                }
                shown += 1;
            }
            _ => {
                if let Some(job) = event.job_id {
                    begun.entry(job).or_insert(saying.at_ms);
                }
            }
        }
    }
    assert!(shown > 50, "{shown}");
}

#[test]
fn the_pace_is_the_one_that_was_asked_for() {
    let count = |options: Options, hours: u64| {
        let mut world = World::new(15, options, START);
        let mut events = 0;
        let mut open = 0;
        while world.next_ms().0 < START.0 + hours * HOUR_MS {
            events += u64::from(world.next().unwrap().events);
            open = open.max(world.jobs_open());
        }
        assert!(open < 2_000, "{open} jobs at once");
        events
    };
    let small = count(Options::small(), 4);
    assert!(small.abs_diff(20 * 4 * 3_600) < 20 * 4 * 3_600 / 20, "{small} in four hours");
    let golden = count(Options::golden(), 24);
    assert!(golden.abs_diff(719_971) < 719_971 / 25, "{golden} in a day");
}

#[test]
fn networks_of_any_size_play_on() {
    let tiny = Options {
        gateways: 0,
        models: 0,
        orchestrators: 0,
        regions: 0,
        testers: 0,
        speaking: events::unit::Ppm(0),
        ..frequent()
    };
    let busy =
        Options { events_per_1000_s: 5_000_000, testers: 20, regions: 99, ..Options::golden() };
    let idle =
        Options { events_per_1000_s: 0, session_mean_ms: u64::MAX, is_daily: true, ..frequent() };
    for options in [tiny, busy, idle] {
        let mut world = World::new(16, options, START);
        assert_eq!(world.by_ref().take(30_000).count(), 30_000);
        assert!(world.jobs_open() < 60_000);
    }
}
