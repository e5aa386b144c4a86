//! What longer windows and registers are made of, and how they are kept: made once, or made again when an hour changes.

use events::event::Network;
use sla::scorecard::{PinnedHour, canonical_bytes, digest_of};
use sla::window::{Hour, Span, Window};

use super::sample::{self, HOUR, NETWORK, record, window_record};
use crate::page::{Cursor, Page};
use crate::record::{Restanding, Touch, Touched, WindowRecord};
use crate::view::{ScoreFilter, ScoreRow};
use crate::{Error, Warehouse};

/// A register is kept with its day until an hour changes it; the hours that leaned on it are looked at again.
pub fn registers_are_kept_until_an_hour_changes_them(home: &dyn Warehouse) {
    let day = HOUR.0 / 24;
    let later = Hour(HOUR.0 + 200);
    for hour in [HOUR, later] {
        home.record_hour(&record(NETWORK, hour, 0, 3)).unwrap();
    }
    for (day, bytes) in [(day - 2, b"old"), (day, b"mid"), (day + 1, b"new")] {
        let digest = home.record_register(NETWORK, day, bytes).unwrap();
        assert_eq!(home.document(&digest).unwrap().unwrap(), bytes);
        assert_eq!(home.register_at(NETWORK, day).unwrap(), Some((day, digest)));
    }
    let at = |day| home.register_at(NETWORK, day).unwrap().map(|(day, _)| day);
    assert_eq!((at(day - 3), at(day - 1), at(day + 9)), (None, Some(day - 2), Some(day + 1)));
    assert_eq!(home.register_at(Network::Livepeer, day).unwrap(), None);
    assert!(home.touched_hours(NETWORK).unwrap().is_empty());

    let hours = Touched::Known(HOUR.next()..=Hour(u64::MAX));
    let touch = Touch { at_once: true, hours, network: NETWORK };
    let mut changing = record(NETWORK, HOUR, 1, 4);
    changing.restands = Some(Restanding { day, touch });
    home.record_hour(&changing).unwrap();
    assert_eq!((at(day), at(day + 9), at(day - 2)), (Some(day - 2), Some(day - 2), Some(day - 2)));
    let touched = home.touched_hours(NETWORK).unwrap();
    assert_eq!(touched.len(), 1, "{touched:?}");
    assert!(touched[0].hour == later && touched[0].at_once);
    let digest = home.record_register(NETWORK, day, b"again").unwrap();
    assert_eq!(home.register_at(NETWORK, day).unwrap(), Some((day, digest)));
}

/// The counts of settled hours come back as they were recorded, at the revision asked for.
pub fn counts_come_back_by_revision(home: &dyn Warehouse) {
    let (first, second) = (record(NETWORK, HOUR, 0, 3), record(NETWORK, HOUR, 1, 4));
    let next = record(NETWORK, HOUR.next(), 0, 5);
    for record in [&first, &second, &next] {
        home.record_hour(record).unwrap();
    }
    home.record_hour(&record(Network::Livepeer, HOUR, 0, 9)).unwrap();
    let after = Hour(HOUR.0 + 2);
    home.record_provisional(NETWORK, after, &sample::facts(after, 0..2), None, after.end())
        .unwrap();
    let pinned = |of: &crate::record::HourRecord| PinnedHour {
        hour: of.hour,
        revision: of.revision,
        tally: digest_of(&of.tally),
    };
    let all = home.settled_hours(NETWORK, Hour(0)..=Hour(u64::MAX)).unwrap();
    assert_eq!(all, [pinned(&second), pinned(&next)]);
    assert_eq!(home.settled_hours(NETWORK, HOUR..=HOUR).unwrap(), [pinned(&second)]);
    assert!(home.settled_hours(NETWORK, after..=after).unwrap().is_empty());
    for record in [&first, &second, &next] {
        let bytes = home.tally_bytes(NETWORK, record.hour, record.revision).unwrap();
        assert_eq!(bytes.unwrap(), canonical_bytes(&record.tally));
    }
    assert_eq!(home.tally_bytes(NETWORK, HOUR, 2).unwrap(), None);
    assert_eq!(home.tally_bytes(NETWORK, after, 0).unwrap(), None);
}

