//! What every home must do, as functions that each take an empty one and panic with the promise that was broken.
//!
//! [`sample`] makes what they record. Nothing here knows which home it is talking to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

pub mod sample;

pub mod crash;

mod agenda;
mod batches;
mod hours;
mod lists;
mod publishers;
mod standing;
mod sums;
mod tested;

use sla::window::Span;

use crate::Warehouse;

pub use agenda::touched_hours_wait_until_they_are_looked_at;
pub use batches::{
    a_cursor_is_kept_with_its_batches, another_ledger_is_refused, batches_are_found,
    batches_are_recorded_once, documents_are_kept_under_their_digest, epochs_are_counted,
    extreme_numbers_are_kept,
};
pub use hours::{
    a_fill_changes_no_answer, a_final_scorecard_never_changes,
    a_job_is_found_by_how_it_stands_last, an_hour_comes_back_whole, mixed_records_are_refused,
    provisional_facts_give_way_to_settled_ones, revisions_stay, settling_again_changes_nothing,
    the_jobs_of_an_hour_are_those_of_its_latest_revision, whatever_changes_of_a_job_is_kept,
};
pub use lists::{
    filters_let_pass_what_they_name, networks_never_mix, nothing_is_found_in_an_empty_home,
    orchestrators_follow_their_jobs, other_lists_cursors_are_refused,
    pages_neither_lose_nor_repeat, the_version_grows_with_what_is_written,
    writers_do_not_disturb_pages,
};
pub use publishers::{publishers_are_replaced, refusals_are_counted_once, refusals_are_noted};
pub use standing::{
    counts_come_back_by_revision, hours_wait_for_their_windows, longer_windows_are_made_once,
    longer_windows_have_results, registers_are_kept_until_an_hour_changes_them,
    scorecards_are_found_as_they_are,
};
pub use sums::{
    counts_add_up_however_they_are_asked_for, enough_is_enough, minutes_are_kept_for_a_while,
    offers_are_made_of_all_words, operators_are_all_who_had_or_offered_work,
    regions_are_all_that_were_told,
};
pub use tested::tests_are_found_by_their_own_time;

/// The whole suite, each part in a home of its own that `make` makes.
///
/// # Panics
/// With the promise that was broken.
pub fn suite(make: impl Fn() -> Box<dyn Warehouse>) {
    for part in PARTS {
        part(&*make());
    }
}

/// The parts, in order.
const PARTS: &[fn(&dyn Warehouse)] = &[
    nothing_is_found_in_an_empty_home,
    batches_are_recorded_once,
    batches_are_found,
    epochs_are_counted,
    another_ledger_is_refused,
    a_cursor_is_kept_with_its_batches,
    documents_are_kept_under_their_digest,
    extreme_numbers_are_kept,
    touched_hours_wait_until_they_are_looked_at,
    an_hour_comes_back_whole,
    the_jobs_of_an_hour_are_those_of_its_latest_revision,
    settling_again_changes_nothing,
    revisions_stay,
    a_final_scorecard_never_changes,
    mixed_records_are_refused,
    provisional_facts_give_way_to_settled_ones,
    whatever_changes_of_a_job_is_kept,
    a_job_is_found_by_how_it_stands_last,
    a_fill_changes_no_answer,
    filters_let_pass_what_they_name,
    pages_neither_lose_nor_repeat,
    writers_do_not_disturb_pages,
    the_version_grows_with_what_is_written,
    other_lists_cursors_are_refused,
    orchestrators_follow_their_jobs,
    networks_never_mix,
    scorecards_are_found_as_they_are,
    counts_add_up_however_they_are_asked_for,
    enough_is_enough,
    minutes_are_kept_for_a_while,
    offers_are_made_of_all_words,
    regions_are_all_that_were_told,
    tests_are_found_by_their_own_time,
    operators_are_all_who_had_or_offered_work,
    publishers_are_replaced,
    refusals_are_counted_once,
    refusals_are_noted,
    counts_come_back_by_revision,
    registers_are_kept_until_an_hour_changes_them,
    longer_windows_are_made_once,
    longer_windows_have_results,
    hours_wait_for_their_windows,
];

/// Everything recorded is there when the home is opened again, and can be added to.
///
/// # Panics
/// With what is missing.
pub fn a_home_opened_again_has_everything(open: impl Fn() -> Box<dyn Warehouse>) {
    let network = sample::NETWORK;
    let record = sample::record(network, sample::HOUR, 0, 20);
    let home = open();
    home.record_batches(&[sample::batch(network, 7)], Some(("reader", 8))).unwrap();
    home.record_hour(&record).unwrap();
    home.record_publishers(&[sample::publisher(network, 1, 0)]).unwrap();
    let next = sample::HOUR.next();
    let open_facts = sample::facts(next, 30..35);
    assert!(home.record_provisional(network, next, &open_facts, None, next.start()).unwrap());
    home.record_window(&sample::window_record(network, sample::HOUR, Span::Day, 9)).unwrap();
    home.record_register(network, sample::HOUR.0 / 24, b"register").unwrap();
    let before = answers(&*home);
    drop(home);
    let home = open();
    assert_eq!(answers(&*home), before);
    hours::expect_record(&*home, &record);
    home.record_hour(&sample::record(network, sample::HOUR, 1, 21)).unwrap();
    assert_eq!(home.revisions(network, sample::HOUR).unwrap().len(), 2);
}

/// What a home answers to some questions, in one text.
fn answers(home: &dyn Warehouse) -> String {
    let network = sample::NETWORK;
    let page = crate::page::Page::first(100);
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        home.last_ordinal().unwrap(),
        home.cursor("reader").unwrap(),
        home.windows(network, &page).unwrap(),
        home.jobs(network, &Default::default(), &page).unwrap(),
        home.scores(network, sla::window::Window::hour(sample::HOUR), &Default::default(), &page)
            .unwrap(),
        home.orchestrators(network, sample::HOUR.end(), &page).unwrap(),
        home.publishers(network, &page).unwrap(),
        home.refusals(network, None).unwrap(),
        home.register_at(network, u64::MAX).unwrap(),
        home.unrolled_hours(network).unwrap(),
        home.operators(network).unwrap(),
        home.supply(network, sample::HOUR..=sample::HOUR).unwrap(),
    )
}
