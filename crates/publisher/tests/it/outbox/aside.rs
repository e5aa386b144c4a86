//! What nobody takes: it is kept, it is offered again, and nothing else waits for it.

use events::event::Network;
use events::unit::Millis;
use publisher::outbox::{Options, Outbox};

use super::{T, batches, folder, options, put, secret};

#[test]
fn what_is_set_aside_is_kept_and_holds_nothing_else_back() {
    let folder = folder();
    let options = Options {
        segment_bytes: 1_000,
        quota_bytes: 100_000,
        retention_ms: Millis(1_000),
        ..options(folder.path())
    };
    let (mut outbox, _) = Outbox::open(options.clone(), secret(), Network::Livepeer).unwrap();
    for n in 0..30 {
        put(&mut outbox, &n.to_string(), T);
    }
    let shelf = outbox.shelf().clone();
    for ordinal in 0..30 {
        if ordinal == 3 { shelf.set_aside(ordinal) } else { shelf.hold(ordinal) }.unwrap();
    }
    // Another receiver that gave up on one that is held takes nothing back.
    shelf.set_aside(10).unwrap();
    assert_eq!((shelf.aside(), shelf.unheld(), shelf.next_aside(0)), (1, 1, Some(3)));
    drop(outbox);

    let (outbox, opening) = Outbox::open(options, secret(), Network::Livepeer).unwrap();
    assert_eq!((opening.unheld, opening.unproven), (1, None));
    let later = T.plus(Millis(2_000));
    outbox.retire(later).unwrap();
    let shelf = outbox.shelf();
    let kept: Vec<u64> = batches(shelf).keys().map(|position| position.seq).collect();
    assert!(kept.contains(&3) && kept.len() < 15, "{kept:?}");
    let bytes = shelf.used_bytes();
    shelf.hold(3).unwrap();
    outbox.retire(later).unwrap();
    assert!(shelf.used_bytes() < bytes);
    assert!(batches(shelf).keys().all(|position| position.seq > 3));
}
