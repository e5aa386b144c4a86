//! Windows of several hours: made once, the same however an instance came to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use events::batch::Batch;
use events::event::Network;
use events::identity::Digest;
use events::unit::{Millis, UnixMillis};
use pipeline::export::span::{FILES, SpanExport, TALLIES, hour_folder};
use pipeline::settle::Step;
use pipeline::settle::standing::tally;
use pipeline::verify::span::{pinned, verify_pinned};
use pipeline::verify::{Verdict, verify};
use sla::context::Context;
use sla::hour::OpenJobs;
use sla::policy::Policy;
use sla::register::Register;
use sla::score::{Question, score_window};
use sla::scorecard::{Basis, Scorecard};
use sla::trust::TrustFile;
use sla::window::{Hour, Span, Window};
use warehouse::page::Page;

use crate::support::{FIRST, Instance, LATER, past_in, trust};

const NETWORK: Network = Network::Simulation;

/// How many hours it is long.
const HOURS: u64 = 30;

/// Two hours, two at the end of the day, and the last two.
fn some_past() -> (TrustFile, Vec<Batch>) {
    let (cast, batches) = past_in(250, 31, &[(0, 2), (6, 2), (HOURS - 2, 2)]);
    (trust(&cast), batches)
}

/// Every window of several hours there is.
fn windows(instance: &Instance) -> BTreeMap<Window, Digest> {
    let rows = instance.warehouse.windows(NETWORK, &Page::first(1000)).unwrap().rows;
    let spans = rows.into_iter().flat_map(|row| row.spans);
    spans.map(|row| (row.window, row.digest)).collect()
}

fn scorecard(instance: &Instance, window: Window) -> Scorecard {
    let view = instance.warehouse.window_record(NETWORK, window).unwrap().unwrap();
    serde_json::from_slice(&view.scorecard_bytes).unwrap()
}

