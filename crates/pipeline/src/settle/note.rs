//! What the record says about a batch without reading all of it: enough to find it again and to know whose word counts.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use events::batch::Batch;
use events::event::{Event, Role};
use events::identity::{Address, NodeId};
use events::unit::UnixMillis;
use events::wire::Frame;
use ledger::Entry;
use sla::mapping::{TieKey, tie_key};
use sla::opened::{Opened, PROBE_KINDS, RECORD_KINDS, TIE_KINDS};
use sla::probes::{Trace, said_ms, trace};
use warehouse::record::BatchRow;

use crate::Error;

/// How thoroughly batches are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Care {
    /// Whether every event is read at once, for the view of the open hour.
    pub opens: bool,
    /// Whether signatures and roots are checked again, as a stranger to this ledger would.
    pub verifies: bool,
}

/// Who a batch's first event says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The address.
    pub address: Address,
    /// The node.
    pub node: NodeId,
    /// The role.
    pub role: Role,
}

/// What was noted of one batch.
#[derive(Debug)]
pub struct Noted {
    /// Who its first event says it is.
    pub face: Option<Face>,
    /// All its events, where they were asked for.
    pub opened: Option<Arc<Opened>>,
    /// Its events about who may speak, if it has any.
    pub records: Option<Arc<Opened>>,
    /// Its row.
    pub row: BatchRow,
    /// The names its events tie together, and when each counts.
    pub ties: Vec<(UnixMillis, TieKey)>,
    /// What its events bind or show of tests, and when each stands.
    pub traces: Vec<(UnixMillis, Trace)>,
}

/// Reads one record of the ledger.
pub fn note(ordinal: u64, entry: &Entry, care: Care) -> Result<Noted, Error> {
    let unreadable =
        |why: events::refusal::Refusal| Error::Unreadable { ordinal, why: why.to_string() };
    let frame = Frame::parse(&entry.frame).map_err(unreadable)?;
    if care.verifies {
        frame.verify().map_err(unreadable)?;
    }
    let batch = if care.verifies { frame.open() } else { frame.inflate() }.map_err(unreadable)?;
    let mut part = Opened::part_of(&batch, &[RECORD_KINDS, TIE_KINDS, PROBE_KINDS].concat());
    let ties = part.readable().filter_map(|(opened, event)| {
        tie_key(batch.header.key, event).map(|names| (opened.counted_ms, names))
    });
    let ties: Vec<_> = ties.collect();
    let sealed_ms = batch.header.sealed_ms;
    let traces = part.readable().filter_map(|(opened, event)| {
        trace(event).map(|trace| (said_ms(opened.counted_ms, sealed_ms), trace))
    });
    let traces: Vec<_> = traces.collect();
    // What cannot be read shows nobody's face; it is refused where the hour is settled.
    let first = batch.payload.events().next().and_then(|bytes| Event::decode(bytes).ok());
    part.events.retain(|opened| opened.event.as_ref().is_ok_and(is_record));
    let (hash, has_records) = (part.hash, !part.events.is_empty());
    Ok(Noted {
        face: first.map(|event| Face {
            address: event.reporter,
            node: event.node,
            role: event.role,
        }),
        opened: care.opens.then(|| Arc::new(Opened::of(&batch))),
        records: has_records.then(|| Arc::new(part)),
        row: BatchRow {
            count: batch.header.count,
            has_mappings: !ties.is_empty() || !traces.is_empty(),
            has_records,
            hash,
            network: batch.header.network,
            ordinal,
            position: batch.header.position(),
            received_ms: entry.received_ms,
            sealed_ms,
        },
        ties,
        traces,
    })
}

fn is_record(event: &Event) -> bool {
    RECORD_KINDS.contains(&event.kind())
}

/// Reads all events of one record.
pub fn open(ordinal: u64, entry: &Entry) -> Result<Opened, Error> {
    Ok(Opened::of(&inflate(ordinal, entry)?))
}

/// Reads the events of one record that say who may speak.
pub fn records(ordinal: u64, entry: &Entry) -> Result<Opened, Error> {
    Ok(Opened::part_of(&inflate(ordinal, entry)?, RECORD_KINDS))
}

fn inflate(ordinal: u64, entry: &Entry) -> Result<Batch, Error> {
    let unreadable =
        |why: events::refusal::Refusal| Error::Unreadable { ordinal, why: why.to_string() };
    Frame::parse(&entry.frame).and_then(Frame::inflate).map_err(unreadable)
}

/// Applies `work` to every item on `threads` threads; the answers stand in the order of the items.
pub fn spread<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let share = items.len().div_ceil(threads.max(1)).max(1);
    let work = &work;
    let parts = std::thread::scope(|scope| {
        let run = |part| {
            scope.spawn(move || <[T]>::iter(part).map(work).collect::<Result<Vec<R>, Error>>())
        };
        let running: Vec<_> = items.chunks(share).map(run).collect();
        running.into_iter().map(join).collect::<Result<Vec<Vec<R>>, Error>>()
    })?;
    Ok(parts.into_iter().flatten().collect())
}

/// What a thread came to; its panic goes on here.
pub fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
