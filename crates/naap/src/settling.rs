//! The settler's thread: started once everything it serves is open, woken by the door, stopped last.
//!
//! A warehouse that takes nothing just now, as on a full disk, ends no process: what is heard is kept meanwhile, and
//! settling takes up where it stopped as soon as there is room.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::health::{Check, Finding};
use api::live::Feed;
use api::metrics::{Contributor, Exposition};
use pipeline::Clock;
use pipeline::settle::Wake;
use warehouse::Reader;

use crate::accept::Fault;
use crate::process::Failures;
use crate::store::Store;
use crate::watch::{self, Counts};
use crate::web::Gifts;

/// Further behind than this many records is worth a look.
const LAG_MAX: u64 = 65_536;

/// How long settling waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// How settling goes.
enum State {
    /// It works.
    Works,
    /// It will be tried again; why it has to be.
    Waits(String),
    /// It is over.
    Over,
}

/// Tells and is told how settling goes. Clones share it.
#[derive(Clone)]
struct Board(Arc<Mutex<State>>);

impl Board {
    fn say(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// What is wrong, if anything is.
    fn fault(&self) -> Option<String> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Works => None,
            State::Waits(why) => Some(format!("waits to go on: {why}")),
            State::Over => Some("the settler has stopped".to_owned()),
        }
    }
}

/// A settler at work.
pub struct Settling {
    thread: JoinHandle<()>,
    wake: SyncSender<Wake>,
}

/// A pair that wakes a settler; one call waits at most.
pub fn waker() -> (SyncSender<Wake>, Receiver<Wake>) {
    sync_channel(1)
}

/// Starts settling `store`, and gives what the API says of it.
pub fn start(
    store: &Store,
    feed: &Arc<Feed>,
    clock: &Clock,
    (wake, woken): (SyncSender<Wake>, Receiver<Wake>),
    failures: &Failures,
    fault: &Fault,
) -> anyhow::Result<(Settling, Gifts)> {
    let counts = Counts::default();
    let board = Board(Arc::new(Mutex::new(State::Works)));
    let gifts = gifts(store, &counts, &board, fault);
    let (intake, settlers) = (Arc::clone(&store.intake), store.settlers());
    let (feed, clock) = (Arc::clone(feed), Arc::clone(clock));
    let open = move || {
        let listener = watch::listener(Arc::clone(&feed), counts.clone(), Arc::clone(&clock));
        let settler = settlers.open(listener)?;
        let (counts, intake, clock) = (counts.clone(), Arc::clone(&intake), Arc::clone(&clock));
        let run =
            move |woken: &Receiver<Wake>| settler.run(woken, &clock, &|| counts.refusals(&intake));
        Ok::<_, pipeline::Error>(run)
    };
    // What cannot be opened at the start ends the process, unless trying again can help.
    let first = match open() {
        Err(error) if !error.is_retryable() => return Err(error.into()),
        first => first,
    };
    let thread = failures.watch_thread("settling", move || {
        let outcome = keep_on(first, &open, &woken, &board, AGAIN);
        board.say(State::Over);
        Ok(outcome?)
    })?;
    Ok((Settling { thread, wake }, gifts))
}

/// Runs one settler after the other until they are told to stop: what went wrong where trying again can help is found
/// out by opening another.
fn keep_on<R: FnOnce(&Receiver<Wake>) -> Result<(), pipeline::Error>>(
    first: Result<R, pipeline::Error>,
    open: &impl Fn() -> Result<R, pipeline::Error>,
    woken: &Receiver<Wake>,
    board: &Board,
    pause: Duration,
) -> Result<(), pipeline::Error> {
    let mut run = first;
    loop {
        match run.and_then(|run| run(woken)) {
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "settling waits; what is heard is kept meanwhile");
                board.say(State::Waits(error.to_string()));
            }
            outcome => return outcome,
        }
        if is_stopped_within(woken, pause) {
            return Ok(());
        }
        run = open();
        if run.is_ok() {
            board.say(State::Works);
        }
    }
}