#[test]
fn a_window_is_what_its_hours_came_to() {
    let (trust, batches) = some_past();
    let folder = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(folder.path(), &trust);
    instance.hear(&batches, LATER);
    instance.catch_up(LATER);
    let made = windows(&instance);
    let settled: Vec<Hour> = instance.digests().into_keys().collect();
    // Long after: those that end a day, and the newest.
    let newest = *settled.last().unwrap();
    let ends: Vec<Hour> =
        settled.iter().copied().filter(|hour| hour.0 % 24 == 23 || *hour == newest).collect();
    assert!(ends.len() >= 2);
    let spans = [Span::Day, Span::Week, Span::FourWeeks];
    let expected = ends.iter().flat_map(|last| spans.map(|span| Window { last: *last, span }));
    assert_eq!(made.keys().copied().collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    let policy = Policy::standard();
    for (window, digest) in made {
        let scorecard = scorecard(&instance, window);
        let Basis::Hours(pinned) = &scorecard.basis else { panic!("{window} pins no hours") };
        let hours: Vec<Hour> = pinned.iter().map(|pinned| pinned.hour).collect();
        let inside = window.hours().filter(|hour| settled.contains(hour));
        assert_eq!(hours, inside.collect::<Vec<_>>());
        let tallies: Vec<_> = pinned
            .iter()
            .map(|pin| {
                let tally =
                    tally(instance.warehouse.as_ref(), NETWORK, pin.hour, pin.revision).unwrap();
                (pin.clone(), tally)
            })
            .collect();
        // No day is eight days old here.
        let register = Register::default();
        let context = Context::of(&policy, OpenJobs::new(), &register);
        let asked = Question {
            context: &context,
            policy: &policy,
            register: &register,
            trust: &trust,
            window,
        };
        let tallies = tallies.iter().map(|(pin, tally)| (pin.clone(), tally));
        assert_eq!(score_window(tallies, asked).digest(), digest);
        assert!(!scorecard.results.is_empty());
    }
}

#[test]
fn windows_made_live_and_after_a_stop_are_those_of_a_catch_up() {
    let (trust, batches) = some_past();
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let now = FIRST.start().plus(Millis(HOURS * 3_600_000 + 16 * 60_000));
    let mut caught_up = Instance::open(folders[0].path(), &trust);
    caught_up.hear(&batches, now);
    caught_up.catch_up(now);
    let expected = windows(&caught_up);
    assert!(expected.len() >= 3 * 4, "within a day every hour has its windows: {expected:?}");

    // Live, in another order, and stopped every few hours.
    let mut live = Instance::open(folders[1].path(), &trust);
    live.hear(batches.iter().rev(), now);
    for quarter in 0..HOURS * 4 + 2 {
        if quarter % 17 == 5 {
            drop(live);
            live = Instance::open(folders[1].path(), &trust);
        }
        live.settle(FIRST.start().plus(Millis(quarter * 15 * 60_000)));
    }
    let made = windows(&live);
    for (window, digest) in &expected {
        assert_eq!(made.get(window), Some(digest), "{window}");
    }
    assert!(made.len() > expected.len(), "live, every hour has its windows");

    // Killed after more and more writes.
    Instance::open(folders[2].path(), &trust).hear(&batches, now);
    let is_over = |writes| {
        let dying = Instance::try_open(folders[2].path(), &trust, writes);
        dying.is_ok_and(|mut dying| dying.settler.catch_up(now, &mut |_, _| {}).is_ok())
    };
    let stops = (1..).step_by(2).take_while(|writes| !is_over(*writes)).count();
    assert!(stops > 5, "{stops}");
    let last = Instance::open(folders[2].path(), &trust);
    assert_eq!(windows(&last), expected);
    assert!(last.warehouse.unrolled_hours(NETWORK).unwrap().is_empty());
}

#[test]
fn a_window_is_never_made_again() {
    let (trust, batches) = some_past();
    let folder = tempfile::tempdir().unwrap();
    let (late, prompt): (Vec<&Batch>, Vec<&Batch>) =
        batches.iter().partition(|batch| batch.header.seq % 7 == 3);
    let mut instance = Instance::open(folder.path(), &trust);
    instance.hear(prompt, LATER);
    instance.catch_up(LATER);
    let (made, settled) = (windows(&instance), instance.digests());
    drop(instance);
    let importers = late.iter().map(|batch| batch.header.key).collect();
    let mut instance = Instance::open_for(folder.path(), &trust, importers);
    let later = UnixMillis(LATER.0 + 3_600_000);
    instance.hear(late, later);
    instance.settle(later);
    assert_ne!(instance.digests(), settled, "hours are restated");
    assert_eq!(windows(&instance), made, "windows are not");
    assert_eq!(instance.settler.step(later).unwrap(), Step::default());
}

#[test]
fn an_exported_window_verifies_and_does_not_once_touched() {
    let (trust, batches) = some_past();
    let folder = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(folder.path(), &trust);
    instance.hear(&batches, LATER);
    instance.catch_up(LATER);
    let made = windows(&instance);
    let (window, digest) = made.iter().find(|(window, _)| window.span == Span::Day).unwrap();
    let reader = instance.warehouse.as_ref();
    let export = SpanExport::of(reader, NETWORK, *window).unwrap();
    let out = folder.path().join("export");
    export.write(reader, Some(&instance.ledger), &out, &mut |_| {}).unwrap();
    let refused = export.write(reader, None, &out, &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
    match verify(&out, 2, &mut |_| {}).unwrap() {
        Verdict::Merges { digest: found, hours, results, .. } => {
            assert_eq!((found, hours), (*digest, export.manifest.hours));
            assert!(results > 0 && hours > 3);
        }
        other => panic!("{other:?}"),
    }

    let (network, pinned) = pinned(&out).unwrap();
    assert_eq!((network, &pinned), (NETWORK, &export.pinned));
    let (one, other) = (&pinned[0], &pinned[1]);
    assert_eq!(verify_pinned(&hour_folder(&out, one.hour), one, 1).unwrap(), None);
    let said = verify_pinned(&hour_folder(&out, other.hour), one, 1).unwrap().unwrap();
    assert!(said.contains(&other.hour.to_string()), "{said}");
    let mut forged = one.clone();
    forged.tally = Digest::ZERO;
    let said = verify_pinned(&hour_folder(&out, one.hour), &forged, 1).unwrap().unwrap();
    assert!(said.contains("its events give"), "{said}");

    for name in ["manifest.json", "register.json"].iter().chain(&FILES) {
        let path = out.join(name);
        let original = fs::read(&path).unwrap();
        let mut touched = original.clone();
        let middle = touched.len() / 2;
        touched[middle] ^= 1;
        fs::write(&path, &touched).unwrap();
        let verdict = verify(&out, 1, &mut |_| {});
        assert!(!matches!(verdict, Ok(Verdict::Merges { .. })), "{name}: {verdict:?}");
        fs::write(&path, &original).unwrap();
    }
    expect_forged_lines_are_found(&out);
}

/// Whoever writes the counts anew, with a manifest that lists them, is found out by the scorecard.
fn expect_forged_lines_are_found(out: &Path) {
    let (path, manifest) = (out.join(TALLIES), out.join("manifest.json"));
    let (original, listed) =
        (fs::read_to_string(&path).unwrap(), fs::read_to_string(&manifest).unwrap());
    let lines: Vec<&str> = original.lines().collect();
    let at = lines.iter().position(|line| line.contains("\"tenures\":")).unwrap();
    let count = lines[at].find("\"tenures\":").unwrap() + 10;
    let mut counted = lines.clone();
    counted[at] = format!("{}1{}", &lines[at][..count], &lines[at][count..]).leak();
    let forged = [
        lines[1..].to_vec(),
        [&lines[..1], &lines[..]].concat(),
        vec![lines[0].replacen("\"revision\":0", "\"revision\":1", 1).leak()],
        counted,
    ];
    for forged in forged {
        let text: String = forged.iter().flat_map(|line| [*line, "\n"]).collect();
        let listed = listed
            .replace(
                &Digest::of(&[original.as_bytes()]).to_string(),
                &Digest::of(&[text.as_bytes()]).to_string(),
            )
            .replace(
                &format!("\"bytes\":{},\"name\":\"{TALLIES}\"", original.len()),
                &format!("\"bytes\":{},\"name\":\"{TALLIES}\"", text.len()),
            );
        fs::write(&path, &text).unwrap();
        fs::write(&manifest, listed).unwrap();
        let verdict = verify(out, 1, &mut |_| {}).unwrap();
        assert!(matches!(verdict, Verdict::Diverges(_)), "{verdict:?}");
    }
}
