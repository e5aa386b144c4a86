//! What a case expects, in the words of its `case.toml`, and where the outcome differs from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use events::event::Origin;
use events::identity::{Address, JobId};
use serde::Deserialize;
use sla::hour::fact::{JobFact, TenureFact};
use sla::join::obligation::Owed;
use sla::scorecard::{Excluded, Grade, Scored};
use sla::tally::outcome::Outcome;
use sla::window::Hour;

use super::Played;
use super::script::Script;

/// What must come out. Lists are complete: what is not expected must not be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// How far reporters agree, in lines such as `gateway-1 orchestrator-1: both 1, disputed 1, clock_skew 1`.
    #[serde(default)]
    agreements: Vec<String>,
    /// Who is one party, each cluster as its names in a line.
    #[serde(default)]
    clusters: Vec<String>,
    /// The outcome in words.
    #[expect(dead_code, reason = "for the reader")]
    outcome: String,
    #[serde(default)]
    demand: Vec<Asked>,
    #[serde(default)]
    job: Vec<Job>,
    #[serde(default)]
    refused: Vec<Refused>,
    #[serde(default)]
    result: Vec<Result>,
    #[serde(default)]
    tenure: Vec<Tenure>,
}

/// How a job stands after an hour; the last hour where none is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    /// Its workload, pipeline and model in one line, `-` for what is unknown.
    class: Option<String>,
    hour: Option<Hour>,
    is_open: Option<bool>,
    job: String,
    origin: Option<String>,
    /// Where it was asked for, `-` where that is unknown.
    region: Option<String>,
    state: String,
}

/// One tenure of a job in an hour. All of a job's tenures stand in order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenure {
    ended: Option<String>,
    first_output_after_ms: Option<u64>,
    fps_in: Option<u32>,
    fps_out: Option<u32>,
    hour: Option<Hour>,
    is_self_told: Option<bool>,
    job: String,
    /// Who answers for it, by name; absent where nobody can tell.
    operator: Option<String>,
    orchestrator: String,
    /// `start good`, `ending excused user_left`, ...
    owed: Vec<String>,
    reason: Option<String>,
    samples: Option<u64>,
    /// Where it was seen, `-` for nowhere; at its own URL where nothing is said.
    seen_at: Option<String>,
}

/// The result of one operator, or of the signer of an unknown one, over all its work in the last hour.
#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Result {
    /// What counts for nothing, such as `linked 4`.
    #[serde(default)]
    excluded: BTreeSet<String>,
    grade: Grade,
    operator: Option<String>,
    score: Option<u32>,
    signer: Option<String>,
    #[serde(default)]
    sources: BTreeSet<String>,
    tenures: u64,
}

/// What was refused in the last hour.
#[derive(Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
#[serde(deny_unknown_fields)]
struct Refused {
    by: String,
    code: String,
    count: u64,
}

/// Demand in an hour, summed over everything a reporter told; of one origin where it is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    by: String,
    hour: Option<Hour>,
    jobs: u64,
    origin: Option<Origin>,
    served_ms: u64,
    unserved: u64,
}

/// Everything in which the outcome differs from what is expected.
pub fn differences(script: &Script, played: &BTreeMap<Hour, Played>) -> Vec<String> {
    let mut found = Differences { script, played, lines: Vec::new() };
    found.tenures();
    found.jobs();
    found.results();
    found.refusals();
    found.demand();
    found.parties();
    found.lines
}

struct Differences<'a> {
    lines: Vec<String>,
    played: &'a BTreeMap<Hour, Played>,
    script: &'a Script,
}

