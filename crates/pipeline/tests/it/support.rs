//! A stretch of simulated past, and an instance that hears it in any way a test likes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use events::batch::Batch;
use events::event::{Network, Role};
use events::identity::{Digest, PublisherKey};
use events::unit::{Millis, UnixMillis};
use events::wire;
use ledger::Ledger;
use pipeline::intake::{Intake, KnownKeys, Limits};
use pipeline::repair::LedgerSource;
use pipeline::settle::{Options, Settler};
use publisher::pseudonym::PseudonymKey;
use publisher::translate::{Speaker, translate};
use simulator::cast::Cast;
use simulator::options::Options as WorldOptions;
use simulator::sealer::Sealers;
use simulator::world::{What, World};
use sla::policy::Policy;
use sla::trust::{Member, TrustFile};
use sla::window::Hour;
use warehouse::Warehouse;
use warehouse::page::Page;
use warehouse::sqlite::Sqlite;

use crate::killed::Killed;

/// The hour in which every test's past begins.
pub const FIRST: Hour = Hour(490_000);

/// A time by which all of it is long over.
pub const LATER: UnixMillis = UnixMillis((490_000 + 24 * 60) * 3_600_000);

/// How many events are in view where a test says nothing.
const VIEW: usize = 100_000;

/// The batches of `hours` hours of a small network with many mishaps, in the order they were sealed.
pub fn past(seed: u64, hours: u64) -> (Arc<Cast>, Vec<Batch>) {
    past_at(2_500, seed, hours)
}

/// The same, with so many events in a thousand seconds.
pub fn past_at(events_per_1000_s: u64, seed: u64, hours: u64) -> (Arc<Cast>, Vec<Batch>) {
    past_in(events_per_1000_s, seed, &[(0, hours)])
}

/// The same for some stretches of it, each so many hours after the beginning and so many hours long.
pub fn past_in(
    events_per_1000_s: u64,
    seed: u64,
    stretches: &[(u64, u64)],
) -> (Arc<Cast>, Vec<Batch>) {
    let played = (1..).zip(stretches).map(|(epoch, (after, hours))| {
        stretch(events_per_1000_s, seed, epoch, (Hour(FIRST.0 + after), *hours))
    });
    let (casts, batches): (Vec<_>, Vec<_>) = played.unzip();
    (Arc::clone(&casts[0]), batches.into_iter().flatten().collect())
}

fn stretch(
    events_per_1000_s: u64,
    seed: u64,
    epoch: u64,
    (first, hours): (Hour, u64),
) -> (Arc<Cast>, Vec<Batch>) {
    let options = WorldOptions {
        events_per_1000_s,
        faults: simulator::options::Faults::FREQUENT,
        ..WorldOptions::small()
    };
    let mut world = World::new(seed, options, first.start());
    let cast = Arc::clone(world.cast());
    let end = first.start().plus(Millis(hours * 3_600_000));
    let mut sealers = Sealers::new(&cast, epoch, Millis(5_000));
    let mut batches = Vec::new();
    while world.next_ms() < end {
        let saying = world.next().unwrap();
        batches.extend(sealers.ripe(saying.at_ms).unwrap());
        let node = &cast.nodes[saying.speaker];
        let said = match saying.what {
            What::Event(event) => vec![*event],
            What::Envelope(json) | What::Transcode(json) => {
                let speaker = Speaker {
                    network: Network::Simulation,
                    reporter: node.operator,
                    role: node.role,
                    node: node.id.clone(),
                    pseudonyms: PseudonymKey::of(&node.secret),
                    region: Some(node.region.clone()),
                };
                translate(&json, &speaker, node.clock(saying.at_ms)).events
            }
        };
        for event in said {
            batches.extend(sealers.push(&cast, saying.speaker, saying.at_ms, &event).unwrap());
        }
    }
    batches.extend(sealers.flush(end).unwrap());
    batches.sort_by_key(|batch| (batch.header.sealed_ms, batch.header.position()));
    (cast, batches)
}

/// The trust file that the simulated controller and testers are named in.
pub fn trust(cast: &Cast) -> TrustFile {
    let member = |node: &simulator::cast::Node| Member {
        address: node.operator,
        key: None,
        role: node.role,
    };
    let named =
        cast.nodes.iter().filter(|node| matches!(node.role, Role::Controller | Role::Tester));
    TrustFile {
        members: named.map(member).collect(),
        network: Network::Simulation,
        roster_quorum: 1,
    }
}

