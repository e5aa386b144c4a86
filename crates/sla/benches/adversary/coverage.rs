//! How often the lower bound of a component lies at or below the truth.

use std::collections::BTreeMap;

use sla::policy::rule::Evidence;
use sla::score::source::{Heard, Voice, prove};

use crate::chance::Chance;
use crate::operator::heard;
use crate::stage::{BLOCKS_A_DAY, Fate, Words, address};
use crate::table::{Judged, Table, share};

/// How many worlds each row is measured on.
const RUNS: u64 = 2_000;
/// Jobs a day of each honest source, unless a setting says otherwise.
const JOBS_A_DAY: u64 = 100;
/// A liar has so many times the traffic of an honest source.
const LIAR_TIMES: u64 = 10;
/// One whole, in parts per million.
const WHOLE: u64 = 1_000_000;

/// What somebody with ten times the traffic says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liar {
    None,
    Booster,
    Griefer,
}

/// One row.
#[derive(Debug, Clone, Copy)]
struct Setting {
    days: u64,
    liar: Liar,
    /// Tenths of an outage of five minutes a day, the same for all sources.
    outages_tenths: u64,
    /// The share of jobs that succeed outside of outages.
    rate: u64,
    /// How many obligations fare alike: those of one session.
    joined: u64,
    sources: u64,
    /// Jobs a day of the first source, and of each other one.
    jobs: (u64, u64),
}

/// Measures every setting.
pub fn measure(rule: &Evidence, table: &mut Table) {
    table.title(
        "Coverage: how often `lower` is at most the true rate",
        "| failures | days | honest sources | jobs a day | liar with 10x traffic | true rate | runs | covered | bound | |",
    );
    for outages_tenths in [0, 5, 20] {
        for days in [7, 28] {
            for liar in [Liar::None, Liar::Booster, Liar::Griefer] {
                // An even number of honest sources and a liar are the worst.
                let sources = if outages_tenths == 5 { &[4][..] } else { &[3, 4, 5] };
                for sources in sources.iter().copied() {
                    let rate = 970_000;
                    let jobs = (JOBS_A_DAY, JOBS_A_DAY);
                    let joined = 1;
                    let setting =
                        Setting { days, liar, outages_tenths, rate, joined, sources, jobs };
                    row(setting, rule, table);
                }
            }
        }
    }
    // Rare and frequent failures, sessions, sources that see unlike much, and ten times the work.
    for (rate, joined, outages_tenths, jobs) in [
        (900_000, 1, 0, (100, 100)),
        (995_000, 1, 0, (100, 100)),
        (970_000, 4, 0, (100, 100)),
        (970_000, 1, 0, (10, 200)),
        (970_000, 1, 0, (200, 10)),
        (970_000, 1, 20, (1_000, 1_000)),
    ] {
        for liar in [Liar::None, Liar::Booster] {
            let (days, sources) = (7, 3);
            let setting = Setting { days, liar, outages_tenths, rate, joined, sources, jobs };
            row(setting, rule, table);
        }
    }
}

fn row(setting: Setting, rule: &Evidence, table: &mut Table) {
    let truth = truth(setting);
    let (mut bounds, mut covered) = (0, 0);
    for run in 0..RUNS {
        let told = world(setting, rule, &mut Chance::new(run * 0x1_0001 + 7));
        let Some(proof) = prove(&told, rule) else { continue };
        bounds += 1;
        covered += u64::from(u64::from(proof.lower.0) <= truth);
    }
    let bound = if setting.outages_tenths == 0 { 950_000 } else { 880_000 };
    let measured = (covered * WHOLE).checked_div(bounds).unwrap_or(0);
    let failures = match (setting.outages_tenths, setting.joined) {
        (0, 1) => "independent".to_owned(),
        (0, joined) => format!("independent sessions of {joined} obligations"),
        (tenths, _) => format!("{}.{} outages/day", tenths / 10, tenths % 10),
    };
    let liar = match setting.liar {
        Liar::None => "none",
        Liar::Booster => "booster",
        Liar::Griefer => "griefer",
    };
    let cells = [
        failures,
        setting.days.to_string(),
        setting.sources.to_string(),
        if setting.jobs.0 == setting.jobs.1 {
            setting.jobs.0.to_string()
        } else {
            format!("{}, others {}", setting.jobs.0, setting.jobs.1)
        },
        liar.to_owned(),
        share(truth),
        bounds.to_string(),
        share(measured),
        share(bound),
    ];
    table.row(&cells, Judged::Yes, measured >= bound);
}

/// The chance that a job succeeds, rounded down: no outage of five minutes began in any of five minutes.
fn truth(setting: Setting) -> u64 {
    let fine = 1_000_000_000_000u128;
    let begins = fine * u128::from(setting.outages_tenths) / 14_400;
    let up = (0..5).fold(fine, |up, _| up * (fine - begins) / fine);
    u64::try_from(u128::from(setting.rate) * up / fine).unwrap()
}

fn world(setting: Setting, rule: &Evidence, chance: &mut Chance) -> BTreeMap<Voice, Heard> {
    let minutes = setting.days * 1_440;
    let mut is_down = vec![false; usize::try_from(minutes).unwrap()];
    if setting.outages_tenths > 0 {
        // Outages that began before the window reach into it, too.
        for start in 0..minutes + 4 {
            if chance.below(14_400) < setting.outages_tenths {
                let down = start.saturating_sub(4)..(start + 1).min(minutes);
                down.for_each(|minute| is_down[usize::try_from(minute).unwrap()] = true);
            }
        }
    }
    let mut told = BTreeMap::new();
    for source in 0..setting.sources {
        let mut blocks = vec![Fate::default(); usize::try_from(minutes / 10).unwrap()];
        let (first, others) = setting.jobs;
        let jobs = if source == 0 { first } else { others };
        for _ in 0..setting.days * jobs / setting.joined {
            let minute = usize::try_from(chance.below(minutes)).unwrap();
            let is_good = chance.happens(setting.rate) && !is_down[minute];
            let fate = &mut blocks[minute / 10];
            fate.good += u64::from(is_good) * setting.joined;
            fate.bad += u64::from(!is_good) * setting.joined;
        }
        told.extend([heard(address(0x20, source), &words(&blocks), setting.joined, rule)]);
    }
    if setting.liar != Liar::None {
        let mut blocks =
            vec![Fate::default(); usize::try_from(setting.days * BLOCKS_A_DAY).unwrap()];
        let (first, others) = setting.jobs;
        for _ in 0..setting.days * first.max(others) * LIAR_TIMES {
            let at = usize::try_from(chance.below(setting.days * BLOCKS_A_DAY)).unwrap();
            let fate = &mut blocks[at];
            fate.good += u64::from(setting.liar == Liar::Booster);
            fate.bad += u64::from(setting.liar == Liar::Griefer);
        }
        told.extend([heard(address(0x40, 0), &words(&blocks), 1, rule)]);
    }
    told
}

fn words(blocks: &[Fate]) -> Words {
    (0..).zip(blocks.iter().copied()).collect()
}
