//! Every hour of every case, and hours and longer windows of worlds from fixed seeds, as exported folders: what
//! `scripts/test` gives to the second implementation in `sdk/python`.

#[path = "exports/noise.rs"]
mod noise;

#[path = "exports/folder.rs"]
mod folder;

#[path = "exports/occurring.rs"]
mod occurring;

use std::path::Path;

use sla::context::Context;
use sla::hour::{OpenJobs, Settled};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::policy::rule::Rule;
use sla::register::Register;
use sla::score::{Question as Asked, score_hour, score_window};
use sla::scorecard::{PinnedHour, digest_of};
use sla::window::{Hour, Span, Window};

use crate::cases;
use crate::policies::{any, changed, lenient, pooled};
use crate::settling::Question;
use crate::world::{self, Knobs, World};
use folder::{Folder, write};
use occurring::Occurring;

/// How many worlds are made, half of them noise; each has five hours.
const WORLDS: u64 = 60;

/// How many worlds are made in which enough happens for scores.
const RICH_WORLDS: u64 = 20;

/// How many jobs these have.
const RICH_JOBS: u64 = 240;

/// A world that happened, or one to which noise is added.
fn world(seed: u64) -> World {
    let faults = [0, 60, 400][usize::try_from(seed % 3).unwrap()];
    let is_noisy = (WORLDS / 2..WORLDS).contains(&seed);
    let jobs = match () {
        () if seed >= WORLDS => RICH_JOBS,
        () if is_noisy => 1,
        () => 2 + seed % 9,
    };
    let mut world = World::new(Knobs { seed, jobs, faults, is_crowded: seed % 2 == 1 });
    if is_noisy || seed % 4 == 3 {
        let mut chance = world.chance.clone();
        let noise = noise::noise(&mut chance, &world);
        world.batches.extend(noise.iter().map(Opened::of));
        world.sent.extend(noise);
    }
    world
}

/// The default policy where something is asked of sources that some hours of a world have and some do not.
fn strict() -> Policy {
    let hour_ms = 3_600_000;
    let constants = [
        ("source_observations_min", 2),
        ("source_age_min_ms", 2 * hour_ms),
        ("counterparties_min", 2),
        ("host_tellers_min", 1),
        ("record_min_ms", 2 * hour_ms),
        ("factor_ppm", 900_000),
        ("correlation_ppm", 300_000),
        ("excused_share_max_ppm", 200_000),
        ("exact_failures_max", 2),
        ("operators_min", 2),
        ("obligations_min", 2),
    ];
    changed("evidence-1", constants)
}

/// A lenient policy with other objectives for some work.
fn with_objectives() -> Policy {
    let objectives = r#"
[[observe.objective]]
workload = "live-video"
latency_objective_ms = 1000

[[observe.objective]]
workload = "live-video"
model = "model-1"
end_to_end_objective_ms = 3000
fps_target_milli = 20000

[[observe.objective]]
workload = "live-video"
hardware = "card-1"
fps_share_ppm = 400000
latency_objective_ms = 20000

[[observe.objective]]
workload = "llm"
throughput_min_milli = 20000
"#;
    Policy::parse(&[lenient().text.as_str(), objectives].concat()).unwrap()
}

/// A policy that finds little evidence, and scores live video alone.
fn sparing() -> Policy {
    let constants = [
        ("source_observations_min", 1),
        ("source_age_min_ms", 0),
        ("counterparties_min", 1),
        ("record_min_ms", 1),
        ("cap_times", 3),
        ("factor_ppm", 60_000),
        ("exact_failures_max", 0),
    ];
    let text = changed("evidence-1", constants).text;
    let parts: Vec<&str> = text.split("[[score.component]]").take(4).collect();
    Policy::parse(&parts.join("[[score.component]]")).unwrap()
}

/// Half of the worlds are settled under policies that ask for sources, and all in which enough happens.
fn policy(seed: u64) -> Policy {
    let is_plain = seed < WORLDS && seed % 4 < 2;
    match (seed / 4) % 4 {
        _ if is_plain => changed("reliability-1", []),
        0 => strict(),
        1 => with_objectives(),
        2 => any(seed),
        _ if seed < WORLDS => any(0),
        _ => sparing(),
    }
}

