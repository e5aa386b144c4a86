//! A live video session: asked for, given from orchestrator to orchestrator, and closed.
//!
//! All is decided when it begins; each later step only says what each party sees at that moment.

mod claimed;
mod heard;

use std::sync::Arc;

use events::event::{Origin, Workload};
use events::identity::JobId;
use events::job;
use events::unit::UnixMillis;

use super::agenda::{Handle, Step};
use super::plan::{self, Tenure};
use super::probe::Probe;
use super::stage::{Stage, Topic};
use crate::cast::{Cast, Listed, Orchestrator};
use crate::envelope::live::SessionName;
use crate::truth::{Fault, Outcome, Truth};

/// A session under way.
#[derive(Debug)]
pub(crate) struct Live {
    pub name: SessionName,
    pub job: JobId,
    gateway: usize,
    model: usize,
    probe: Option<Probe>,
    begin_ms: u64,
    close_ms: u64,
    tenures: Vec<Tenure>,
    fps_in_millionths: u64,
    params_hash: String,
    manifest_id: String,
    payments: u64,
    is_native_ingest: bool,
    is_user_gone: bool,
    is_weak: bool,
}

/// The most orchestrators one session goes through.
const TENURES_MAX: usize = 3;

/// The time between two statuses, two words about the input, and two words of the worker.
const STATUS_EVERY_MS: u64 = 10_000;
const INGEST_EVERY_MS: u64 = 5_000;
const WORKER_EVERY_MS: u64 = 30_000;

impl Live {
    /// A session that a user asks for.
    pub fn asked(stage: &mut Stage) -> Option<Self> {
        let gateway = stage.chance.below(u64::try_from(stage.cast.gateways.len()).unwrap_or(1));
        let length = stage
            .chance
            .waiting(stage.options.session_mean_ms)
            .clamp(15_000, 8 * stage.options.session_mean_ms);
        Self::new(stage, usize::try_from(gateway).unwrap_or(0), length, None)
    }

    /// A session of this length through this gateway, by a user or a tester.
    pub fn new(
        stage: &mut Stage,
        gateway: usize,
        length_ms: u64,
        probe: Option<Probe>,
    ) -> Option<Self> {
        let models = stage.cast.models_of(Workload::LiveVideo);
        let model = *stage.chance.pick(&models)?;
        let prefix = if probe.is_some() { "aiJobTesterStream" } else { "stream" };
        let stream_id = format!("{prefix}-{}-{}", stage.chance.base36(6), stage.chance.base36(8));
        let name = SessionName { stream_id, request_id: stage.chance.hex(8) };
        let faults = stage.options.faults;
        let is_weak = probe.is_none() && stage.chance.happens(faults.weak_input);
        let fps_in = if is_weak {
            stage.chance.between(3_000, 8_000)
        } else {
            stage.chance.between(19_500, 30_200)
        };
        Some(Self {
            job: job::live_video(&name.stream_id, &name.request_id),
            name,
            gateway,
            model,
            begin_ms: 0,
            close_ms: length_ms,
            tenures: Vec::new(),
            fps_in_millionths: fps_in * 1_000,
            params_hash: stage.chance.hex(32),
            manifest_id: stage.chance.hex(8),
            payments: 0,
            is_native_ingest: stage.chance.below(10) < 7,
            is_user_gone: probe.is_none() && stage.chance.happens(faults.user_disconnect),
            is_weak,
            probe,
        })
    }

    /// Takes a step; when it begins, says about how many events it will make.
    pub fn step(&mut self, stage: &mut Stage, handle: Handle, step: Step) -> u64 {
        let cast = Arc::clone(&stage.cast);
        let Some(listed) = cast.models.get(self.model) else { return 0 };
        let tenure = |place: u8| self.tenures.get(usize::from(place)).cloned();
        match step {
            Step::Begin => return self.begin(stage, handle, listed),
            Step::Selected(place) => {
                tenure(place).into_iter().for_each(|it| self.selected(stage, listed, &it, place))
            }
            Step::Assigned(place) => {
                tenure(place).into_iter().for_each(|it| self.assigned(stage, listed, &it, place))
            }
            Step::RunnerIn(place) => {
                self.runner(stage, tenure(place), "runner_receive_first_ingest_segment", 350)
            }
            Step::RunnerOut(place) => {
                self.runner(stage, tenure(place), "runner_send_first_processed_segment", 0)
            }
            Step::First(place) => {
                tenure(place).into_iter().for_each(|it| self.first(stage, listed, &it))
            }
            Step::Few(place) => {
                self.trace(stage, tenure(place).as_ref(), "gateway_receive_few_processed_segments")
            }
            Step::Mishap(place) => {
                tenure(place).into_iter().for_each(|it| self.mishap(stage, listed, &it))
            }
            Step::Left(place) => {
                tenure(place).into_iter().for_each(|it| self.left(stage, listed, &it))
            }
            Step::Status => self.every(stage, handle, step, STATUS_EVERY_MS, |live, stage| {
                live.status(stage, listed)
            }),
            Step::Ingest => self.every(stage, handle, step, INGEST_EVERY_MS, Self::ingest),
            Step::Worker => self.every(stage, handle, step, WORKER_EVERY_MS, |live, stage| {
                live.worker(stage, listed)
            }),
            Step::Pay => {
                let wait = if self.payments < 3 { 6_000 } else { 50_000 };
                self.every(stage, handle, step, wait, |live, stage| live.pay(stage, listed));
            }
            Step::Close => self.close(stage, listed),
            Step::Segment | Step::Gone => (),
        }
        0
    }

