//! How one tenure of a live session goes, decided before it begins.
//!
//! It draws and decides; nothing is said here.

use events::unit::Ppm;

use super::stage::Stage;
use crate::cast::Orchestrator;
use crate::truth::{Fault, Outcome};

/// How one orchestrator's time with a session goes. Moments are true time.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    /// When the gateway found it.
    pub selected_ms: u64,
    /// When it got the session.
    pub assigned_ms: u64,
    /// When its first output arrived, if any did.
    pub first_ms: Option<u64>,
    /// When three outputs had arrived.
    pub few_ms: Option<u64>,
    /// When it ended.
    pub until_ms: u64,
    /// When the runner has an error or a restart.
    pub mishap_ms: Option<u64>,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// Whether the session was taken from it.
    pub is_swapped: bool,
    /// Who has it, by place among the orchestrators.
    pub orchestrator: usize,
    /// Frames out for each hundred frames in.
    pub yield_percent: u64,
}

impl Tenure {
    /// Whether this went wrong.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// How it really ended.
    pub fn outcome(&self) -> Outcome {
        match (self.first_ms, self.is_swapped || self.has(Fault::Outage)) {
            (None, _) => Outcome::Dead,
            (Some(_), true) => Outcome::Cut,
            (Some(_), false) => Outcome::Served,
        }
    }

    /// Whether the orchestrator itself could still speak when it ended.
    pub fn is_heard(&self) -> bool {
        !self.has(Fault::Outage)
    }
}

/// Decides how an orchestrator does that is found at `selected` and may hold the session until `close`.
pub(crate) fn tenure(
    stage: &mut Stage,
    orchestrator: usize,
    typical_ms: u64,
    selected: u64,
    close: u64,
) -> Tenure {
    let cast = std::sync::Arc::clone(&stage.cast);
    let faults = stage.options.faults;
    let mut tenure = Tenure {
        selected_ms: selected,
        assigned_ms: selected,
        first_ms: None,
        few_ms: None,
        until_ms: close,
        mishap_ms: None,
        faults: Vec::new(),
        is_swapped: false,
        orchestrator,
        yield_percent: stage.chance.between(88, 99),
    };
    let Some(seller) = cast.orchestrators.get(orchestrator) else { return tenure };
    let mut startup = stage.chance.around(typical_ms * seller.pace_percent / 100);
    if draw(stage, seller, faults.slow) {
        tenure.faults.push(Fault::Slow);
        startup *= stage.chance.between(3, 7);
    }
    tenure.assigned_ms = selected + startup * 4 / 5;
    // A user who has waited so long waits a little more.
    let close = close.max(tenure.assigned_ms + 6_000);
    tenure.until_ms = close;
    fall_out(stage, seller, &mut tenure, startup / 5, close);
    cut_by_outage(stage, seller.node, &mut tenure);
    if tenure.until_ms >= close {
        // The user was gone before the gateway gave up on the orchestrator.
        tenure.until_ms = close;
        tenure.is_swapped = false;
    }
    let until = tenure.until_ms;
    tenure.first_ms = tenure.first_ms.filter(|at| *at < until);
    tenure.few_ms = tenure.few_ms.filter(|at| *at < until);
    tenure.mishap_ms = tenure.mishap_ms.filter(|at| *at < until);
    let is_claimed = tenure.has(Fault::DeadStart) || tenure.has(Fault::Swap);
    if is_claimed
        && tenure.is_heard()
        && is_speaking(stage, seller.node)
        && stage.chance.happens(faults.dispute)
    {
        tenure.faults.push(Fault::Dispute);
    }
    tenure
}

/// Whether a mishap befalls an orchestrator that is more or less prone to it.
fn draw(stage: &mut Stage, seller: &Orchestrator, likely: Ppm) -> bool {
    let likely = stage.prone(likely, seller);
    stage.chance.happens(likely)
}

/// Decides what comes of a session once the orchestrator has it: the first output would come `wait` later.
fn fall_out(stage: &mut Stage, seller: &Orchestrator, tenure: &mut Tenure, wait: u64, close: u64) {
    let faults = stage.options.faults;
    let first = tenure.assigned_ms + wait;
    let few = first + stage.chance.between(2_000, 4_600);
    if draw(stage, seller, faults.dead_start) {
        tenure.faults.push(Fault::DeadStart);
        tenure.is_swapped = true;
        tenure.until_ms = tenure.assigned_ms + stage.chance.between(8_000, 31_000);
    } else {
        tenure.first_ms = Some(first);
        tenure.few_ms = Some(few);
        if draw(stage, seller, faults.swap) && few + 20_000 < close {
            tenure.faults.push(Fault::Swap);
            tenure.is_swapped = true;
            tenure.until_ms = stage.chance.between(few + 10_000, close - 5_000);
        }
        if draw(stage, seller, faults.low_fps) {
            tenure.faults.push(Fault::LowFps);
            tenure.yield_percent = stage.chance.between(18, 45);
        }
        for (fault, likely) in
            [(Fault::RunnerError, faults.runner_error), (Fault::Restart, faults.restart)]
        {
            if tenure.mishap_ms.is_none() && draw(stage, seller, likely) {
                tenure.faults.push(fault);
                tenure.mishap_ms = Some(stage.chance.between(few, tenure.until_ms.max(few)));
            }
        }
    }
}

/// Most sessions at orchestrators of a region that goes out die with it.
fn cut_by_outage(stage: &mut Stage, node: usize, tenure: &mut Tenure) {
    let Some((begin, _)) = stage.outage(node, tenure.assigned_ms, tenure.until_ms) else { return };
    if !stage.chance.happens(Ppm(850_000)) {
        return;
    }
    tenure.faults.push(Fault::Outage);
    tenure.is_swapped = true;
    let silence = stage.chance.between(2_000, 20_000);
    if begin <= tenure.assigned_ms {
        tenure.first_ms = None;
        tenure.until_ms = tenure.until_ms.min(tenure.assigned_ms + silence);
    } else {
        tenure.until_ms = tenure.until_ms.min(begin + silence);
        tenure.first_ms = tenure.first_ms.filter(|at| *at < begin);
    }
}

/// Whether a node says anything.
pub(crate) fn is_speaking(stage: &Stage, node: usize) -> bool {
    stage.node(node).is_some_and(|node| node.is_speaking)
}