#[test]
#[ignore = "writes the folders that scripts/test has checked by sdk/python, where NAAP_EXPORTS says"]
fn cases_and_worlds_are_written_as_exports() {
    let root = std::env::var("NAAP_EXPORTS").expect("NAAP_EXPORTS names a folder to write");
    let root = Path::new(&root);
    cases::each_hour(|name, question, settled, _, batches| {
        let folder = root.join(format!("{name}-{}", question.hour));
        // The second implementation counts by any policy, but makes no results by those kept for comparison.
        let is_known = !matches!(question.policy.score, Rule::Leaderboard(_) | Rule::Quality(_));
        let known = if is_known { question.policy.clone() } else { pooled(question.policy) };
        let question = &Question { policy: &known, ..*question };
        hour(&folder, question, settled, &Register::default(), batches);
    });
    let mut occurring = Occurring::default();
    for seed in 0..WORLDS + RICH_WORLDS {
        write_world(root, seed, &mut occurring);
    }
    occurring.check();
}

/// Writes one settled hour; says what its scorecard is made of.
fn hour(
    folder: &Path,
    question: &Question<'_>,
    settled: &Settled,
    register: &Register,
    batches: (&[events::batch::Batch], &[&Opened]),
) -> sla::scorecard::Scorecard {
    let Question { hour, open, policy, trust } = *question;
    let context = Context::of(policy, open.clone(), register);
    let asked = Asked { context: &context, policy, register, trust, window: Window::hour(hour) };
    let scorecard = score_hour(settled, asked);
    let lines = folder::batches(question, settled, batches);
    let event_set = Some(&settled.event_set);
    write(folder, &Folder { asked, event_set, lines, scorecard: &scorecard });
    scorecard
}

/// Writes every hour of a world, each with the register of those before it, and the day they lie in.
fn write_world(root: &Path, seed: u64, occurring: &mut Occurring) {
    let (world, policy) = (world(seed), policy(seed));
    let batches = world.batches();
    let mut open = OpenJobs::new();
    let mut register = Register::default();
    let mut known_for_the_day = Register::default();
    let mut settled_hours: Vec<(Hour, Settled)> = Vec::new();
    for hour_of_world in world::hours() {
        let question =
            Question { hour: hour_of_world, open: &open, policy: &policy, trust: &world.trust };
        let settled = question.settle(&batches);
        let folder = root.join(format!("world-{seed:03}-{hour_of_world}"));
        let scorecard = hour(&folder, &question, &settled, &register, (&world.sent, &batches));
        occurring.look(&scorecard, &policy);
        open = settled.open.clone();
        register.add(hour_of_world, &settled.tally);
        if settled_hours.len() < usize::try_from(seed % 3).unwrap() {
            known_for_the_day = register.clone();
        }
        settled_hours.push((hour_of_world, settled));
    }
    let scorecard = day(root, seed, &world, &policy, &known_for_the_day, &settled_hours);
    occurring.look(&scorecard, &policy);
}

/// Writes a longer window that holds all hours of a world.
fn day(
    root: &Path,
    seed: u64,
    world: &World,
    policy: &Policy,
    register: &Register,
    settled: &[(Hour, Settled)],
) -> sla::scorecard::Scorecard {
    let span = [Span::Day, Span::Week, Span::FourWeeks][usize::try_from(seed % 3).unwrap()];
    let window = Window { last: settled.last().unwrap().0, span };
    let pin = |(hour, settled): &(Hour, Settled)| PinnedHour {
        hour: *hour,
        revision: u32::try_from(hour.0 % 3).unwrap(),
        tally: digest_of(&settled.tally),
    };
    let context = Context::of(policy, OpenJobs::new(), register);
    let asked = Asked { context: &context, policy, register, trust: &world.trust, window };
    let hours: Vec<_> = settled.iter().map(|one| (pin(one), &one.1.tally)).collect();
    let scorecard = score_window(hours.clone(), asked);
    let folder = root.join(format!("world-{seed:03}-{}", window.to_string().replace('/', "-")));
    let lines = folder::tallies(&hours);
    write(&folder, &Folder { asked, event_set: None, lines, scorecard: &scorecard });
    scorecard
}
