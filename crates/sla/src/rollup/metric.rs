//! What sums mean: shares, means and quantiles, each with its unit in its name. An absent number is unknown, never zero.
//!
//! Names are those of columns and measures with what is made of them: `jobs`, `output.share_ppm`, `first_output_ms.p95`.

use std::fmt;
use std::str::FromStr;

use events::body::Reason;
use events::identity::Invalid;
use events::unit::Ppm;

use super::Sums;
use super::column::{Came, Column, Plain};
use super::series::Question;
use crate::tally::cell::Measure;
use crate::tally::outcome::Obligation;

/// What is made of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// How many values there are.
    Count,
    /// The mean, rounded down.
    Mean,
    /// The value at so many parts per million of the way, by the nearest rank, to the floor of its bucket (0.8 % at most).
    Quantile(u32),
}

/// The quantiles that have a name.
const QUANTILES: &[(&str, u32)] =
    &[("p5", 50_000), ("p50", 500_000), ("p90", 900_000), ("p95", 950_000), ("p99", 990_000)];

/// A number that is made of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The mean of readings: of cards, or of lines.
    Reading(Plain),
    /// How often work failed or was taken away for a reason.
    Failed(Reason),
    /// What is made of a measure.
    Measured(Measure, Statistic),
    /// The share of an obligation that was met among what came to something, rounded down.
    Share(Obligation),
    /// A sum.
    Sum(Plain),
    /// The share of jobs that found nobody, rounded down.
    Unserved,
}

impl Metric {
    /// Every metric there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let sums =
            Plain::ALL.iter().filter(|plain| samples(**plain).is_none()).map(|one| Self::Sum(*one));
        let readings = Plain::ALL.iter().filter(|plain| samples(**plain).is_some());
        let made = |measure: &Measure| {
            let quantiles = QUANTILES.iter().map(|(_, ppm)| Statistic::Quantile(*ppm));
            let (measure, of) =
                (*measure, [Statistic::Count, Statistic::Mean].into_iter().chain(quantiles));
            of.map(move |made| Self::Measured(measure, made))
        };
        sums.chain([Self::Unserved])
            .chain(readings.map(|one| Self::Reading(*one)))
            .chain(Obligation::ALL.iter().map(|one| Self::Share(*one)))
            .chain(Reason::ALL.iter().map(|one| Self::Failed(*one)))
            .chain(Measure::ALL.iter().filter(|one| is_told(**one)).flat_map(made))
    }

    /// Asks for what the metric is made of.
    pub fn ask(self, question: &mut Question) {
        let mut column = |column: Column| {
            question.columns.insert(column);
        };
        match self {
            Self::Failed(reason) => {
                column(Column::Failed(reason));
                WORKED.iter().for_each(|work| column(Column::Plain(*work)));
            }
            Self::Measured(measure, made) => {
                if made == Statistic::Mean {
                    column(Column::Sum(measure));
                }
                question.histograms.insert(measure);
            }
            Self::Reading(plain) => {
                column(Column::Plain(plain));
                samples(plain).into_iter().for_each(|samples| column(Column::Plain(samples)));
            }
            Self::Share(obligation) => {
                DECIDED.iter().for_each(|came| column(Column::Owed(obligation, *came)));
            }
            Self::Sum(plain) => column(Column::Plain(plain)),
            Self::Unserved => {
                column(Column::Plain(Plain::Jobs));
                column(Column::Plain(Plain::Unserved));
            }
        }
    }

    /// The number; none where nobody told of it.
    pub fn of(self, sums: &Sums) -> Option<u64> {
        let plain = |plain: Plain| sums.columns.get(&Column::Plain(plain)).copied();
        match self {
            Self::Failed(reason) => {
                let told = sums.columns.get(&Column::Failed(reason)).copied();
                told.or_else(|| WORKED.iter().find_map(|work| plain(*work)).map(|_| 0))
            }
            Self::Measured(measure, made) => of_measure(measure, made, sums),
            Self::Reading(of) => plain(of)?.checked_div(plain(samples(of)?)?),
            Self::Share(obligation) => share(obligation, sums),
            Self::Sum(of) => plain(of),
            Self::Unserved => ppm(plain(Plain::Unserved)?, plain(Plain::Jobs)?),
        }
    }

    /// What a number of it counts: `jobs`, `ms`, `ppm`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Reading(plain) | Self::Sum(plain) => unit_of(plain),
            Self::Failed(_) => "failures",
            Self::Measured(_, Statistic::Count) => "values",
            Self::Measured(measure, _) => unit_of_measure(measure),
            Self::Share(_) | Self::Unserved => "ppm",
        }
    }
}

/// What shows that there was work, so that nothing failed where no failure is told.
const WORKED: [Plain; 2] = [Plain::Tenures, Plain::ServedMs];

/// The outcomes that decide whether an obligation was met; the others say nothing about who owed it.
pub const DECIDED: [Came; 3] = [Came::Bad, Came::Disputed, Came::Good];

/// How many obligations of a kind were met, of how many that it is known of.
pub fn decided(obligation: Obligation, sums: &Sums) -> (u64, u64) {
    let came =
        |came: Came| sums.columns.get(&Column::Owed(obligation, came)).copied().unwrap_or_default();
    let all = DECIDED.iter().fold(0u64, |sum, one| sum.saturating_add(came(*one)));
    (came(Came::Good), all)
}

fn share(obligation: Obligation, sums: &Sums) -> Option<u64> {
    let (met, all) = decided(obligation, sums);
    ppm(met, all)
}

fn ppm(part: u64, whole: u64) -> Option<u64> {
    Ppm::ratio_floor(part, whole).map(|share| u64::from(share.0))
}

