//! What other systems would say of the same work: our counts, put into their formulas.
//!
//! Where their formulas ask for what our tallies do not hold, the nearest that they do hold stands in; docs/scoring.md,
//! "Policies kept for comparison", lists each such place. Nothing here weighs evidence, as they do not.

use std::collections::{BTreeMap, BTreeSet};

use events::event::Workload;
use events::identity::{Address, ServiceUrl};
use events::unit::Ppm;

use super::fraction::{Fraction, Mean};
use super::gather::Who;
use super::leaderboard::{self, Requests, Segments};
use super::quality::{self, Benchmark, Row};
use crate::scorecard::{Component, Excluded, Grade, Indicator, Scored};
use crate::tally::cell::{Cell, CellKey, Measure, WorkClass};
use crate::tally::outcome::{Counts, Excuse, Obligation};
use crate::tally::{Tally, add};
use crate::window::{Hour, Window};

/// What is shown of an operator and kind of work, whatever its score.
#[derive(Debug, Clone, Default)]
struct Seen {
    counts: BTreeMap<Obligation, Counts>,
    sources: BTreeSet<Address>,
    tenures: u64,
    urls: BTreeSet<ServiceUrl>,
}

impl Seen {
    fn add(&mut self, key: &CellKey, cell: &Cell) {
        add(&mut self.tenures, cell.tenures);
        self.urls.extend(key.subject.url.clone());
        self.sources.extend(&key.reporters);
        for (obligation, counts) in &cell.obligations {
            self.counts.entry(*obligation).or_default().merge(counts);
        }
    }

    fn merge(&mut self, other: &Self) {
        add(&mut self.tenures, other.tenures);
        self.urls.extend(other.urls.iter().cloned());
        self.sources.extend(&other.sources);
        for (obligation, counts) in &other.counts {
            self.counts.entry(*obligation).or_default().merge(counts);
        }
    }

    /// A result with a score of theirs, or with why there is none. They grade nothing: the grade says how many told.
    fn result(
        self,
        who: Who,
        class: Option<WorkClass>,
        score: Option<Ppm>,
        components: Vec<Component>,
        why_not: &str,
    ) -> Scored {
        let indicators = self.counts.into_iter().map(|(obligation, counts)| Indicator {
            share: counts.share(),
            counts,
            obligation,
        });
        let grade = match (score, self.sources.len()) {
            (None, _) => Grade::Insufficient,
            (_, 0 | 1) => Grade::C,
            (_, 2) => Grade::B,
            _ => Grade::A,
        };
        Scored {
            class,
            components,
            excluded: Excluded::default(),
            grade,
            indicators: indicators.collect(),
            operator: who.operator,
            reason: score.is_none().then(|| why_not.to_owned()),
            score,
            signer: who.signer,
            sources: self.sources.into_iter().collect(),
            tenures: self.tenures,
            upper: None,
            urls: self.urls.into_iter().collect(),
            workloads: Vec::new(),
        }
    }
}

/// The rows of tallies that anybody but the operator told.
fn told(tally: &Tally) -> impl Iterator<Item = (Who, &CellKey, &Cell)> {
    let told = tally.cells.iter().filter(|(key, cell)| !key.reporters.is_empty() && cell.counts());
    told.map(|(key, cell)| {
        let who = Who { operator: key.subject.operator, signer: key.subject.signer };
        (who, key, cell)
    })
}

fn part(name: &str, rate: Option<Ppm>) -> Component {
    Component {
        decides: None,
        effect_ppm: None,
        evidence: None,
        failures: None,
        lower: None,
        name: name.to_owned(),
        rate,
        sources: Vec::new(),
        upper: None,
        weight: 0,
    }
}

/// The rows of an hour, with what is shown of each.
type HourRows = BTreeMap<(WorkClass, Who), (Row, Seen)>;

/// Hours of live video, for the peer's benchmark of quality.
#[derive(Debug, Default)]
pub struct Hours(BTreeMap<Hour, HourRows>);

