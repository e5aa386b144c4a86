//! The cold start: from the program's start to its first answer, in an empty folder and on a day of record.

use std::path::Path;

use crate::node::Node;
use crate::{Measured, history};

/// Events in the record that is started on.
const EVENTS: u64 = 700_000;

pub fn measure(directory: &Path) -> Measured {
    let empty = directory.join("empty");
    let first = Node::start(&empty).started.as_secs_f64();
    let again = Node::start(&empty).started.as_secs_f64();
    let full = directory.join("full");
    history::write(&full, EVENTS);
    let recorded = Node::start(&full).started.as_secs_f64();
    let note = format!(
        "the slowest of: empty folder, keys made {first:.2} s; the same folder again {again:.2} s; {EVENTS} events in the ledger {recorded:.2} s"
    );
    Measured { note, ..Measured::default() }.with("seconds", first.max(again).max(recorded))
}