fn of_measure(measure: Measure, made: Statistic, sums: &Sums) -> Option<u64> {
    let histogram = sums.histograms.get(&measure)?;
    match made {
        Statistic::Count => Some(histogram.count()),
        Statistic::Mean => sums.columns.get(&Column::Sum(measure))?.checked_div(histogram.count()),
        Statistic::Quantile(ppm) => histogram.quantile(ppm),
    }
}

/// What counts the samples of readings; none for what is no reading.
fn samples(plain: Plain) -> Option<Plain> {
    match plain {
        Plain::DownKbps | Plain::UpKbps => Some(Plain::BandwidthSamples),
        Plain::UtilisationPpm => Some(Plain::UtilisationSamples),
        _ => None,
    }
}

/// Whether a measure is told of always, and not only where a policy asks for it.
fn is_told(measure: Measure) -> bool {
    !matches!(measure, Measure::SegmentMs | Measure::SegmentTookMs)
}

fn unit_of(plain: Plain) -> &'static str {
    match plain {
        Plain::BandwidthSamples | Plain::UtilisationSamples => "samples",
        Plain::CompletionTokens | Plain::PromptTokens => "tokens",
        Plain::DownKbps | Plain::UpKbps => "kbps",
        Plain::Delivered | Plain::Jobs | Plain::Unserved => "jobs",
        Plain::LetIn | Plain::TurnedAway => "users",
        Plain::PaidMwei => "mwei",
        Plain::Payments => "payments",
        Plain::ServedMs => "ms",
        Plain::Tenures => "tenures",
        Plain::UtilisationPpm => "ppm",
    }
}

fn unit_of_measure(measure: Measure) -> &'static str {
    match measure {
        Measure::FirstOutputMs
        | Measure::EndToEndMs
        | Measure::SegmentMs
        | Measure::SegmentTookMs => "ms",
        Measure::FpsInMilli | Measure::FpsOutMilli => "milli_fps",
        Measure::JitterPpm | Measure::RealtimePpm => "ppm",
        Measure::TokensPerSecondMilli => "milli_tokens_per_second",
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => write!(f, "failed.{reason}"),
            Self::Measured(measure, Statistic::Count) => write!(f, "{measure}.count"),
            Self::Measured(measure, Statistic::Mean) => write!(f, "{measure}.mean"),
            Self::Measured(measure, Statistic::Quantile(ppm)) => {
                let named = QUANTILES.iter().find(|(_, known)| known == ppm);
                write!(f, "{measure}.{}", named.map_or("quantile", |(name, _)| name))
            }
            Self::Reading(plain) => write!(f, "{plain}.mean"),
            Self::Share(obligation) => write!(f, "{obligation}.share_ppm"),
            Self::Sum(plain) => plain.fmt(f),
            Self::Unserved => f.write_str("unserved.share_ppm"),
        }
    }
}

impl FromStr for Metric {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::all().find(|metric| metric.to_string() == text);
        found.ok_or_else(|| Invalid { what: "metric", text: text.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn every_metric_has_a_name_a_unit_and_asks_for_what_it_needs() {
        let names: BTreeSet<String> = Metric::all().map(|metric| metric.to_string()).collect();
        assert_eq!(names.len(), Metric::all().count());
        for metric in Metric::all() {
            assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
            assert!(!metric.unit().is_empty());
            assert_eq!(metric.of(&Sums::default()), None, "{metric}: nothing told is unknown");
            let mut question = Question::default();
            metric.ask(&mut question);
            let mut sums = Sums::default();
            question.columns.iter().for_each(|column| sums.add(*column, 1));
            for measure in question.histograms {
                sums.histograms.insert(measure, Histogram::default());
                sums.histograms.get_mut(&measure).unwrap().add(1);
            }
            assert!(metric.of(&sums).is_some(), "{metric}: it asks for all that it needs");
        }
        // What worked and failed at nothing is asked for too.
        let mut question = Question::default();
        let failed = Metric::Failed(Reason::Timeout);
        failed.ask(&mut question);
        for work in WORKED {
            let column = Column::Plain(work);
            let sums = Sums { columns: [(column, 1)].into(), ..Sums::default() };
            assert_eq!((question.columns.contains(&column), failed.of(&sums)), (true, Some(0)));
        }
        assert!("first_output_ms.p42".parse::<Metric>().is_err());
        assert!("".parse::<Metric>().is_err());
    }

    #[test]
    fn numbers_are_as_they_are_said() {
        let mut sums = Sums::default();
        for value in [10, 20, 31] {
            sums.measure(Measure::FirstOutputMs, value);
        }
        sums.add(Column::Owed(Obligation::Output, Came::Good), 2);
        sums.add(Column::Owed(Obligation::Output, Came::Disputed), 1);
        sums.add(Column::Owed(Obligation::Output, Came::Excused), 7);
        sums.add(Column::Plain(Plain::Jobs), 8);
        sums.add(Column::Plain(Plain::Unserved), 1);
        let number = |name: &str| name.parse::<Metric>().unwrap().of(&sums);
        assert_eq!(number("first_output_ms.mean"), Some(20), "rounded down");
        assert_eq!(number("first_output_ms.p50"), Some(20));
        assert_eq!(number("first_output_ms.count"), Some(3));
        assert_eq!(number("output.share_ppm"), Some(666_666), "what is disputed was not met");
        assert_eq!(number("start.share_ppm"), None);
        assert_eq!(number("unserved.share_ppm"), Some(125_000));
        assert_eq!(number("failed.timeout"), None, "whether anybody had work is unknown");
    }
}
