//! What must work for a node to be heard: room for what it says, and somebody who takes it.
//!
//! Looking changes nothing that another look would see. It mends nothing.

use std::sync::{Arc, Mutex, PoisonError};

use api::health::{Check, Finding};
use events::unit::{Millis, UnixMillis};
use pipeline::Clock;
use publisher::pump;
use publisher::spool::Spool;

/// How long something is wrong after records were turned away: long enough for every monitor to see it.
const REMEMBERED: Millis = Millis(300_000);

/// How long a batch may wait for somebody to hold it.
const WAIT_MAX: Millis = Millis(60_000);

/// What is looked at.
#[derive(Clone)]
pub struct Subject {
    /// The time.
    pub clock: Clock,
    /// The node's name.
    pub name: String,
    /// What its outbox may keep.
    pub outbox_bytes: u64,
    /// What its pump did.
    pub pumped: pump::Counts,
    /// What it heard.
    pub spool: Arc<Spool>,
    /// What its spool may keep.
    pub spool_bytes: u64,
}

/// Raw records that wait.
pub fn backlog(spool: &Spool) -> u64 {
    spool.end().0.saturating_sub(spool.committed().0)
}

/// The checks of a node.
pub fn checks(subject: Subject) -> Vec<Check> {
    let began = (subject.clock)();
    let turned = Turned::default();
    let (outbox, sending) = (subject.clone(), subject.clone());
    vec![
        Check::new("spool", move || {
            let Subject { clock, name, spool, spool_bytes, .. } = &subject;
            let state = format!(
                "{name}: {} of {spool_bytes} bytes, {} records wait",
                spool.used_bytes(),
                backlog(spool)
            );
            let count = turned.look(spool.refused_records(), clock());
            heard(state, count, subject.pumped.snapshot().cursor_short)
        }),
        Check::new("outbox", move || {
            room(&outbox.name, &outbox.pumped.snapshot(), outbox.outbox_bytes)
        }),
        Check::new("sending", move || {
            let Subject { clock, name, pumped, .. } = &sending;
            is_sent(name, &pumped.snapshot(), began, clock())
        }),
    ]
}

/// Which records were turned away of late, whoever asks and however often.
#[derive(Default)]
struct Turned(Mutex<Vec<(UnixMillis, u64)>>);

impl Turned {
    /// How many of late, out of so many ever; nothing if none. A moment is when it was first seen.
    fn look(&self, ever: u64, now: UnixMillis) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.last().map_or(0, |(_, known)| *known) < ever {
            seen.push((now, ever));
        }
        // What is older is one number, so there is one for each look within minutes at most, and none is kept twice.
        let old = seen.iter().take_while(|(at, _)| at.plus(REMEMBERED) <= now).count();
        let before =
            old.checked_sub(1).and_then(|last| seen.get(last)).map_or(0, |(_, known)| *known);
        seen.drain(..old.saturating_sub(1));
        Some(ever - before).filter(|count| *count > 0)
    }
}

/// Whether the spool takes what is heard, and can note how far it was sealed.
fn heard(state: String, turned_away: Option<u64>, cursor: Option<String>) -> Finding {
    let turned = turned_away.map(|count| {
        format!("{count} were turned away within minutes: spool.quota_bytes, or room on the disk")
    });
    let wrong: Vec<String> = turned.into_iter().chain(cursor).collect();
    if wrong.is_empty() {
        return Finding::ok(state);
    }
    Finding::wrong(format!("{state}, {}", wrong.join(", ")))
}

/// Whether the outbox takes what is said, and somebody what it sends.
fn room(name: &str, pumped: &pump::Snapshot, quota_bytes: u64) -> Finding {
    let state = format!("{name}: {} of {quota_bytes} bytes", pumped.shelf_bytes);
    let refusal = pumped.refusal.as_deref().unwrap_or("before this start");
    if let Some(short) = &pumped.outbox_short {
        return Finding::wrong(format!("{state}, waits for room on the disk: {short}"));
    }
    match (pumped.is_full, pumped.aside) {
        (false, 0) => Finding::ok(state),
        (true, _) => Finding::wrong(format!(
            "{state}, no room: {} batches are held by nobody else, {} of them refused: outbox.quota_bytes",
            pumped.unheld, pumped.aside
        )),
        (false, aside) => Finding::wrong(format!(
            "{state}, {aside} batches were refused for good and are kept; the next start offers them again; \
             last refusal: {refusal}"
        )),
    }
}

