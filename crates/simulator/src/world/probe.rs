//! Testers: they bind themselves to tests, have them run through a gateway like any work, and show them afterwards.
//!
//! What a test gives is decided by the job itself; here it is only asked for, reported and revealed.

use std::sync::Arc;

use events::body::Body;
use events::body::probe::{Committed, Observed, Revealed, commitment};
use events::body::{self, Reason};
use events::event::{Origin, Workload};
use events::unit::{HOUR_MS, Millis};

use super::Job;
use super::agenda::Task;
use super::beat::less_often;
use super::live::Live;
use super::pace::share;
use super::request::Request;
use super::stage::{Stage, Topic};
use crate::options::MINUTE_MS;

/// A job's tie to the tester who asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    tester: usize,
}

/// How long after its commitment a round is revealed; by then every test of it has ended.
const REVEAL_AFTER_MS: u64 = 4 * MINUTE_MS;

/// The latest minute of an hour at which a round may begin, so that its reveal falls into the same hour.
const LAST_BEGIN_MS: u64 = HOUR_MS - REVEAL_AFTER_MS - 2 * MINUTE_MS;

/// Plans a round of a tester: says the commitment and gives the jobs, each with its wait.
pub(crate) fn round(stage: &mut Stage, tester: usize) -> Vec<(Job, u64)> {
    let into_hour = stage.now % HOUR_MS;
    if into_hour > LAST_BEGIN_MS {
        let wait = HOUR_MS - into_hour + stage.chance.between(1_000, MINUTE_MS);
        stage.later(wait, Task::Round(tester));
        return Vec::new();
    }
    let wait = less_often(stage, stage.options.probe_every_ms);
    stage.later(wait, Task::Round(tester));
    let gateways =
        stage.cast.gateways.iter().enumerate().filter(|(_, gateway)| gateway.is_reporting_requests);
    let gateways: Vec<usize> = gateways.map(|(place, _)| place).collect();
    let Some(gateway) = stage.chance.pick(&gateways).copied() else { return Vec::new() };
    let probe = Some(Probe { tester });
    let mut jobs = Vec::new();
    let mut names = Vec::new();
    for workload in [Workload::LiveVideo, Workload::Byoc, Workload::Llm, Workload::AiBatch] {
        if stage.chance.below(3) == 0 || share(&stage.options, workload) == 0 {
            continue;
        }
        // By no clock may a test begin before it is bound.
        let apart = 2 * stage.options.skew_max_ms;
        let begin = apart + stage.chance.between(10_000, 60_000);
        if workload == Workload::LiveVideo {
            let length = stage.chance.between(40_000, 90_000);
            let Some(live) = Live::new(stage, gateway, length, probe) else { continue };
            names.push(live.job);
            jobs.push((Job::Live(Box::new(live)), begin));
        } else {
            let Some(request) = Request::new(stage, workload, gateway, probe) else { continue };
            names.push(request.job);
            jobs.push((Job::Request(Box::new(request)), begin));
        }
    }
    if names.is_empty() {
        return jobs;
    }
    names.sort_unstable();
    let nonce = stage.chance.digest();
    let commitment = commitment(&names, &nonce);
    let count = u32::try_from(names.len()).unwrap_or(0);
    stage.say(tester, topic(), Body::ProbeCommitted(Committed { commitment, jobs: count }));
    let revealed = Revealed { commitment, jobs: names, nonce };
    stage.later(REVEAL_AFTER_MS, Task::Reveal(tester, Box::new(revealed)));
    jobs
}

/// Says which jobs of a round were tests.
pub(crate) fn reveal(stage: &mut Stage, tester: usize, revealed: Revealed) {
    stage.say(tester, topic(), Body::ProbeRevealed(revealed));
}

fn topic() -> Topic<'static> {
    Topic { origin: Some(Origin::Probe), ..Topic::default() }
}

impl Probe {
    /// Reports what a test gave: who was tested, and the whole duration and the time to the first output.
    pub fn observed(
        self,
        stage: &mut Stage,
        topic: Topic<'_>,
        orchestrator: Option<usize>,
        is_success: bool,
        (duration_ms, first_output_ms): (u64, Option<u64>),
    ) {
        let cast = Arc::clone(&stage.cast);
        let tested = orchestrator.and_then(|place| cast.orchestrators.get(place));
        let reason = match (is_success, tested) {
            (true, _) => None,
            (false, None) => Some(Reason::NoOrchestrator),
            (false, Some(_)) => Some(Reason::Timeout),
        };
        let observed = Observed {
            duration_ms: Some(Millis(duration_ms)),
            first_output_ms: first_output_ms.map(Millis),
            measured: None,
            orchestrator: tested
                .map_or_else(body::Orchestrator::default, |tested| tested.named.clone()),
            reason,
            scenario: "round-trip/1".parse().expect("a short plain word is a label"),
            success: is_success,
        };
        stage.say(self.tester, topic, Body::ProbeObserved(observed));
    }
}
