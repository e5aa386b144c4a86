//! What hours lean on of the days before: registers are folded in order, whatever came in which order and however often
//! it was stopped, and a late import has those hours looked at again that lean on what it changed.

use std::collections::BTreeSet;

use events::batch::Batch;
use events::event::Network;
use events::unit::UnixMillis;
use pipeline::export::{Export, REGISTER};
use pipeline::settle::standing::tally;
use pipeline::verify::{Verdict, verify};
use sla::register::Register;
use sla::trust::TrustFile;
use sla::window::Hour;

use crate::support::{FIRST, Instance, LATER, past_in, trust};

const NETWORK: Network = Network::Simulation;

/// Two hours, two on the day after, and two that lean on the first ones, and two that lean on the second ones.
const STRETCHES: [(u64, u64); 4] = [(0, 2), (20, 2), (8 * 24, 2), (9 * 24, 2)];

fn long_past() -> (TrustFile, Vec<Batch>) {
    let (cast, batches) = past_in(400, 21, &STRETCHES);
    (trust(&cast), batches)
}

/// The register of a day, folded from the start.
fn folded(instance: &Instance, day: u64) -> Register {
    let mut register = Register::default();
    let hours = instance.warehouse.settled_hours(NETWORK, Hour(0)..=Hour(day * 24 + 23)).unwrap();
    for pinned in hours {
        let tally =
            tally(instance.warehouse.as_ref(), NETWORK, pinned.hour, pinned.revision).unwrap();
        register.add(pinned.hour, &tally);
    }
    register
}

/// Checks that every hour names the register it must.
fn expect_registers(instance: &Instance) {
    let mut seen = BTreeSet::new();
    for hour in instance.digests().into_keys() {
        let view = instance.warehouse.hour_record(NETWORK, hour, None).unwrap().unwrap();
        let named = view.context.register().unwrap();
        let day = Register::day_for(hour).unwrap();
        assert_eq!(named, folded(instance, day).digest(), "{hour}");
        assert!(instance.warehouse.document(&named).unwrap().is_some());
        seen.insert(named);
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

#[test]
fn hours_lean_on_the_register_of_eight_days_before() {
    let (trust, batches) = long_past();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut whole = Instance::open(folders[0].path(), &trust);
    whole.hear(&batches, LATER);
    whole.catch_up(LATER);
    expect_registers(&whole);

    // Another hears the second half first, and is stopped in between.
    let (early, late) = batches.split_at(batches.len() / 2);
    for part in [late, early] {
        let mut instance = Instance::open(folders[1].path(), &trust);
        instance.hear(part.iter().rev(), LATER);
        instance.catch_up(LATER);
    }
    let other = Instance::open(folders[1].path(), &trust);
    assert_eq!(other.digests(), whole.digests());
    expect_registers(&other);

    let last = *whole.digests().keys().next_back().unwrap();
    let folder = folders[0].path().join("export");
    let export = Export::of(&whole.ledger, whole.warehouse.as_ref(), NETWORK, last, None).unwrap();
    export.write(&whole.ledger, &folder, &mut |_| {}).unwrap();
    let verdict = verify(&folder, 2, &mut |_| {}).unwrap();
    assert!(matches!(verdict, Verdict::Agrees { .. }), "{verdict:?}");
    let path = folder.join(REGISTER);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.len() > 200, "{text}");
    // Another register, with a manifest that lists it.
    let emptied = serde_json::to_string(&Register::default()).unwrap();
    let manifest = folder.join("manifest.json");
    let listed = std::fs::read_to_string(&manifest).unwrap();
    let hash = |text: &str| events::identity::Digest::of(&[text.as_bytes()]).to_string();
    let size = |text: &str| format!("\"bytes\":{},\"name\":\"{REGISTER}\"", text.len());
    let listed =
        listed.replace(&hash(&text), &hash(&emptied)).replace(&size(&text), &size(&emptied));
    std::fs::write(&manifest, listed).unwrap();
    std::fs::write(&path, emptied).unwrap();
    let verdict = verify(&folder, 2, &mut |_| {}).unwrap();
    assert!(matches!(&verdict, Verdict::Diverges(why) if why.contains("register")), "{verdict:?}");
}

#[test]
fn a_late_import_restates_the_hours_that_lean_on_it() {
    let (trust, batches) = long_past();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut whole = Instance::open(folders[0].path(), &trust);
    whole.hear(&batches, LATER);
    whole.catch_up(LATER);

    // The second stretch is imported last.
    let second = Hour(FIRST.0 + 20);
    let is_late = |batch: &&Batch| {
        let sealed = Hour::of(batch.header.sealed_ms);
        second <= sealed && sealed < Hour(second.0 + 2)
    };
    let (late, prompt): (Vec<&Batch>, Vec<&Batch>) = batches.iter().partition(is_late);
    assert!(!late.is_empty());
    let mut instance = Instance::open(folders[1].path(), &trust);
    instance.hear(prompt, LATER);
    instance.catch_up(LATER);
    let before = instance.digests();
    let leaning = Hour((second.0 / 24 + 8) * 24);
    let differ = |now: &std::collections::BTreeMap<_, _>| -> Vec<Hour> {
        let now = now.iter();
        now.filter(|(hour, digest)| before.get(hour) != Some(digest))
            .map(|(hour, _)| *hour)
            .collect()
    };
    drop(instance);
    let importers = late.iter().map(|batch| batch.header.key).collect();
    let mut instance = Instance::open_for(folders[1].path(), &trust, importers);
    let now = UnixMillis(LATER.0 + 3_600_000);
    instance.hear(late, now);
    instance.settle(now);
    let after = instance.digests();
    assert_eq!(after, whole.digests());
    let changed = differ(&after);
    assert!(changed.iter().any(|hour| *hour >= leaning), "{changed:?}");
    expect_registers(&instance);
}