/// Whether batches leave.
fn is_sent(name: &str, pumped: &pump::Snapshot, began: UnixMillis, now: UnixMillis) -> Finding {
    // What waited while nobody ran begins to wait anew.
    let waited = pumped.waits_since_ms.and_then(|since| now.since(since.max(began)));
    let mut state = match waited {
        None => format!("{name}: nothing waits"),
        Some(waited) => format!("{name}: the oldest batch waits for {} s", waited.0 / 1_000),
    };
    for (to, failing) in &pumped.failing {
        let seconds = now.since(failing.since_ms).unwrap_or(Millis(0)).0 / 1_000;
        state.push_str(&format!("; {to} takes nothing for {seconds} s: {}", failing.error));
    }
    if waited.is_some_and(|waited| waited > WAIT_MAX) {
        Finding::wrong(state)
    } else {
        Finding::ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: UnixMillis = UnixMillis(1_767_903_000_000);

    #[test]
    fn every_look_sees_what_was_turned_away_until_it_is_long_ago() {
        let turned = Turned::default();
        let after = |millis| BEGAN.plus(Millis(millis));
        assert_eq!(turned.look(0, BEGAN), None);
        assert_eq!(turned.look(3, BEGAN), Some(3));
        assert_eq!(turned.look(3, BEGAN), Some(3), "another monitor");
        assert_eq!(turned.look(5, after(200_000)), Some(5));
        assert_eq!(turned.look(5, after(299_999)), Some(5));
        assert_eq!(turned.look(5, after(300_000)), Some(2));
        assert_eq!(turned.look(5, after(500_000)), None);
        assert_eq!(turned.look(6, after(900_000)), Some(1));
    }

    #[test]
    fn a_batch_that_waits_is_wrong_after_a_minute_and_a_peer_that_fails_is_named() {
        let mut pumped = pump::Snapshot::default();
        let now = BEGAN.plus(Millis(90_000));
        assert!(is_sent("gateway", &pumped, BEGAN, now).is_ok);
        let error = "no answer".to_owned();
        let failing = pump::Failing { since_ms: BEGAN.plus(Millis(1_000)), error };
        pumped.failing.insert("https://peer".to_owned(), failing);
        let held = is_sent("gateway", &pumped, BEGAN, now);
        assert!(held.is_ok, "somebody else holds all of it");
        assert!(held.detail.contains("https://peer takes nothing for 89 s: no answer"), "{held:?}");
        pumped.waits_since_ms = Some(BEGAN.minus(Millis(900_000)));
        assert!(is_sent("gateway", &pumped, BEGAN, BEGAN.plus(Millis(60_000))).is_ok, "just begun");
        let wrong = is_sent("gateway", &pumped, BEGAN, now);
        assert!(!wrong.is_ok && wrong.detail.contains("waits for 90 s"), "{wrong:?}");
    }

    #[test]
    fn what_nobody_takes_and_what_finds_no_room_is_wrong() {
        let mut pumped = pump::Snapshot { shelf_bytes: 7, ..pump::Snapshot::default() };
        assert_eq!(room("gateway", &pumped, 9), Finding::ok("gateway: 7 of 9 bytes"));
        pumped.aside = 2;
        pumped.refusal = Some("https://peer: refused with E-BATCH-VERSION".to_owned());
        let aside = room("gateway", &pumped, 9);
        assert!(!aside.is_ok && aside.detail.contains("E-BATCH-VERSION"), "{aside:?}");
        pumped.is_full = true;
        assert!(!room("gateway", &pumped, 9).is_ok);
        pumped.outbox_short = Some("could not write a file".to_owned());
        let short = room("gateway", &pumped, 9);
        assert!(!short.is_ok && short.detail.contains("waits for room on the disk"), "{short:?}");
    }

    #[test]
    fn a_spool_that_turns_away_or_cannot_note_how_far_it_came_is_wrong() {
        let state = || "gateway: 7 of 9 bytes".to_owned();
        assert_eq!(heard(state(), None, None), Finding::ok(state()));
        assert!(heard(state(), Some(3), None).detail.contains("3 were turned away"));
        let cursor = heard(state(), None, Some("could not write the cursor".to_owned()));
        assert!(!cursor.is_ok && cursor.detail.contains("write the cursor"), "{cursor:?}");
    }
}
