//! The changes of scores that the newest windows show, in one order: an index in memory over what the warehouse keeps,
//! brought up to date in small steps by whoever owns it. It computes no score, and the same windows give the same items
//! under the same ids wherever and whenever it is built.
//!
//! A window is compared with the one before it of the same length. The index reaches [`HOURS_KEPT`] hours back from the
//! newest window, and over at most [`ITEMS_MAX`] items; the oldest window is there to be compared with alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use events::event::Network;
use events::identity::Address;
use events::unit::{Ppm, UnixMillis};
use serde::{Deserialize, Serialize};
use sla::change::{Change, MovedPart, Standing, What, changes, standings};
use sla::scorecard::{Grade, Scorecard};
use sla::window::{Hour, Span, Window};
use warehouse::view::SpanRow;
use warehouse::{Error, Reader};

/// How far back the index reaches: 30 days.
pub const HOURS_KEPT: u64 = 720;

/// How many items it holds at most, of whole windows: the newest.
pub const ITEMS_MAX: usize = 10_000;

/// The most parts of a score that an item names.
const MOVED_MAX: usize = 8;

/// The lengths of the windows whose changes are told.
pub const SPANS: [Span; 2] = [Span::Day, Span::Week];

type Standings = BTreeMap<Address, Standing>;

/// Where an item stands in the order of all: by the end of its window, its length, and the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The last hour of the window.
    pub hour: Hour,
    /// The length of the window in hours.
    pub hours: u64,
    /// The operator.
    pub operator: Address,
}

/// How an operator stood, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// The evidence grade.
    pub grade: Grade,
    /// Why there is no score.
    pub reason: Option<String>,
    /// The score.
    pub score: Option<Ppm>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How the operator stands now; absent where the window does not name it.
    pub after: Option<Stood>,
    /// How it stood; absent where the window before did not name it.
    pub before: Option<Stood>,
    /// The window it is compared with.
    pub before_window: Window,
    /// When the window was made.
    pub made_ms: UnixMillis,
    /// The parts of the score that moved furthest, at most eight.
    pub moved: Vec<MovedPart>,
    /// The network.
    pub network: Network,
    /// Whose score it is, and in which window.
    pub place: Place,
    /// What became of it.
    pub what: What,
    /// The window.
    pub window: Window,
}

impl Item {
    fn of(change: Change, network: Network, before: Window, row: &SpanRow) -> Self {
        let Change { after, before: old, mut moved, operator, what } = change;
        let stood = |it: Standing| Stood { grade: it.grade, reason: it.reason, score: it.score };
        moved.truncate(MOVED_MAX);
        let window = row.window;
        Self {
            after: after.map(stood),
            before: old.map(stood),
            before_window: before,
            made_ms: row.made_ms,
            moved,
            network,
            place: Place { hour: window.last, hours: window.span.hours(), operator },
            what,
            window,
        }
    }

    /// A name that no other change has: windows are made once, so the two windows and the operator say all of it.
    pub fn id(&self) -> String {
        let (network, operator) = (self.network, self.place.operator);
        format!("urn:naap:change:{network}:{}:{}:{operator}", self.before_window.last, self.window)
    }
}

/// What the index holds of a network, complete as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The items, oldest first.
    pub items: Vec<Arc<Item>>,
}

impl Shown {
    /// The items behind a place, oldest first.
    pub fn after(&self, place: Option<&Place>) -> &[Arc<Item>] {
        let from = place.map_or(0, |place| self.items.partition_point(|item| item.place <= *place));
        self.items.get(from..).unwrap_or_default()
    }

    /// The items before a place, oldest first.
    pub fn before(&self, place: Option<&Place>) -> &[Arc<Item>] {
        let to = place
            .map_or(self.items.len(), |place| self.items.partition_point(|it| it.place < *place));
        self.items.get(..to).unwrap_or_default()
    }
}

/// The index over all networks.
#[derive(Debug)]
pub struct Changes {
    building: Mutex<BTreeMap<Network, Builder>>,
    shown: RwLock<BTreeMap<Network, Arc<Shown>>>,
    step: Ppm,
}

/// What is known of a network's windows while the index is brought up to date.
#[derive(Debug, Default)]
struct Builder {
    /// The standings of the window looked at last, by length: the next one is compared with it.
    last: BTreeMap<Span, (Window, Arc<Standings>)>,
    /// By window, what it was compared with and what came of it.
    pairs: BTreeMap<(Hour, Span), Pair>,
    /// Nothing up to here is kept: there was no room.
    floor: Option<(Hour, Span)>,
}

#[derive(Debug)]
struct Pair {
    before: Hour,
    items: Vec<Arc<Item>>,
}

impl Changes {
    /// An empty index; a score has to move by `step` to be told.
    pub fn new(step: Ppm) -> Self {
        Self { building: Mutex::default(), shown: RwLock::default(), step }
    }