/// Waits; whoever wakes a settler that cannot work is not heard, unless it is to stop.
fn is_stopped_within(woken: &Receiver<Wake>, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    loop {
        match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Wake::Look) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

impl Settling {
    /// Lets it finish its step and waits for it.
    pub fn stop(self) {
        // A settler that is gone has told why itself.
        self.wake.send(Wake::Stop).ok();
        self.thread.join().ok();
    }
}

fn gifts(store: &Store, counts: &Counts, board: &Board, fault: &Fault) -> Gifts {
    let fault = fault.clone();
    let (ledger, board) = (Arc::clone(&store.ledger), board.clone());
    let health = move || match ledger.health() {
        Ok(()) => match fault.now() {
            None => Finding::ok(format!("{} batches, synced", ledger.end().next)),
            Some(fault) => Finding::wrong(fault),
        },
        Err(error) => Finding::wrong(error.to_string()),
    };
    let (ledger, warehouse) = (Arc::clone(&store.ledger), Arc::clone(&store.warehouse));
    let settling = move || {
        let noted = match warehouse.last_ordinal() {
            Ok(last) => last.map_or(0, |last| last + 1),
            Err(error) => return Finding::wrong(error.to_string()),
        };
        let behind = ledger.end().next.saturating_sub(noted);
        let lag = format!("{behind} batches behind the record");
        match board.fault() {
            Some(fault) => Finding::wrong(format!("{lag}, {fault}")),
            None if behind > LAG_MAX => Finding::wrong(lag),
            None => Finding::ok(lag),
        }
    };
    let ledger = Arc::clone(&store.ledger);
    let size: Contributor = Arc::new(move |to: &mut Exposition| {
        to.gauge("naap_ledger_batches", "Batches in the record.", &[], ledger.end().next);
    });
    Gifts {
        checks: vec![Check::new("ledger", health), Check::new("settling", settling)],
        contributors: vec![counts.contributor(), size],
        ..Gifts::default()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn full() -> pipeline::Error {
        pipeline::Error::File { path: "warehouse".into(), source: std::io::Error::other("full") }
    }

    fn lost() -> pipeline::Error {
        pipeline::Error::Absent("a record is not there".to_owned())
    }

    type Run = fn(&Receiver<Wake>) -> Result<(), pipeline::Error>;

    #[test]
    fn settling_goes_on_as_soon_as_it_can() {
        let (_wake, woken) = waker();
        let board = Board(Arc::new(Mutex::new(State::Works)));
        let opened = Cell::new(0);
        let open = || -> Result<Run, pipeline::Error> {
            assert!(board.fault().unwrap().contains("full"), "it is told while it waits");
            opened.set(opened.get() + 1);
            if opened.get() < 2 { Err(full()) } else { Ok(|_| Ok(())) }
        };
        let first: Run = |_| Err(full());
        keep_on(Ok(first), &open, &woken, &board, Duration::ZERO).unwrap();
        assert_eq!((opened.get(), board.fault()), (2, None));
        // So it does where not even the first opening finds room.
        opened.set(1);
        keep_on(Err(full()), &open, &woken, &board, Duration::ZERO).unwrap();
        assert_eq!((opened.get(), board.fault()), (2, None));
    }

    #[test]
    fn settling_ends_where_trying_again_cannot_help_or_it_is_told_to() {
        let (wake, woken) = waker();
        let board = Board(Arc::new(Mutex::new(State::Works)));
        let never = || -> Result<Run, pipeline::Error> { panic!("nothing is to be tried again") };
        let first: Run = |_| Err(lost());
        assert!(keep_on(Ok(first), &never, &woken, &board, Duration::ZERO).is_err());
        wake.send(Wake::Stop).unwrap();
        let first: Run = |_| Err(full());
        keep_on(Ok(first), &never, &woken, &board, Duration::ZERO).unwrap();
    }
}