impl Hours {
    /// Takes the counts of an hour, of the window or before it.
    pub fn add(&mut self, hour: Hour, tally: &Tally) {
        let rows = self.0.entry(hour).or_default();
        let mut cells: BTreeMap<(WorkClass, Who), Cell> = BTreeMap::new();
        for (who, key, cell) in
            told(tally).filter(|(_, key, _)| key.class.workload == Workload::LiveVideo)
        {
            let place = (key.class.clone(), who);
            cells.entry(place.clone()).or_default().merge(cell);
            rows.entry(place).or_default().1.add(key, cell);
        }
        for (place, cell) in cells {
            rows.entry(place).or_default().0 = row(&cell);
        }
    }

    /// The results of the hours in `window`, each hour against the days before it.
    pub fn results(self, window: Window, rule: &quality::Constants) -> Vec<Scored> {
        let mut days: BTreeMap<(u64, WorkClass), Vec<Row>> = BTreeMap::new();
        for (hour, rows) in &self.0 {
            // Rows without a pipeline are in no benchmark of the peer's.
            for ((class, _), (row, _)) in
                rows.iter().filter(|((class, _), _)| class.pipeline.is_some())
            {
                days.entry((hour.0 / 24, class.clone())).or_default().push(*row);
            }
        }
        let days: BTreeMap<(u64, WorkClass), Benchmark> =
            days.into_iter().map(|(day, rows)| (day, Benchmark::of_day(&rows, rule))).collect();
        let first = window.hours().next().unwrap_or(window.last);
        let mut found: BTreeMap<(Who, Option<WorkClass>), Run> = BTreeMap::new();
        for (hour, rows) in self.0.range(first..=window.last) {
            for ((class, who), (row, seen)) in rows {
                let day = hour.0 / 24;
                let before = (day.saturating_sub(rule.benchmark_days)..day)
                    .filter_map(|day| days.get(&(day, class.clone())).cloned());
                let before: Vec<Benchmark> = before.collect();
                let score = quality::score(row, &Benchmark::of_days(&before), rule);
                for class in [None, Some(class.clone())] {
                    found.entry((*who, class)).or_default().take(row.requested, score, seen);
                }
            }
        }
        let is_one = first == window.last;
        let results = found.into_iter().map(|((who, class), run)| {
            let components = run
                .last
                .filter(|_| is_one && class.is_some())
                .map(|last| parts(&last))
                .unwrap_or_default();
            run.seen.result(
                who,
                class,
                quality::over_hours(run.scores),
                components,
                "no session was asked for",
            )
        });
        results.collect()
    }
}

/// The hours of one operator and kind of work.
#[derive(Default)]
struct Run {
    last: Option<quality::Score>,
    scores: Vec<(Ppm, u64)>,
    seen: Seen,
}

impl Run {
    fn take(&mut self, requested: u64, score: quality::Score, seen: &Seen) {
        self.scores.extend(score.score.map(|score| (score, requested)));
        self.last = Some(score);
        self.seen.merge(seen);
    }
}

fn parts(score: &quality::Score) -> Vec<Component> {
    let parts = [
        ("coverage", Some(score.coverage)),
        ("reliability", score.reliability),
        ("quality", Some(score.quality)),
        ("latency", Some(score.latency)),
        ("first_frame", Some(score.first_frame)),
        ("end_to_end", Some(score.end_to_end)),
        ("fps", Some(score.fps)),
    ];
    parts.into_iter().map(|(name, rate)| part(name, rate)).collect()
}