    /// What is known of a network; none before all of it was looked at once.
    pub fn shown(&self, network: Network) -> Option<Arc<Shown>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        shown.get(&network).map(Arc::clone)
    }

    /// Compares at most `most` windows that were not looked at yet; says whether none is left. Blocks on the warehouse.
    ///
    /// What is shown changes only once none is left, so nobody sees a part.
    pub fn refresh(
        &self,
        reader: &dyn Reader,
        network: Network,
        most: usize,
    ) -> Result<bool, Error> {
        let mut building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let builder = building.entry(network).or_default();
        let mut newest = Vec::new();
        for span in SPANS {
            newest.extend(reader.spans(network, span, Hour(0)..=Hour(u64::MAX), 1)?);
        }
        let newest = newest.iter().map(|row| row.window.last).max();
        let mut has_changed = false;
        if let Some(newest) = newest {
            let hours = Hour((newest.0 + 1).saturating_sub(HOURS_KEPT))..=newest;
            let mut room = most;
            for span in SPANS {
                let kept = usize::try_from(HOURS_KEPT).unwrap_or(usize::MAX);
                let rows = reader.spans(network, span, hours.clone(), kept)?;
                has_changed |= builder.forget(span, &rows);
                let done = builder.compare(reader, network, &rows, self.step, &mut room)?;
                has_changed |= done > 0;
                if builder.is_behind(&rows) {
                    return Ok(false);
                }
            }
        }
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        if has_changed || !shown.contains_key(&network) {
            builder.bound();
            let mut items: Vec<Arc<Item>> =
                builder.pairs.values().flat_map(|pair| &pair.items).cloned().collect();
            items.sort_by_key(|item| item.place);
            shown.insert(network, Arc::new(Shown { items }));
        }
        Ok(true)
    }
}

impl Builder {
    /// Forgets the windows of a length that are too old, and those whose neighbour is another one now.
    fn forget(&mut self, span: Span, rows: &[SpanRow]) -> bool {
        let ends: Vec<Hour> = rows.iter().map(|row| row.window.last).collect();
        let holds: BTreeSet<(Hour, Hour)> =
            ends.iter().copied().zip(ends.iter().skip(1).copied()).collect();
        let had = self.pairs.len();
        self.pairs.retain(|(hour, of), pair| *of != span || holds.contains(&(pair.before, *hour)));
        had != self.pairs.len()
    }

    /// The windows that are still to be compared, each behind the one before it.
    fn wanted<'a>(&self, rows: &'a [SpanRow]) -> Vec<(&'a SpanRow, &'a SpanRow)> {
        let place = |row: &SpanRow| (row.window.last, row.window.span);
        let is_wanted = |row: &SpanRow| {
            let place = place(row);
            !self.pairs.contains_key(&place) && self.floor.is_none_or(|floor| place > floor)
        };
        rows.iter().zip(rows.iter().skip(1)).filter(|(_, row)| is_wanted(row)).collect()
    }

    fn is_behind(&self, rows: &[SpanRow]) -> bool {
        !self.wanted(rows).is_empty()
    }

    /// Compares windows as long as there is `room`; says how many.
    fn compare(
        &mut self,
        reader: &dyn Reader,
        network: Network,
        rows: &[SpanRow],
        step: Ppm,
        room: &mut usize,
    ) -> Result<usize, Error> {
        let mut done = 0;
        for (before, row) in self.wanted(rows).into_iter().take(*room) {
            let window = row.window;
            let old = self.standings(reader, network, before.window)?;
            let new = self.standings(reader, network, window)?;
            self.last.insert(window.span, (window, Arc::clone(&new)));
            let item = |change| Arc::new(Item::of(change, network, before.window, row));
            let items = changes(&old, &new, step).into_iter().map(item).collect();
            let pair = Pair { before: before.window.last, items };
            self.pairs.insert((window.last, window.span), pair);
            done += 1;
        }
        *room -= done;
        Ok(done)
    }

    fn standings(
        &self,
        reader: &dyn Reader,
        network: Network,
        window: Window,
    ) -> Result<Arc<Standings>, Error> {
        if let Some((known, standings)) = self.last.get(&window.span)
            && *known == window
        {
            return Ok(Arc::clone(standings));
        }
        let Some(record) = reader.window_record(network, window)? else {
            return Ok(Arc::default());
        };
        let card: Scorecard = serde_json::from_slice(&record.scorecard_bytes).map_err(|error| {
            Error::Corrupt { action: "compare windows", what: error.to_string() }
        })?;
        Ok(Arc::new(standings(&card)))
    }

    /// Keeps as many of the newest windows as there is room for.
    fn bound(&mut self) {
        let mut items = 0;
        let over = self.pairs.iter().rev().find(|(_, pair)| {
            items += pair.items.len();
            items > ITEMS_MAX
        });
        if let Some((place, _)) = over {
            let floor = *place;
            self.pairs.retain(|place, _| *place > floor);
            self.floor = Some(floor);
        }
    }
}
