//! What routing is asked about, gathered from the warehouse: who there is, how they stand, and what came of the work of
//! the last days. `sla::route` decides; nothing here does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::event::Network;
use events::identity::Address;
use events::unit::{Millis, UnixMillis};
use sla::route::candidate::{Candidate, Sighting, add_regions, known};
use sla::route::policy::{BUILT_IN, RoutingPolicy};
use sla::route::score_map::Served;
use sla::route::whatif::record::{Carried, Day, Record};
use sla::window::{Hour, Window};
use warehouse::{Error, Reader};

/// How many hours back offers and work are looked for.
const HOURS: u64 = 24;

/// The routing policies of an instance: the configured one first, then those that are built in.
#[derive(Debug, Clone)]
pub struct Policies(Arc<[RoutingPolicy]>);

impl Policies {
    /// The built-in policies, with `configured` before them.
    pub fn new(configured: Option<RoutingPolicy>) -> Self {
        let built_in = BUILT_IN.iter().filter_map(|(id, _)| RoutingPolicy::built_in(id));
        let configured_id = configured.as_ref().map(|policy| policy.id.clone());
        let others = built_in.filter(|policy| Some(&policy.id) != configured_id.as_ref());
        Self(configured.into_iter().chain(others).collect())
    }

    /// Every policy; the first is the one that holds where none is named.
    pub fn all(&self) -> &[RoutingPolicy] {
        &self.0
    }

    /// The policy of this name; the first where none is named.
    pub fn get(&self, id: Option<&str>) -> Option<&RoutingPolicy> {
        match id {
            None => self.0.first(),
            Some(id) => self.0.iter().find(|policy| policy.id == id),
        }
    }
}

/// Who there is, and how they stand.
#[derive(Debug, Clone)]
pub struct Field {
    /// Every address that was ever known.
    pub addresses: BTreeSet<Address>,
    /// Everybody who is known at each URL.
    pub candidates: Vec<Candidate>,
    /// The window of the scores; none where there are none.
    pub window: Option<Window>,
}

/// Who there is now, by the newest window of the length that the policy asks for; where there is none yet, as after a first
/// start, by the newest of the longest that there is.
pub fn field(
    warehouse: &dyn Reader,
    network: Network,
    policy: &RoutingPolicy,
    now: UnixMillis,
) -> Result<Field, Error> {
    let mut windows = Vec::new();
    for span in policy.spans() {
        windows.extend(warehouse.newest_window(network, span)?);
    }
    field_of(warehouse, network, &windows, now)
}

/// Who there was at a moment, by the first of these windows of before it that was made.
fn field_of(
    warehouse: &dyn Reader,
    network: Network,
    windows: &[Window],
    now: UnixMillis,
) -> Result<Field, Error> {
    let hours = Hour(Hour::of(now).0.saturating_sub(HOURS))..=Hour::of(now.minus(Millis(1)));
    let supply = warehouse.supply(network, hours.clone())?;
    let mut scored = None;
    for window in windows {
        scored = warehouse.scorecard(network, *window)?.map(|view| (*window, view));
        if scored.is_some() {
            break;
        }
    }
    let scorecard = scored.as_ref().map(|(_, view)| view.scorecard.as_ref());
    let mut candidates = known(scorecard, &supply);
    let operators = warehouse.operators(network)?;
    let seen: BTreeMap<Address, (UnixMillis, UnixMillis)> =
        operators.iter().map(|row| (row.operator, (row.first_ms, row.last_ms))).collect();
    let named: BTreeSet<Address> = candidates.iter().map(|one| one.operator).collect();
    let unnamed = seen.keys().filter(|operator| !named.contains(operator));
    candidates.extend(unnamed.map(|operator| Candidate::new(*operator, None)));
    for candidate in &mut candidates {
        let Some((first_ms, last_ms)) = seen.get(&candidate.operator) else { continue };
        candidate.first_seen = Some(*first_ms);
        candidate.last_seen = candidate.last_seen.max(Some((*last_ms).min(now)));
    }
    // Whole hours, so that what was read for the one question is there for the next.
    let worked = Sighting::question(hours.start().0..hours.end().0 + 1);
    let worked = warehouse.series(network, &worked)?;
    add_regions(&mut candidates, worked.iter().filter_map(Sighting::of).collect());
    // Whoever was first heard of later is nobody yet.
    candidates.retain(|one| one.first_seen.is_none_or(|first_ms| first_ms <= now));
    let window = scored.map(|(window, _)| window);
    Ok(Field { addresses: seen.into_keys().collect(), candidates, window })
}

impl Field {
    /// Where the scores end; none where there are none.
    pub fn scores_to(&self) -> Option<UnixMillis> {
        self.window.map(|window| window.last.end())
    }
}

/// Every address and region that was ever known: what no score map may lack.
pub fn served(warehouse: &dyn Reader, network: Network, field: &Field) -> Result<Served, Error> {
    let regions = warehouse.regions(network)?;
    Ok(Served { addresses: field.addresses.clone(), regions })
}

/// What whole days came to, with what was known before each: what a replay is made from.
#[derive(Debug)]
pub struct Past {
    /// The most that each operator was seen to carry.
    pub carried: Vec<Carried>,
    /// The days, oldest first.
    pub days: Vec<Day>,
}

/// The `count` whole days before the day of `now`.
pub fn past(
    warehouse: &dyn Reader,
    network: Network,
    policy: &RoutingPolicy,
    now: UnixMillis,
    count: u64,
) -> Result<Past, Error> {
    let today = Hour::of(now).0 / 24;
    let first = today.saturating_sub(count);
    let mut records: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    for row in warehouse.series(network, &Record::question(first..today))? {
        if let Some((day, record)) = Record::of(&row) {
            records.entry(day).or_default().push(record);
        }
    }
    let mut days = Vec::new();
    for day in first..today {
        let begins = Hour(day * 24);
        // What was known when the day began: a window that had ended, and only if it was made.
        let windows = policy.spans().map(|span| Window { last: begins.previous(), span });
        let windows: Vec<Window> = windows.collect();
        let field = field_of(warehouse, network, &windows, begins.start())?;
        days.push(Day {
            day,
            records: records.remove(&day).unwrap_or_default(),
            scores_to: field.scores_to(),
            candidates: field.candidates,
        });
    }
    let carried = warehouse.series(network, &Carried::question(first..today))?;
    Ok(Past { carried: Carried::of(&carried), days })
}
