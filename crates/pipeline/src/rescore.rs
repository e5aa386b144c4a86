//! What if: recorded windows scored under another policy, beside what was published.
//!
//! Hours are tallied again from the record where the policy measures something else than what was kept. Nothing is
//! written.

use std::collections::BTreeMap;

use events::event::Network;
use events::identity::{Address, Digest};
use events::unit::Ppm;
use ledger::Ledger;
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{OpenJobs, settle};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::register::Register;
use sla::rollup::Detail;
use sla::score::{Question, Scoring};
use sla::scorecard::{Basis, Grade, PinnedHour, Scorecard, digest_of};
use sla::tally::Tally;
use sla::trust::TrustFile;
use sla::window::{Hour, Span, Window};
use warehouse::Reader;
use warehouse::view::{HourView, WindowView};

use crate::Error;
use crate::settle::note;

/// Two scorecards of one window.
#[derive(Debug, Clone)]
pub struct Rescored {
    /// What the policy asked for gives.
    pub other: Scorecard,
    /// What was published, or what the published policy gives for a window that was not made.
    pub published: Scorecard,
}

/// How an operator fares under both, over all its work or one kind of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The kind of work, as it is written; `all` for all of it.
    pub work: String,
    /// The operator.
    pub operator: Address,
    /// The other score and grade.
    pub other: (Option<Ppm>, Grade),
    /// The published score and grade.
    pub published: (Option<Ppm>, Grade),
    /// Why there is no other score.
    pub reason: Option<String>,
}

/// What is read of the hours.
struct Hours<'a> {
    ledger: &'a Ledger,
    network: Network,
    policy: &'a Policy,
    reader: &'a dyn Reader,
}

/// Scores `window` under `policy`; `progress` hears how many hours were read.
pub fn rescore(
    ledger: &Ledger,
    reader: &dyn Reader,
    network: Network,
    window: Window,
    policy: &Policy,
    progress: &mut dyn FnMut(u64),
) -> Result<Rescored, Error> {
    let hours = Hours { ledger, network, policy, reader };
    let settled: Vec<Hour> = hours.settled(window.hours())?;
    let Some(last) = settled.last() else {
        return Err(Error::Absent(format!("{network} {window} holds no settled hour")));
    };
    let view = hours.view(*last)?;
    let made = hours.made(window)?;
    let card = made
        .as_ref()
        .map_or_else(|| read_card(&view.scorecard_bytes), |it| read_card(&it.scorecard_bytes))?;
    let kept = hours.kept(&card)?;
    let register = hours.register(made.as_ref().map_or(&view.context, |made| &made.context))?;
    let none = OpenJobs::new();
    let context = Context::of(policy, none.clone(), &register);
    let trust = &kept.trust;
    let asked = Question { context: &context, policy, register: &register, trust, window };
    let old_context = Context::of(&kept.policy, none, &register);
    let old = Question { context: &old_context, policy: &kept.policy, ..asked };

    let (mut new_score, mut old_score) = (Scoring::new(asked), Scoring::new(old));
    let mut read = 0;
    let days = new_score.days_before();
    if let Some(first) = window.hours().next().filter(|_| days > 0) {
        let from = (first.0 / 24).saturating_sub(days) * 24;
        for hour in hours.settled((from..first.0).map(Hour))? {
            let view = hours.view(hour)?;
            new_score.add_before(hour, &hours.tally(hour, &view, &kept)?);
            read += 1;
            progress(read);
        }
    }
    let mut pins = (Vec::new(), Vec::new());
    for hour in settled {
        let view = hours.view(hour)?;
        let tally = hours.tally(hour, &view, &kept)?;
        new_score.add(hour, &tally);
        old_score.add(hour, &view.tally);
        let pin =
            |tally: &Tally| PinnedHour { hour, revision: view.revision, tally: digest_of(tally) };
        pins.0.push(pin(&view.tally));
        pins.1.push(pin(&tally));
        read += 1;
        progress(read);
    }
    let is_published = window.span == Span::Hour || made.is_some();
    let published = if is_published { card } else { old_score.finish(Basis::Hours(pins.0), None) };
    Ok(Rescored { other: new_score.finish(Basis::Hours(pins.1), None), published })
}