    /// Says something now and again until the session is closed.
    fn every(
        &mut self,
        stage: &mut Stage,
        handle: Handle,
        step: Step,
        wait: u64,
        say: impl Fn(&mut Self, &mut Stage),
    ) {
        if stage.now >= self.close_ms {
            return;
        }
        say(self, stage);
        let jitter = stage.chance.below(18);
        stage.plan(stage.now + wait - 8 + jitter, handle, step);
    }

    fn begin(&mut self, stage: &mut Stage, handle: Handle, listed: &Listed) -> u64 {
        self.begin_ms = stage.now;
        self.close_ms += stage.now;
        self.trace(stage, None, "gateway_receive_stream_request");
        let is_unserved = stage.chance.happens(stage.options.faults.unserved);
        if !is_unserved {
            self.decide(stage, listed);
        }
        for (place, tenure) in (0u8..).zip(&self.tenures) {
            stage.plan(tenure.selected_ms, handle, Step::Selected(place));
            stage.plan(tenure.assigned_ms, handle, Step::Assigned(place));
            if let Some(first) = tenure.first_ms {
                stage.plan(tenure.assigned_ms + 2, handle, Step::RunnerIn(place));
                stage.plan(
                    first.saturating_sub(260).max(tenure.assigned_ms + 2),
                    handle,
                    Step::RunnerOut(place),
                );
                stage.plan(first, handle, Step::First(place));
            }
            if let Some(few) = tenure.few_ms {
                stage.plan(few, handle, Step::Few(place));
            }
            if tenure.first_ms.is_none() && tenure.has(Fault::Dispute) {
                stage.plan(tenure.assigned_ms + 900, handle, Step::Mishap(place));
            }
            if let Some(mishap) = tenure.mishap_ms {
                stage.plan(mishap, handle, Step::Mishap(place));
            }
            stage.plan(tenure.until_ms, handle, Step::Left(place));
        }
        self.keep_truth(stage);
        let lived = match self.tenures.first() {
            None => {
                self.close_ms = stage.now + stage.chance.between(2_000, 2_600);
                0
            }
            Some(first) => {
                stage.plan(first.assigned_ms + STATUS_EVERY_MS, handle, Step::Status);
                stage.plan(first.assigned_ms + STATUS_EVERY_MS, handle, Step::Worker);
                stage.plan(first.assigned_ms + 4_000, handle, Step::Pay);
                if self.is_native_ingest {
                    stage.plan(stage.now + INGEST_EVERY_MS, handle, Step::Ingest);
                }
                self.close_ms - stage.now
            }
        };
        stage.plan(self.close_ms, handle, Step::Close);
        stage.plan(self.close_ms + 1, handle, Step::Gone);
        self.cost(lived, stage)
    }

    fn decide(&mut self, stage: &mut Stage, listed: &Listed) {
        let mut tried = Vec::new();
        let mut selected = stage.now + stage.chance.between(150, 900);
        while self.tenures.len() < TENURES_MAX && selected < self.close_ms {
            let Some(seller) = stage.seller(&listed.sellers, &tried) else { break };
            tried.push(seller);
            let tenure = plan::tenure(stage, seller, listed.typical_ms, selected, self.close_ms);
            let (until, is_swapped) = (tenure.until_ms, tenure.is_swapped);
            self.tenures.push(tenure);
            if !is_swapped {
                self.close_ms = until;
                return;
            }
            selected = until + stage.chance.between(200, 2_500);
        }
        // Nobody is left to swap to: the session ends where its last orchestrator did.
        self.close_ms = self.tenures.last().map_or(self.close_ms, |last| last.until_ms + 600);
    }

    /// About how many events the session makes.
    fn cost(&self, lived_ms: u64, stage: &Stage) -> u64 {
        let speaking = u64::from(stage.options.speaking.0) * lived_ms / WORKER_EVERY_MS / 1_000_000;
        let ingest = if self.is_native_ingest { lived_ms / INGEST_EVERY_MS } else { 0 };
        let tenures = u64::try_from(self.tenures.len()).unwrap_or(0);
        4 + tenures * 13 + lived_ms / STATUS_EVERY_MS + ingest + speaking + lived_ms / 50_000
    }

    fn keep_truth(&self, stage: &mut Stage) {
        let truth = |at: u64, orchestrator, faults, outcome| Truth {
            at_ms: UnixMillis(at),
            faults,
            is_probe: self.probe.is_some(),
            job_id: self.job,
            orchestrator,
            outcome,
            workload: Workload::LiveVideo,
        };
        if self.tenures.is_empty() {
            stage.keep(truth(self.begin_ms, None, vec![Fault::Unserved], Outcome::Unserved));
        }
        for tenure in &self.tenures {
            stage.keep(truth(
                tenure.assigned_ms,
                Some(tenure.orchestrator),
                tenure.faults.clone(),
                tenure.outcome(),
            ));
        }
        for (is_so, fault) in
            [(self.is_user_gone, Fault::UserDisconnect), (self.is_weak, Fault::WeakInput)]
        {
            if is_so {
                stage.truths.count(fault);
            }
        }
    }

    /// The tenure that holds the session now.
    fn current(&self, now: u64) -> Option<&Tenure> {
        self.tenures.iter().rev().find(|tenure| tenure.assigned_ms <= now && now < tenure.until_ms)
    }

    /// What orchestrators and workers know of the session; they do not know who asked.
    fn topic<'a>(&self, listed: &'a Listed, origin: Option<Origin>) -> Topic<'a> {
        Topic {
            job: Some(self.job),
            listed: Some(listed),
            origin,
            workload: Some(Workload::LiveVideo),
        }
    }
}

fn seller<'a>(cast: &'a Cast, tenure: &Tenure) -> Option<&'a Orchestrator> {
    cast.orchestrators.get(tenure.orchestrator)
}
