//! What is added up, each with its unit. A column has one name, in storage, in questions and in answers.

use std::fmt;
use std::str::FromStr;

use events::body::Reason;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::tally::cell::Measure;
use crate::tally::outcome::{Obligation, Outcome};

events::words! {
    /// Sums that need no other word.
    Plain {
        /// Samples of a node's bandwidth.
        BandwidthSamples = "bandwidth_samples",
        /// Tokens given.
        CompletionTokens = "completion_tokens",
        /// Jobs that got what they asked for: output that lasts, or a whole answer.
        Delivered = "delivered",
        /// Kilobits per second towards nodes, a sample each.
        DownKbps = "down_kbps",
        /// Jobs that were asked for.
        Jobs = "jobs",
        /// Users whom a webhook or a check of credentials let in.
        LetIn = "let_in",
        /// The worth of what was sent, in millions of wei: face value by the chance to win, rounded down each time.
        PaidMwei = "paid_mwei",
        /// Payments.
        Payments = "payments",
        /// Tokens asked with.
        PromptTokens = "prompt_tokens",
        /// Milliseconds that orchestrators had work.
        ServedMs = "served_ms",
        /// Orchestrators that were given work.
        Tenures = "tenures",
        /// Users whom a webhook or a check of credentials turned away.
        TurnedAway = "turned_away",
        /// Jobs that found nobody.
        Unserved = "unserved",
        /// Kilobits per second away from nodes, a sample each.
        UpKbps = "up_kbps",
        /// The share of time that cards computed in parts per million, a sample each.
        UtilisationPpm = "utilisation_ppm",
        /// Samples of cards.
        UtilisationSamples = "utilisation_samples",
    }
}

events::words! {
    /// What came of an obligation, without why.
    Came {
        /// Not met.
        Bad = "bad",
        /// Declined in time.
        Declined = "declined",
        /// Contradicted.
        Disputed = "disputed",
        /// Not the orchestrator's to meet.
        Excused = "excused",
        /// Met.
        Good = "good",
        /// Not told.
        Missing = "missing",
    }
}

impl From<Outcome> for Came {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Bad => Self::Bad,
            Outcome::Declined => Self::Declined,
            Outcome::Disputed => Self::Disputed,
            Outcome::Excused(_) => Self::Excused,
            Outcome::Good => Self::Good,
            Outcome::Missing => Self::Missing,
        }
    }
}

/// One sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// How often work failed or was taken away for a reason: `failed.timeout`.
    Failed(Reason),
    /// How many obligations came to what: `start.good`.
    Owed(Obligation, Came),
    /// A sum without another word: `jobs`.
    Plain(Plain),
    /// The sum of what was measured, in the measure's unit: `first_output_ms.sum`. How many were is the histogram's count.
    Sum(Measure),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => write!(f, "failed.{reason}"),
            Self::Owed(obligation, came) => write!(f, "{obligation}.{came}"),
            Self::Plain(plain) => plain.fmt(f),
            Self::Sum(measure) => write!(f, "{measure}.sum"),
        }
    }
}

impl FromStr for Column {
    type Err = events::identity::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('.') {
            None => text.parse().map(Self::Plain),
            Some(("failed", reason)) => reason.parse().map(Self::Failed),
            Some((measure, "sum")) => measure.parse().map(Self::Sum),
            Some((obligation, came)) => Ok(Self::Owed(obligation.parse()?, came.parse()?)),
        }
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Column {
    /// Every column there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let owed = Obligation::ALL
            .iter()
            .flat_map(|obligation| Came::ALL.iter().map(|came| Self::Owed(*obligation, *came)));
        let plain = Plain::ALL.iter().copied().map(Self::Plain);
        let failed = Reason::ALL.iter().copied().map(Self::Failed);
        plain.chain(failed).chain(owed).chain(Measure::ALL.iter().copied().map(Self::Sum))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let names: BTreeSet<String> = Column::all().map(|column| column.to_string()).collect();
        assert_eq!(names.len(), Column::all().count());
        for column in Column::all() {
            assert_eq!(column.to_string().parse::<Column>().unwrap(), column);
        }
        for bad in ["", "job", "start.", "start.sum", "failed.", "failed.good", "jobs.sum", "a.b.c"]
        {
            assert!(bad.parse::<Column>().is_err(), "{bad}");
        }
    }
}
