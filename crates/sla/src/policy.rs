//! A policy: what is measured and how it becomes a score, as one file that is hashed into every scorecard.
//!
//! A policy is data. Unknown members, wrong units and values out of range are refused with the line and the reason.

pub mod observe;
pub mod rule;

use events::identity::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::score::{leaderboard, quality};
use crate::trust::Unusable;
use observe::Observe;
use rule::{Evidence, Method, Pooled, Rule};

/// The policy that holds where none is named.
pub const DEFAULT: &str = include_str!("../../../policies/evidence-1.toml");

/// Every policy that comes with the software: its id and its file. An id once used here means this file for ever.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("evidence-1", DEFAULT),
    ("leaderboard", include_str!("../../../policies/leaderboard.toml")),
    ("naap-quality-benchmark-v1", include_str!("../../../policies/naap-quality-benchmark-v1.toml")),
    ("reliability-1", include_str!("../../../policies/reliability-1.toml")),
];

/// A policy and the hash of the file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the file as it is.
    pub hash: Digest,
    /// Its name, never used again for another.
    pub id: String,
    /// What is measured.
    pub observe: Observe,
    /// How it becomes a score.
    pub score: Rule,
    /// The file itself.
    pub text: String,
    /// What it is, in a line.
    pub title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<R> {
    id: String,
    title: String,
    observe: Observe,
    score: R,
}

/// As much of a file as says how to read the rest.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    score: Option<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    method: Method,
}

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The line begins with this, the so-many-th such line counts from zero.
    place: (&'static str, usize),
    why: String,
}

impl Wrong {
    /// Wrong at the member of that name.
    pub(crate) fn at(member: &'static str, why: impl Into<String>) -> Self {
        Self { place: (member, 0), why: why.into() }
    }

    /// Wrong in the so-many-th table of that header.
    pub(crate) fn in_table(header: &'static str, at: usize, why: String) -> Self {
        Self { place: (header, at), why }
    }

    /// The refusal of `file`, with the line of its text.
    pub(crate) fn told_in(self, file: &'static str, text: &str) -> Unusable {
        let (start, at) = self.place;
        let lines = (1..).zip(text.lines());
        let mut found = lines.filter(|(_, line)| line.trim_start().starts_with(start));
        let why = match found.nth(at) {
            Some((line, _)) => format!("line {line}: {}", self.why),
            None => self.why,
        };
        Unusable { file, why }
    }
}

impl Policy {
    /// Reads a policy from its TOML text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let outline: Outline = read(text)?;
        let policy = match outline.score.map_or(Method::Pooled, |score| score.method) {
            Method::Evidence => Self::of(read::<File<Evidence>>(text)?, text, Rule::Evidence),
            Method::Leaderboard => {
                Self::of(read::<File<leaderboard::Constants>>(text)?, text, Rule::Leaderboard)
            }
            Method::Pooled => Self::of(read::<File<Pooled>>(text)?, text, Rule::Pooled),
            Method::QualityBenchmark => {
                Self::of(read::<File<quality::Constants>>(text)?, text, Rule::Quality)
            }
        };
        policy.check().map_err(|wrong| wrong.told_in("policy", text))?;
        Ok(policy)
    }

    fn of<R>(file: File<R>, text: &str, rule: impl Fn(R) -> Rule) -> Self {
        Self {
            hash: Digest::of(&[text.as_bytes()]),
            id: file.id,
            observe: file.observe,
            score: rule(file.score),
            text: text.to_owned(),
            title: file.title,
        }
    }

    fn check(&self) -> Result<(), Wrong> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.chars().all(plain) {
            let why = format!("id {:?} is not lower-case letters, digits and hyphens", self.id);
            return Err(Wrong::at("id", why));
        }
        let taken = BUILT_IN.iter().find(|(id, text)| *id == self.id && *text != self.text);
        if let Some((id, _)) = taken {
            let why = format!("id {id:?} is that of another policy: a changed file needs its own");
            return Err(Wrong::at("id", why));
        }
        self.observe.check()?;
        self.score.check(&self.observe)
    }

    /// The policy that holds where none is named.
    pub fn standard() -> Self {
        Self::parse(DEFAULT).expect("the default policy is checked by a test")
    }

    /// The policy of that id among those that come with the software.
    pub fn built_in(id: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == id)?;
        Self::parse(text).ok()
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unusable> {
    toml::from_str(text).map_err(|error| unusable(error.to_string()))
}

fn unusable(why: String) -> Unusable {
    Unusable { file: "policy", why }
}