/// How each operator fares, over all its work, then by kind of work.
pub fn differences(rescored: &Rescored) -> Vec<Difference> {
    type Side = (Option<Ppm>, Grade, Option<String>);
    let mut sides: BTreeMap<(Address, String), [Option<Side>; 2]> = BTreeMap::new();
    for (place, card) in [&rescored.published, &rescored.other].into_iter().enumerate() {
        for scored in &card.results {
            let Some(operator) = scored.operator else { continue };
            let work = scored.class.as_ref().map_or_else(String::new, |class| {
                let word = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
                let pipeline = word(class.pipeline.as_ref().map(|it| it.as_str()));
                let model = word(class.model.as_ref().map(|it| it.as_str()));
                format!("{} {pipeline} {model}", class.workload)
            });
            let both = sides.entry((operator, work)).or_default();
            if let Some(side) = both.get_mut(place) {
                *side = Some((scored.score, scored.grade, scored.reason.clone()));
            }
        }
    }
    let none = || (None, Grade::Insufficient, Some("no result".to_owned()));
    let rows = sides.into_iter().map(|((operator, work), [published, other])| {
        let (published, other) = (published.unwrap_or_else(none), other.unwrap_or_else(none));
        Difference {
            work: if work.is_empty() { "all".to_owned() } else { work },
            operator,
            other: (other.0, other.1),
            published: (published.0, published.1),
            reason: other.2,
        }
    });
    rows.collect()
}

/// What the published scorecard rests on beside its hours.
struct Kept {
    policy: Policy,
    trust: TrustFile,
}

impl Hours<'_> {
    /// Those of the hours that are settled.
    fn settled(&self, hours: impl Iterator<Item = Hour>) -> Result<Vec<Hour>, Error> {
        let mut settled = Vec::new();
        for hour in hours {
            if !self.reader.revisions(self.network, hour)?.is_empty() {
                settled.push(hour);
            }
        }
        Ok(settled)
    }

    fn view(&self, hour: Hour) -> Result<HourView, Error> {
        let view = self.reader.hour_record(self.network, hour, None)?;
        view.ok_or_else(|| Error::Absent(format!("{} {hour} is not settled", self.network)))
    }

    /// A longer window, if it was made.
    fn made(&self, window: Window) -> Result<Option<WindowView>, Error> {
        if window.span == Span::Hour {
            return Ok(None);
        }
        Ok(self.reader.window_record(self.network, window)?)
    }

    fn document(&self, digest: &Digest, what: &str) -> Result<Vec<u8>, Error> {
        let bytes = self.reader.document(digest)?;
        bytes.ok_or_else(|| Error::Absent(format!("{what} {digest} was not kept")))
    }

    fn kept(&self, card: &Scorecard) -> Result<Kept, Error> {
        let text = self.document(&card.policy.hash, "the policy")?;
        let text = String::from_utf8(text).map_err(|error| unusable("the policy", &error))?;
        let policy = Policy::parse(&text).map_err(|error| unusable("the policy", &error))?;
        let trust = self.document(&card.trust, "the trust file")?;
        let trust =
            serde_json::from_slice(&trust).map_err(|error| unusable("the trust file", &error))?;
        Ok(Kept { policy, trust })
    }

    fn register(&self, context: &Context) -> Result<Register, Error> {
        let Some(digest) = context.register() else { return Ok(Register::default()) };
        if digest == Register::default().digest() {
            return Ok(Register::default());
        }
        let bytes = self.document(&digest, "the register")?;
        serde_json::from_slice(&bytes).map_err(|error| unusable("the register", &error))
    }

    /// The counts of an hour as the policy measures it.
    fn tally(&self, hour: Hour, view: &HourView, kept: &Kept) -> Result<Tally, Error> {
        if self.policy.observe.hash() == kept.policy.observe.hash() {
            return Ok(view.tally.clone());
        }
        let mut batches = Vec::with_capacity(view.used.len());
        for ordinal in &view.used {
            let absent = || Error::Absent(format!("ledger record {ordinal} is not there"));
            let entry = self.ledger.get(*ordinal)?.ok_or_else(absent)?;
            batches.push(note::open(*ordinal, &entry)?);
        }
        let authority = Authority::of(&kept.trust, &batches);
        let all: Vec<&Opened> = batches.iter().collect();
        let (open, observe) = (view.context.open(), &self.policy.observe);
        Ok(settle(hour, &all, open, &authority, observe, Detail::Hour).tally)
    }
}

fn read_card(bytes: &[u8]) -> Result<Scorecard, Error> {
    serde_json::from_slice(bytes).map_err(|error| unusable("a scorecard", &error))
}

fn unusable(what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Absent(format!("{what} that was kept cannot be read: {why}"))
}
