//! One request and its answer: AI batch, LLM and BYOC, through as many orchestrators as it takes.
//!
//! Only gateways with the fork report requests; a stock one lets no more be seen of them than a payment.

mod claimed;
mod heard;

use std::sync::Arc;

use events::event::Workload;
use events::identity::JobId;
use events::job;
use events::unit::UnixMillis;

use super::agenda::{Handle, Step};
use super::plan::is_speaking;
use super::probe::Probe;
use super::stage::Stage;
use crate::cast::{Gateway, Listed, Orchestrator};
use crate::envelope::request::{Answer, Ended, RequestName};
use crate::truth::{Fault, Outcome, Truth};

/// A request under way.
#[derive(Debug)]
pub(crate) struct Request {
    pub job: JobId,
    id: String,
    workload: Workload,
    gateway: usize,
    model: usize,
    probe: Option<Probe>,
    begin_ms: u64,
    attempts: Vec<Attempt>,
    answer: Answer,
}

/// One try at one orchestrator. Moments are true time.
#[derive(Debug, Clone)]
struct Attempt {
    orchestrator: usize,
    begin_ms: u64,
    end_ms: u64,
    is_success: bool,
    faults: Vec<Fault>,
}

/// The most orchestrators one request goes through.
const ATTEMPTS_MAX: usize = 3;

impl Request {
    /// A request that a user makes.
    pub fn asked(stage: &mut Stage, workload: Workload) -> Option<Self> {
        // Stock gateways take AI batch too, though they say little of it.
        let is_open =
            |gateway: &Gateway| gateway.is_reporting_requests || workload == Workload::AiBatch;
        let gateways =
            stage.cast.gateways.iter().enumerate().filter(|(_, gateway)| is_open(gateway));
        let gateways: Vec<usize> = gateways.map(|(place, _)| place).collect();
        let gateway = *stage.chance.pick(&gateways)?;
        Self::new(stage, workload, gateway, None)
    }

    /// A request through this gateway, by a user or a tester.
    pub fn new(
        stage: &mut Stage,
        workload: Workload,
        gateway: usize,
        probe: Option<Probe>,
    ) -> Option<Self> {
        let models = stage.cast.models_of(workload);
        let model = *stage.chance.pick(&models)?;
        let id = stage.chance.hex(16);
        let completion = stage.chance.between(40, 400);
        Some(Self {
            job: job::request(workload, &id),
            id,
            workload,
            gateway,
            model,
            probe,
            begin_ms: 0,
            attempts: Vec::new(),
            answer: Answer {
                prompt: stage.chance.between(20, 900),
                completion,
                ttft_ms: stage.chance.between(180, 900),
                is_streaming: stage.chance.below(10) < 7,
            },
        })
    }

    /// Takes a step; when it begins, says about how many events it will make.
    pub fn step(&mut self, stage: &mut Stage, handle: Handle, step: Step) -> u64 {
        let cast = Arc::clone(&stage.cast);
        let (Some(listed), Some(gateway)) =
            (cast.models.get(self.model), cast.gateways.get(self.gateway))
        else {
            return 0;
        };
        let attempt = |place: u8| self.attempts.get(usize::from(place)).cloned();
        match step {
            Step::Begin => return self.begin(stage, handle, listed, gateway),
            Step::Assigned(place) => {
                attempt(place)
                    .into_iter()
                    .for_each(|it| self.assigned(stage, listed, gateway, &it, place));
            }
            Step::First(place) => {
                attempt(place).into_iter().for_each(|it| self.first(stage, listed, &it))
            }
            Step::Left(place) => {
                attempt(place).into_iter().for_each(|it| self.left(stage, listed, &it, place))
            }
            Step::Close => self.close(stage, listed, gateway),
            _ => (),
        }
        0
    }

    fn begin(
        &mut self,
        stage: &mut Stage,
        handle: Handle,
        listed: &Listed,
        gateway: &Gateway,
    ) -> u64 {
        self.begin_ms = stage.now;
        if !stage.chance.happens(stage.options.faults.unserved) {
            self.decide(stage, listed);
        }
        for (place, attempt) in (0u8..).zip(&self.attempts) {
            stage.plan(attempt.begin_ms, handle, Step::Assigned(place));
            let first = attempt.begin_ms + self.answer.ttft_ms;
            if attempt.is_success && self.workload == Workload::Llm && first < attempt.end_ms {
                stage.plan(first, handle, Step::First(place));
            }
            stage.plan(attempt.end_ms, handle, Step::Left(place));
        }
        let end = self.attempts.last().map_or(stage.now + 2_000, |last| last.end_ms + 4);
        stage.plan(end, handle, Step::Close);
        stage.plan(end + 1, handle, Step::Gone);
        self.keep_truth(stage);
        self.opened(stage, listed, gateway);
        match self.workload {
            Workload::Byoc => 10,
            Workload::Llm => 6,
            _ => 4,
        }
    }

