//! Counts what is under way in a channel, so that closing can refuse the new, await the old, then end the rest.
//! It never knows what passes through it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{Error, Result};

/// The state of a gate.
#[derive(Clone, Copy, Default)]
struct State {
    inside: usize,
    is_closing: bool,
    is_closed: bool,
}

/// Something that can be entered until it is closed.
#[derive(Clone)]
pub(crate) struct Gate {
    state: Arc<watch::Sender<State>>,
}

/// One entry; dropping it leaves.
pub(crate) struct Pass {
    gate: Gate,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// Enters, unless closing has begun.
    pub(crate) fn enter(&self) -> Result<Pass> {
        let mut is_inside = false;
        self.state.send_if_modified(|state| {
            is_inside = !state.is_closing;
            state.inside += usize::from(is_inside);
            false
        });
        if is_inside { Ok(Pass { gate: self.clone() }) } else { Err(Error::Closed) }
    }

    /// [`Error::Closed`] once closing has begun.
    pub(crate) fn check(&self) -> Result<()> {
        if self.state.borrow().is_closing { Err(Error::Closed) } else { Ok(()) }
    }

    /// Ends when closing has ended.
    pub(crate) async fn closed(&self) {
        self.until(|state| state.is_closed).await;
    }

    /// Refuses new entries, waits up to `drain` until everyone left, then opens [`Gate::closed`].
    pub(crate) async fn close(&self, drain: Duration) -> Result<()> {
        self.state.send_modify(|state| state.is_closing = true);
        let waited = tokio::time::timeout(drain, self.until(|state| state.inside == 0)).await;
        self.state.send_modify(|state| state.is_closed = true);
        let left = self.state.borrow().inside;
        if waited.is_ok() || left == 0 {
            return Ok(());
        }
        Err(Error::Undrained {
            left,
            waited_ms: u64::try_from(drain.as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn until(&self, is_reached: impl Fn(&State) -> bool) {
        let mut receiver = self.state.subscribe();
        // The sender lives in `self`, so the only way out is the state that was awaited.
        if receiver.wait_for(|state| is_reached(state)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.state.send_modify(|state| state.inside = state.inside.saturating_sub(1));
    }
}
