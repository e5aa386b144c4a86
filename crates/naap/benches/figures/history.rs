//! The input: a seeded network as large as Livepeer's, played into a ledger as fast as it goes.

use std::path::Path;
use std::sync::Arc;

use events::batch::Batch;
use events::event::{Network, Role};
use events::unit::{Millis, UnixMillis};
use events::wire;
use ledger::{Entry, Ledger};
use publisher::pseudonym::PseudonymKey;
use publisher::translate::{Speaker, translate};
use simulator::cast::{Cast, Node};
use simulator::options::Options;
use simulator::sealer::Sealers;
use simulator::world::{Saying, What, World};
use sla::trust::{Member, TrustFile};

use crate::Measured;

/// The seed of every input.
const SEED: u64 = 20_260_108;

/// When the play begins: 2026-01-01T00Z.
const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// How long a statement of the past waits for its batch to fill.
const SPAN: Millis = Millis(9 * 60_000);

/// How many frames are appended at once.
const GROUP: usize = 128;

/// A play that goes on until so many events were said.
pub struct Play {
    pub cast: Arc<Cast>,
    sealers: Sealers,
    world: World,
    pub said: u64,
}

impl Play {
    pub fn new(options: Options) -> Self {
        let world = World::new(SEED, options, START);
        let cast = Arc::clone(world.cast());
        let sealers = Sealers::new(&cast, 1, SPAN);
        Self { cast, sealers, world, said: 0 }
    }

    /// The batches that the next saying fills or that waited long enough by then.
    pub fn step(&mut self) -> Vec<Batch> {
        let saying = self.world.next().expect("a world never ends");
        let mut batches = self.sealers.ripe(saying.at_ms).expect("simulated batches seal");
        for event in said(&self.cast, &saying) {
            self.said += 1;
            let full = self.sealers.push(&self.cast, saying.speaker, saying.at_ms, &event);
            batches.extend(full.expect("simulated batches seal"));
        }
        batches
    }

    pub fn rest(&mut self) -> Vec<Batch> {
        let now = self.world.next_ms();
        self.sealers.flush(now).expect("simulated batches seal")
    }
}

/// The events of a saying: a gateway's are translated as its publisher would.
fn said(cast: &Cast, saying: &Saying) -> Vec<events::event::Event> {
    let node = &cast.nodes[saying.speaker];
    match &saying.what {
        What::Event(event) => vec![event.as_ref().clone()],
        What::Envelope(json) | What::Transcode(json) => {
            translate(json, &speaker(node), node.clock(saying.at_ms)).events
        }
    }
}

fn speaker(node: &Node) -> Speaker {
    Speaker {
        network: Network::Simulation,
        reporter: node.operator,
        role: node.role,
        node: node.id.clone(),
        pseudonyms: PseudonymKey::of(&node.secret),
        region: Some(node.region.clone()),
    }
}

pub fn trust(cast: &Cast) -> TrustFile {
    let named =
        cast.nodes.iter().filter(|node| matches!(node.role, Role::Controller | Role::Tester));
    let members = named.map(|node| Member { address: node.operator, key: None, role: node.role });
    TrustFile { members: members.collect(), network: Network::Simulation, roster_quorum: 1 }
}

/// Writes a ledger of about `events` events, and the trust file beside it.
pub fn write(directory: &Path, events: u64) -> Measured {
    let mut play = Play::new(Options::golden());
    let (ledger, _) = Ledger::open(&directory.join("ledger"), ledger::Options::default())
        .expect("an empty folder");
    std::fs::write(directory.join("trust.toml"), trust(&play.cast).to_toml())
        .expect("a writable folder");
    let mut entries: Vec<Entry> = Vec::with_capacity(GROUP);
    let (mut batches, mut bytes) = (0u64, 0u64);
    let mut keep = |some: Vec<Batch>, is_last: bool| {
        for batch in some {
            let frame = wire::encode(&batch).expect("a sealed batch fits a frame");
            batches += 1;
            bytes += frame.len() as u64;
            entries.push(Entry { received_ms: batch.header.sealed_ms, frame });
        }
        if entries.len() >= GROUP || is_last {
            ledger.append(std::mem::take(&mut entries)).expect("a writable ledger");
        }
    };
    let mut told = 0;
    while play.said < events {
        keep(play.step(), false);
        if play.said / 500_000 > told {
            told = play.said / 500_000;
            eprintln!("  {} of {events} events made", play.said);
        }
    }
    keep(play.rest(), true);
    let note = format!(
        "seed {SEED}, 100 orchestrators, 10 gateways, {} events in {batches} batches sealed at 256 events or 9 minutes, {} MiB",
        play.said,
        bytes >> 20
    );
    Measured { note, ..Measured::default() }
        .with("events", play.said as f64)
        .with("batches", batches as f64)
}