impl Differences<'_> {
    fn compare<T: PartialEq + Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.lines.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn last(&self) -> Hour {
        *self.played.keys().next_back().unwrap()
    }

    fn fact(&self, hour: Hour, job: JobId) -> Option<JobFact> {
        self.played[&hour].settled.jobs.iter().find(|fact| fact.job_id == job).cloned()
    }

    fn name(&self, address: Address) -> String {
        let mut names = self.script.cast.keys();
        let is_it = |name: &&String| {
            let person = self.script.person(name);
            person.address == address || person.signer == address
        };
        names.find(is_it).cloned().unwrap_or(address.to_string())
    }

    fn tenures(&mut self) {
        let mut by_job: BTreeMap<(Hour, JobId), Vec<&Tenure>> = BTreeMap::new();
        for tenure in &self.script.expect.tenure {
            let hour = tenure.hour.unwrap_or(self.last());
            by_job.entry((hour, self.script.job(&tenure.job))).or_default().push(tenure);
        }
        for (hour, played) in self.played {
            for fact in &played.settled.jobs {
                by_job.entry((*hour, fact.job_id)).or_default();
            }
        }
        for ((hour, job), expected) in by_job {
            let found = self.fact(hour, job).map_or_else(Vec::new, |fact| fact.tenures);
            self.compare(&format!("{hour} tenures of {job}"), &expected.len(), &found.len());
            for (expected, found) in expected.into_iter().zip(found) {
                self.tenure(hour, expected, &found);
            }
        }
    }

    fn tenure(&mut self, hour: Hour, expected: &Tenure, found: &TenureFact) {
        let what =
            |part: &str| format!("{hour} {} at {}: {part}", expected.job, expected.orchestrator);
        let own = || self.script.person(&expected.orchestrator).url.to_string();
        let url = expected.seen_at.clone().unwrap_or_else(own);
        self.compare(&what("url"), &url, &word(&found.orchestrator.url));
        let operator = found.operator.map(|operator| self.name(operator));
        self.compare(&what("operator"), &expected.operator, &operator);
        self.compare(&what("ended"), &expected.ended, &found.ended);
        let reason = found.reason.map(|reason| reason.to_string());
        self.compare(&what("reason"), &expected.reason, &reason);
        let owed: Vec<String> = found.owed.iter().map(said).collect();
        self.compare(&what("owed"), &expected.owed, &owed);
        let waited = found.first_output_ms.map(|came| came.0.saturating_sub(found.start_ms.0));
        if expected.first_output_after_ms.is_some() {
            self.compare(&what("first output"), &expected.first_output_after_ms, &waited);
        }
        if expected.samples.is_some() {
            self.compare(&what("samples"), &expected.samples, &Some(found.samples));
        }
        for (part, expected, found) in [
            ("fps in", expected.fps_in, found.fps_in),
            ("fps out", expected.fps_out, found.fps_out),
        ] {
            if expected.is_some() {
                self.compare(&what(part), &expected, &found.map(|fps| fps.0));
            }
        }
        if let Some(is_self_told) = expected.is_self_told {
            self.compare(&what("self-told"), &is_self_told, &found.self_told);
        }
    }

    fn jobs(&mut self) {
        for job in &self.script.expect.job {
            let hour = job.hour.unwrap_or(self.last());
            let job_id = self.script.job(&job.job);
            let fact = self.fact(hour, job_id);
            let what = format!("{hour} {}", job.job);
            let state = fact.as_ref().map(|fact| fact.state.to_string());
            self.compare(&format!("{what} state"), &Some(job.state.clone()), &state);
            if let Some(is_open) = job.is_open {
                let found = self.played[&hour].settled.open.contains_key(&job_id);
                self.compare(&format!("{what} open"), &is_open, &found);
            }
            if job.class.is_some() {
                let class = fact.as_ref().map(|fact| {
                    let (pipeline, model) = (word(&fact.class.pipeline), word(&fact.class.model));
                    format!("{} {pipeline} {model}", fact.class.workload)
                });
                self.compare(&format!("{what} class"), &job.class, &class);
            }
            if job.region.is_some() {
                let region = fact.as_ref().map(|fact| word(&fact.region));
                self.compare(&format!("{what} region"), &job.region, &region);
            }
            if job.origin.is_some() {
                let origin = fact.map(|fact| fact.origin.to_string());
                self.compare(&format!("{what} origin"), &job.origin, &origin);
            }
        }
    }

    fn results(&mut self) {
        let found = self.played[&self.last()].scorecard.results.clone();
        let overall = found.iter().filter(|scored| scored.class.is_none());
        let mut found: Vec<Result> = overall.map(|scored| self.result(scored)).collect();
        for expected in &self.script.expect.result {
            match found.iter().position(|found| found == expected) {
                Some(at) => drop(found.remove(at)),
                None => self.lines.push(format!("result: expected {expected:?}, not found")),
            }
        }
        for unexpected in found {
            self.lines.push(format!("result: found {unexpected:?}, not expected"));
        }
    }

    fn result(&self, scored: &Scored) -> Result {
        let Excluded { linked, outage, own, young } = scored.excluded;
        let excluded = [("linked", linked), ("outage", outage), ("own", own), ("young", young)];
        let excluded = excluded.into_iter().filter(|(_, count)| *count > 0);
        Result {
            excluded: excluded.map(|(why, count)| format!("{why} {count}")).collect(),
            grade: scored.grade,
            operator: scored.operator.map(|operator| self.name(operator)),
            score: scored.score.map(|score| score.0),
            signer: scored.signer.map(|signer| self.name(signer)),
            sources: scored.sources.iter().map(|source| self.name(*source)).collect(),
            tenures: scored.tenures,
        }
    }

    fn refusals(&mut self) {
        let key_of = |name: &String| (self.script.person(name).key, name.clone());
        let keys: BTreeMap<_, _> = self.script.cast.keys().map(key_of).collect();
        let refused = &self.played[&self.last()].settled.refused;
        let found: BTreeSet<Refused> = refused
            .iter()
            .map(|((key, defect), count)| Refused {
                by: keys[key].clone(),
                code: defect.code().to_owned(),
                count: *count,
            })
            .collect();
        let expected = self.script.expect.refused.iter().cloned().collect();
        self.compare("refused", &expected, &found);
    }

    /// Who is one party, and how far reporters agree.
    fn parties(&mut self) {
        let card = &self.played[&self.last()].scorecard;
        let clusters = card.clusters.iter().map(|cluster| {
            let mut names: Vec<String> =
                cluster.members.iter().map(|member| self.name(*member)).collect();
            names.sort();
            names.join(" ")
        });
        let clusters: Vec<String> = clusters.collect();
        let agreements = card.agreements.iter().map(|it| {
            let (teller, other) = (self.name(it.teller), self.name(it.other));
            let mut line = format!("{teller} {other}: both {}, disputed {}", it.both, it.disputed);
            for (thing, count) in &it.disagreed {
                line.push_str(&format!(", {thing} {count}"));
            }
            if it.missing > 0 {
                line.push_str(&format!(", missing {}", it.missing));
            }
            if it.self_dealing {
                line.push_str(", self-dealing");
            }
            line
        });
        let mut agreements: Vec<String> = agreements.collect();
        agreements.sort();
        self.compare("clusters", &self.script.expect.clusters, &clusters);
        self.compare("agreements", &self.script.expect.agreements, &agreements);
    }

    fn demand(&mut self) {
        for asked in &self.script.expect.demand {
            let hour = asked.hour.unwrap_or(self.last());
            let reporter = self.script.person(&asked.by).address;
            let rows = &self.played[&hour].settled.tally.demand;
            let is_asked = |of| asked.origin.is_none_or(|origin| origin == of);
            let theirs =
                rows.iter().filter(|(key, _)| key.reporter == reporter && is_asked(key.origin));
            let found = theirs.fold((0, 0, 0), |sum, (_, demand)| {
                (sum.0 + demand.jobs, sum.1 + demand.served_ms, sum.2 + demand.unserved)
            });
            let expected = (asked.jobs, asked.served_ms, asked.unserved);
            self.compare(&format!("{hour} demand by {}", asked.by), &expected, &found);
        }
    }
}

/// A name as a case writes it.
fn word(name: &Option<impl ToString>) -> String {
    name.as_ref().map_or("-".to_owned(), ToString::to_string)
}

/// An obligation as a case writes it.
fn said(owed: &Owed) -> String {
    let outcome = match owed.outcome {
        Outcome::Good => "good".to_owned(),
        Outcome::Bad => "bad".to_owned(),
        Outcome::Missing => "missing".to_owned(),
        Outcome::Declined => "declined".to_owned(),
        Outcome::Disputed => "disputed".to_owned(),
        Outcome::Excused(excuse) => format!("excused {excuse}"),
    };
    format!("{} {outcome}", owed.obligation)
}
