//! The worked examples in `cases/`: each is played, settled hour by hour, and compared with what it says must come out.
//!
//! `UPDATE=1` writes the scorecards anew; what a case expects in words is only ever written by hand.

#[path = "cases/script.rs"]
mod script;

#[path = "cases/expect.rs"]
mod expect;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use events::batch::Batch;
use sla::hour::{OpenJobs, Settled};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::scorecard::Scorecard;
use sla::window::Hour;

use crate::policies::{changed, with};
use crate::settling::Question;
use script::{Play, Script};

/// One settled hour of a case.
struct Played {
    scorecard: Scorecard,
    settled: Settled,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases")
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

fn policy(script: &Script) -> Policy {
    let constants = script.constants.iter().map(|(name, value)| (name.as_str(), *value));
    let policy = changed(script.policy.as_deref().unwrap_or("reliability-1"), constants);
    with(&policy, &script.objectives)
}

/// Every hour of every case, with what it is settled from and under which name.
pub fn each_hour(
    mut look: impl FnMut(&str, &Question<'_>, &Settled, &str, (&[Batch], &[&Opened])),
) {
    for case in cases() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let script = Script::read(&case);
        let Play { batches, sent, trust } = Play::of(&script, &case);
        let policy = policy(&script);
        let batches: Vec<&Opened> = batches.iter().collect();
        let mut open = OpenJobs::new();
        for hour in script.hours {
            let question = Question { hour, open: &open, policy: &policy, trust: &trust };
            let settled = question.settle(&batches);
            look(&name, &question, &settled, &policy.text, (&sent, &batches));
            open = settled.open;
        }
    }
}

fn play(play: &Play, script: &Script) -> BTreeMap<Hour, Played> {
    let policy = policy(script);
    let batches: Vec<&Opened> = play.batches.iter().collect();
    let mut open = OpenJobs::new();
    let mut played = BTreeMap::new();
    for hour in &script.hours {
        let question = Question { hour: *hour, open: &open, policy: &policy, trust: &play.trust };
        let settled = question.settle(&batches);
        check(&question, &settled, &batches);
        let before = played.iter().map(|(hour, it): (&Hour, &Played)| (*hour, &it.settled.tally));
        let scorecard = question.score_after(before, &settled);
        open = settled.open.clone();
        played.insert(*hour, Played { scorecard, settled });
    }
    played
}

/// No case may depend on order, repetition or more than its input.
fn check(question: &Question<'_>, settled: &Settled, batches: &[&Opened]) {
    let expected = question.bytes(settled);
    let backwards: Vec<&Opened> = batches.iter().rev().copied().collect();
    assert_eq!(question.bytes(&question.settle(&backwards)), expected, "backwards");
    let twice = [batches, &backwards].concat();
    assert_eq!(question.bytes(&question.settle(&twice)), expected, "twice");
    let exported = question.exported(settled, batches);
    assert_eq!(question.bytes(&question.settle(&exported)), expected, "exported");
}

fn pretty(scorecard: &Scorecard) -> String {
    let value: serde_json::Value = serde_json::from_slice(&scorecard.bytes()).unwrap();
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

#[test]
fn every_case_comes_out_as_it_says() {
    let is_update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let script = Script::read(&case);
        let played = play(&Play::of(&script, &case), &script);
        for line in expect::differences(&script, &played) {
            wrong.push(format!("{name}: {line}"));
        }
        let last = &played.values().next_back().unwrap().scorecard;
        let path = case.join("scorecard.json");
        if is_update {
            fs::write(&path, pretty(last)).unwrap();
            continue;
        }
        let text = fs::read(&path).unwrap_or_default();
        let written: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
        let written = written.map(|value| events::canonical::write(&value).unwrap());
        if written.as_deref() != Some(&last.bytes()) {
            wrong
                .push(format!("{name}: scorecard.json differs; UPDATE=1 writes it, git shows how"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn cases_are_numbered_without_gaps() {
    let names = cases();
    assert!(names.len() >= 12);
    for (number, case) in (1..).zip(names) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(&format!("{number:04}-")), "{name} is not case {number}");
    }
}