    fn decide(&mut self, stage: &mut Stage, listed: &Listed) {
        let mut tried = Vec::new();
        let mut begin = stage.now + stage.chance.between(20, 200);
        while self.attempts.len() < ATTEMPTS_MAX {
            let Some(seller) = stage.seller(&listed.sellers, &tried) else { break };
            tried.push(seller);
            let attempt = attempt(stage, seller, listed.typical_ms, begin);
            begin = attempt.end_ms + stage.chance.between(5, 80);
            let is_last = attempt.is_success || attempt.faults.contains(&Fault::Dispute);
            self.attempts.push(attempt);
            if is_last {
                return;
            }
        }
    }

    fn keep_truth(&self, stage: &mut Stage) {
        let truth = |at: u64, orchestrator, faults, outcome| Truth {
            at_ms: UnixMillis(at),
            faults,
            is_probe: self.probe.is_some(),
            job_id: self.job,
            orchestrator,
            outcome,
            workload: self.workload,
        };
        if self.attempts.is_empty() {
            stage.keep(truth(self.begin_ms, None, vec![Fault::Unserved], Outcome::Unserved));
        }
        for attempt in &self.attempts {
            let outcome = if attempt.is_success { Outcome::Served } else { Outcome::Failed };
            stage.keep(truth(
                attempt.begin_ms,
                Some(attempt.orchestrator),
                attempt.faults.clone(),
                outcome,
            ));
        }
    }

    fn named<'a>(&'a self, listed: &'a Listed) -> RequestName<'a> {
        RequestName {
            id: &self.id,
            pipeline: listed.pipeline.as_str(),
            model: listed.model.as_str(),
        }
    }

    fn ended<'a>(
        &self,
        orchestrator: Option<&'a Orchestrator>,
        begin: u64,
        end: u64,
        is_success: bool,
    ) -> Ended<'a> {
        let offer =
            orchestrator.and_then(|it| it.offers.iter().find(|offer| offer.model == self.model));
        Ended {
            is_success,
            tries: u64::try_from(self.attempts.len()).unwrap_or(0),
            duration_ms: end - begin,
            url: orchestrator.map_or("", |orchestrator| &orchestrator.written.url),
            price_wei: offer.map_or(0, |offer| offer.price_wei),
            error: match (is_success, orchestrator) {
                (true, _) => ("", ""),
                (false, None) => ("no_orchestrators", "no orchestrators available"),
                (false, Some(_)) => ("timeout", "context deadline exceeded"),
            },
        }
    }
}

/// Decides how an orchestrator does with a request it gets at `begin`.
fn attempt(stage: &mut Stage, place: usize, typical_ms: u64, begin: u64) -> Attempt {
    let cast = Arc::clone(&stage.cast);
    let faults = stage.options.faults;
    let mut attempt = Attempt {
        orchestrator: place,
        begin_ms: begin,
        end_ms: begin,
        is_success: true,
        faults: Vec::new(),
    };
    let Some(orchestrator) = cast.orchestrators.get(place) else { return attempt };
    let mut took = stage.chance.around(typical_ms * orchestrator.pace_percent / 100);
    if stage.chance.happens(stage.prone(faults.slow, orchestrator)) {
        attempt.faults.push(Fault::Slow);
        took *= stage.chance.between(3, 6);
    }
    let is_out = stage.outage(orchestrator.node, begin, begin + took).is_some();
    if is_out && stage.chance.below(10) < 8 {
        attempt.faults.push(Fault::Outage);
        attempt.is_success = false;
        took = stage.chance.between(3_000, 12_000);
    } else if stage.chance.happens(stage.prone(faults.failure, orchestrator)) {
        attempt.faults.push(Fault::Failure);
        attempt.is_success = false;
        if is_speaking(stage, orchestrator.node) && stage.chance.happens(faults.dispute) {
            attempt.faults.push(Fault::Dispute);
        }
    }
    attempt.end_ms = begin + took;
    attempt
}