/// A window of several hours is made once and comes back whole, in the list of windows too.
pub fn longer_windows_are_made_once(home: &dyn Warehouse) {
    home.record_hour(&record(NETWORK, HOUR, 0, 3)).unwrap();
    home.record_hour(&record(NETWORK, HOUR.next(), 0, 3)).unwrap();
    let records: Vec<WindowRecord> =
        Span::ALL.iter().skip(1).map(|span| window_record(NETWORK, HOUR, *span, 7)).collect();
    for record in &records {
        let window = record.scorecard.window;
        assert_eq!(home.window_record(NETWORK, window).unwrap(), None);
        home.record_window(record).unwrap();
        let again = WindowRecord { made_ms: HOUR.end(), ..record.clone() };
        home.record_window(&again).unwrap();
        let view = home.window_record(NETWORK, window).unwrap().unwrap();
        assert_eq!(view.scorecard_bytes, record.scorecard.bytes());
        assert_eq!(view.digest, record.scorecard.digest());
        assert_eq!((view.context, view.made_ms), (record.context.clone(), record.made_ms));
        let other = window_record(NETWORK, HOUR, window.span, 8);
        let refused = home.record_window(&other).unwrap_err();
        assert!(matches!(refused, Error::Made { .. }), "{refused}");
        assert_eq!(home.window_record(Network::Livepeer, window).unwrap(), None);
    }
    let listed = home.windows(NETWORK, &Page::first(9)).unwrap().rows;
    let spans = |place: usize| listed[place].spans.iter().map(|row| (row.window, row.digest));
    assert_eq!(spans(0).count(), 0);
    let expected = records.iter().map(|it| (it.scorecard.window, it.scorecard.digest()));
    assert_eq!(spans(1).collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    let next = window_record(NETWORK, HOUR.next(), Span::Day, 7);
    home.record_window(&next).unwrap();
    let ends = |hours, limit| -> Vec<Window> {
        let rows = home.spans(NETWORK, Span::Day, hours, limit).unwrap();
        rows.into_iter().map(|row| row.window).collect()
    };
    let day = |last| Window { last, span: Span::Day };
    let all = Hour(0)..=Hour(u64::MAX);
    assert_eq!(ends(all.clone(), 9), [day(HOUR), day(HOUR.next())]);
    assert_eq!(ends(all, 1), [day(HOUR.next())], "the newest are kept");
    assert_eq!(ends(HOUR..=HOUR, 9), [day(HOUR)]);

    let day = &records[0];
    let mut hour = day.clone();
    hour.scorecard.window = Window::hour(HOUR);
    let mut network = day.clone();
    network.network = Network::Livepeer;
    let mut events = day.clone();
    events.scorecard.basis = record(NETWORK, HOUR, 0, 3).scorecard.basis;
    let mut context = day.clone();
    context.scorecard.context = events::identity::Digest::ZERO;
    for mixed in [hour, network, events, context] {
        let refused = home.record_window(&mixed).unwrap_err();
        assert!(matches!(refused, Error::Mixed { .. }), "{refused}");
    }
}

/// The newest window of each length is found, and the scorecard of each window as it is known now.
pub fn scorecards_are_found_as_they_are(home: &dyn Warehouse) {
    assert_eq!(home.newest_window(NETWORK, Span::Hour).unwrap(), None);
    let hour = Window::hour(HOUR);
    assert!(home.scorecard(NETWORK, hour).unwrap().is_none());
    let open = record(NETWORK, HOUR, 0, 4);
    let sums = sample::sums(&open, &open.scorecard);
    home.record_provisional(NETWORK, HOUR, &[], Some(sums), HOUR.start()).unwrap();
    let read = |window| home.scorecard(NETWORK, window).unwrap().unwrap();
    for _ in 0..2 {
        let view = read(hour);
        assert_eq!((view.digest, view.revision), (None, None));
        assert_eq!(*view.scorecard, open.scorecard);
    }
    assert_eq!(home.newest_window(NETWORK, Span::Hour).unwrap(), None, "it has not settled");
    for (revision, jobs) in [(0, 5), (1, 6)] {
        let settled = record(NETWORK, HOUR, revision, jobs);
        home.record_hour(&settled).unwrap();
        let view = read(hour);
        assert_eq!(view.digest, Some(settled.scorecard.digest()));
        assert_eq!((view.revision, &*view.scorecard), (Some(revision), &settled.scorecard));
    }
    for last in [HOUR, HOUR.next()] {
        for span in [Span::Day, Span::Week] {
            let made = window_record(NETWORK, last, span, last.0 % 7);
            home.record_window(&made).unwrap();
            let window = Window { last, span };
            assert_eq!(home.newest_window(NETWORK, span).unwrap(), Some(window));
            let view = read(window);
            assert_eq!((view.revision, &*view.scorecard), (Some(0), &made.scorecard));
        }
    }
    assert_eq!(home.newest_window(NETWORK, Span::Hour).unwrap(), Some(hour));
    assert_eq!(home.newest_window(NETWORK, Span::FourWeeks).unwrap(), None);
    assert_eq!(home.newest_window(Network::Livepeer, Span::Day).unwrap(), None);
}

/// The results of a longer window are found by the filters of an hour's, in the same order and by pages.
pub fn longer_windows_have_results(home: &dyn Warehouse) {
    let made = window_record(NETWORK, HOUR, Span::Week, 7);
    home.record_window(&made).unwrap();
    home.record_hour(&record(NETWORK, HOUR, 0, 7)).unwrap();
    let window = made.scorecard.window;
    let filters = [
        ScoreFilter::default(),
        ScoreFilter { overall: Some(true), ..ScoreFilter::default() },
        ScoreFilter { overall: Some(false), ..ScoreFilter::default() },
        ScoreFilter { operator: Some(sample::operator(2)), ..ScoreFilter::default() },
        ScoreFilter { workload: Some(sample::class(1).workload), ..ScoreFilter::default() },
        ScoreFilter { model: sample::class(0).model, ..ScoreFilter::default() },
        ScoreFilter { pipeline: sample::class(1).pipeline, ..ScoreFilter::default() },
        ScoreFilter { grade: Some(sla::scorecard::Grade::B), ..ScoreFilter::default() },
        ScoreFilter { grade_min: Some(sla::scorecard::Grade::B), ..ScoreFilter::default() },
    ];
    for filter in &filters {
        let all = |window| home.scores(NETWORK, window, filter, &Page::first(100)).unwrap().rows;
        let results = |rows: Vec<ScoreRow>| rows.into_iter().map(|row| row.scored);
        // The sample's hour and window hold the same results.
        let expected: Vec<_> = results(all(Window::hour(HOUR))).collect();
        let found = all(window);
        assert!(!found.is_empty());
        assert!(found.iter().all(|row| row.window == window && row.revision == Some(0)));
        assert_eq!(results(found).collect::<Vec<_>>(), expected);
        let (mut page, mut walked) = (Page::first(3), Vec::new());
        loop {
            let paged = home.scores(NETWORK, window, filter, &page).unwrap();
            walked.extend(results(paged.rows));
            page.after = paged.next;
            if page.after.is_none() {
                break;
            }
        }
        assert_eq!(walked, expected);
    }
    let foreign = Page { after: Some(Cursor::Window(HOUR)), limit: 3 };
    let refused = home.scores(NETWORK, window, &filters[0], &foreign).unwrap_err();
    assert!(matches!(refused, Error::ForeignCursor { .. }));
    let unknown = Window { last: HOUR, span: Span::Day };
    assert!(home.scores(NETWORK, unknown, &filters[0], &Page::first(3)).unwrap().rows.is_empty());
}

/// An hour waits for its longer windows from its first revision until they are made.
pub fn hours_wait_for_their_windows(home: &dyn Warehouse) {
    let waiting = |home: &dyn Warehouse| -> Vec<Hour> {
        home.unrolled_hours(NETWORK).unwrap().into_iter().map(|row| row.hour).collect()
    };
    assert!(waiting(home).is_empty());
    let first = record(NETWORK, HOUR, 0, 3);
    home.record_hour(&first).unwrap();
    home.record_hour(&record(NETWORK, HOUR.next(), 0, 3)).unwrap();
    home.record_looked(NETWORK, Hour(HOUR.0 + 5), HOUR.end()).unwrap();
    assert_eq!(waiting(home), [HOUR, HOUR.next()]);
    assert_eq!(home.unrolled_hours(NETWORK).unwrap()[0].settled_ms, first.settled_ms);
    assert!(home.unrolled_hours(Network::Livepeer).unwrap().is_empty());
    home.record_rolled(NETWORK, &[HOUR]).unwrap();
    home.record_hour(&record(NETWORK, HOUR, 1, 4)).unwrap();
    home.record_looked(NETWORK, HOUR.next(), HOUR.end()).unwrap();
    assert_eq!(waiting(home), [HOUR.next()]);
    home.record_rolled(NETWORK, &[HOUR, HOUR.next()]).unwrap();
    assert!(waiting(home).is_empty());
}