/// One instance on a directory.
pub struct Instance {
    pub intake: Intake,
    pub known: KnownKeys,
    pub ledger: Arc<Ledger>,
    pub settler: Settler,
    pub warehouse: Arc<dyn Warehouse>,
}

impl Instance {
    pub fn open(directory: &Path, trust: &TrustFile) -> Self {
        Self::open_for(directory, trust, BTreeSet::new())
    }

    /// One in whose folder these keys import.
    pub fn open_for(
        directory: &Path,
        trust: &TrustFile,
        importers: BTreeSet<PublisherKey>,
    ) -> Self {
        Self::of(directory, trust, importers, (u64::MAX, VIEW)).unwrap()
    }

    /// One whose view of the open hours holds so many events.
    pub fn open_with_view(directory: &Path, trust: &TrustFile, events_max: usize) -> Self {
        Self::of(directory, trust, BTreeSet::new(), (u64::MAX, events_max)).unwrap()
    }

    /// One whose warehouse takes so many writes and then no more, as if the process were killed before the next.
    pub fn try_open(
        directory: &Path,
        trust: &TrustFile,
        writes: u64,
    ) -> Result<Self, pipeline::Error> {
        Self::of(directory, trust, BTreeSet::new(), (writes, VIEW))
    }

    fn of(
        directory: &Path,
        trust: &TrustFile,
        importers: BTreeSet<PublisherKey>,
        (writes, live_events_max): (u64, usize),
    ) -> Result<Self, pipeline::Error> {
        let (ledger, _) =
            Ledger::open(&directory.join("ledger"), ledger::Options::default()).unwrap();
        let ledger = Arc::new(ledger);
        let path = directory.join("warehouse.sqlite");
        let home = Sqlite::open(&path, warehouse::sqlite::Options::default()).unwrap();
        let warehouse: Arc<dyn Warehouse> = Arc::new(Killed::after(writes, home));
        let known = KnownKeys::default();
        let limits = Limits {
            future_max_ms: Millis(60_000),
            networks: [Network::Simulation].into(),
            strangers_bytes_max: 64 << 20,
            stranger_batches_max: 100_000,
        };
        let intake = Intake::new(Arc::clone(&ledger), known.clone(), limits);
        let options = Options {
            importers,
            live_events_max,
            policy: Policy::standard(),
            threads: 2,
            trust: vec![trust.clone()],
            verifies: false,
        };
        let listener = Box::new(|_: &pipeline::settle::News<'_>| {});
        let settler = Settler::open(
            Arc::clone(&ledger),
            Arc::clone(&warehouse),
            known.clone(),
            options,
            listener,
        )?;
        Ok(Self { intake, known, ledger, settler, warehouse })
    }

    /// What others repair from.
    pub fn source(&self) -> LedgerSource {
        LedgerSource { known: self.known.clone(), ledger: Arc::clone(&self.ledger) }
    }

    /// Lets batches in; none may be refused.
    pub fn hear<'a>(&self, batches: impl IntoIterator<Item = &'a Batch>, now: UnixMillis) {
        let batches: Vec<&Batch> = batches.into_iter().collect();
        // The past is old, and only those who are vouched for may bring what is old.
        self.known.extend(batches.iter().map(|batch| batch.header.key));
        for some in batches.chunks(1024) {
            let frames = some.iter().map(|batch| wire::encode(batch).unwrap()).collect();
            for verdict in self.intake.accept_all(frames, now).unwrap() {
                verdict.unwrap();
            }
        }
    }

    pub fn catch_up(&mut self, now: UnixMillis) {
        self.settler.catch_up(now, &mut |_, _| {}).unwrap();
    }

    /// Does what is to be done, a step at a time, until there is no more.
    pub fn settle(&mut self, now: UnixMillis) {
        while self.settler.step(now).unwrap() != pipeline::settle::Step::default() {}
    }

    /// The latest digest of every settled hour.
    pub fn digests(&self) -> BTreeMap<Hour, Digest> {
        let windows = self.warehouse.windows(Network::Simulation, &Page::first(1000)).unwrap();
        windows
            .rows
            .into_iter()
            .filter_map(|row| row.latest.map(|latest| (row.hour, latest.digest)))
            .collect()
    }
}