/// The peer's row of an hour, from our counts of it.
fn row(cell: &Cell) -> Row {
    let none = Counts::default();
    let of = |obligation| cell.obligations.get(&obligation).unwrap_or(&none);
    let all = |counts: &Counts| {
        let excused = counts.excused.values().copied().fold(0, u64::saturating_add);
        let rest = counts.missing.saturating_add(counts.declined).saturating_add(excused);
        counts.known().saturating_add(rest)
    };
    let (output, stay, frames) =
        (of(Obligation::Output), of(Obligation::Stay), of(Obligation::Quality));
    let nobody = output.excused.get(&Excuse::NoOrchestrator).copied().unwrap_or(0);
    let requested = all(output).saturating_sub(nobody);
    let statuses = of(Obligation::Status).known().min(requested);
    let healthy = output.good.saturating_add(statuses).saturating_add(frames.good.min(requested));
    let values = |measure| Mean::of(cell.values.get(&measure).into_iter().flatten());
    let positive = |measure| {
        Mean::of(cell.values.get(&measure).into_iter().flatten().filter(|(value, _)| **value > 0))
    };
    Row {
        end_to_end_ms: positive(Measure::FirstOutputMs),
        expected_signals: requested.saturating_mul(3),
        first_frame_ms: positive(Measure::EndToEndMs),
        fps_milli: values(Measure::FpsOutMilli),
        health_signals: healthy,
        output_failed: frames.bad.saturating_add(frames.disputed),
        requested,
        started: output.good,
        swapped: all(stay).saturating_sub(stay.good),
    }
}

/// Requests and segments, for the leaderboard's scores.
#[derive(Debug, Default)]
pub struct Contest(BTreeMap<(Who, WorkClass), (Cell, Seen)>);

impl Contest {
    /// Takes the counts of an hour.
    pub fn add(&mut self, tally: &Tally) {
        for (who, key, cell) in told(tally) {
            let (sum, seen) = self.0.entry((who, key.class.clone())).or_default();
            sum.merge(cell);
            seen.add(key, cell);
        }
    }

    /// The results: a score for each kind of work, and none over all of it, as there is none there.
    pub fn results(self, rule: &leaderboard::Constants) -> Vec<Scored> {
        let mut times: BTreeMap<&WorkClass, BTreeMap<u64, u64>> = BTreeMap::new();
        for ((_, class), (cell, _)) in &self.0 {
            for (value, count) in cell.values.get(&Measure::EndToEndMs).into_iter().flatten() {
                let sum = times.entry(class).or_default().entry(*value).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let medians = times.into_iter();
        let medians: BTreeMap<WorkClass, Option<Fraction>> =
            medians.map(|(class, times)| (class.clone(), leaderboard::median(&times))).collect();
        let mut results: BTreeMap<(Who, Option<WorkClass>), Scored> = BTreeMap::new();
        let mut whole: BTreeMap<Who, Seen> = BTreeMap::new();
        for ((who, class), (cell, seen)) in self.0 {
            whole.entry(who).or_default().merge(&seen);
            let median = medians.get(&class).and_then(Option::as_ref);
            let score = contest(&class, &cell, median, rule);
            let parts = vec![part("success", score.success), part("round_trip", score.round_trip)];
            let result =
                seen.result(who, Some(class.clone()), score.score, parts, "nothing to compare");
            results.insert((who, Some(class)), result);
        }
        for (who, seen) in whole {
            let result = seen.result(who, None, None, Vec::new(), "scored by kind of work alone");
            results.insert((who, None), result);
        }
        results.into_values().collect()
    }
}

fn contest(
    class: &WorkClass,
    cell: &Cell,
    median: Option<&Fraction>,
    rule: &leaderboard::Constants,
) -> leaderboard::Score {
    let output = cell.obligations.get(&Obligation::Output).cloned().unwrap_or_default();
    let success = Mean { count: output.known(), sum: output.good };
    let values = |measure| Mean::of(cell.values.get(&measure).into_iter().flatten());
    match class.workload {
        Workload::Transcoding => {
            let duration = values(Measure::SegmentMs);
            let round_trip = values(Measure::SegmentTookMs);
            leaderboard::segments(&Segments { duration, round_trip, success })
        }
        Workload::AiBatch | Workload::Llm => {
            let round_trip = values(Measure::EndToEndMs);
            leaderboard::requests(&Requests { round_trip, success }, median, rule)
        }
        _ => leaderboard::Score::default(),
    }
}
