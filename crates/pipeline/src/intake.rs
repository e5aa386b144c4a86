//! The door: what is validly signed is kept, synced and only then acknowledged.
//!
//! Whether a batch counts is not asked here, so that an early or late roster changes nothing. The order of the checks
//! is the order of their cost: size, header, time, signature, room, and only then the payload.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use events::batch::{Header, Position};
use events::event::Network;
use events::identity::{Digest, PublisherKey};
use events::refusal::{Defect, Refusal};
use events::unit::{Millis, UnixMillis};
use events::wire::Frame;
use ledger::{Entry, Ledger};
use sla::window::Hour;
use warehouse::record::RefusalNote;
use warehouse::view::Source;

use crate::Error;

/// How much is taken from whom.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How far ahead of our clock a batch may be sealed.
    pub future_max_ms: Millis,
    /// The networks that are kept.
    pub networks: BTreeSet<Network>,
    /// The most bytes kept in an hour from all keys together that nobody vouches for.
    pub strangers_bytes_max: u64,
    /// The most batches kept in an hour from one key that nobody vouches for.
    pub stranger_batches_max: u64,
}

/// What became of a frame that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept now, synced.
    Kept,
    /// It was kept before.
    Known,
}

/// What was refused since it was last asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    /// How often which publisher was refused for what.
    pub counts: BTreeMap<(Network, Option<PublisherKey>, Defect), u64>,
    /// Those whose publisher is known one by one, the last [`NOTES_MAX`] of them.
    pub notes: VecDeque<RefusalNote>,
}

/// The most refusals that are noted one by one until somebody takes them.
pub const NOTES_MAX: usize = 1_024;

impl Refusals {
    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn count(&mut self, network: Network, key: Option<PublisherKey>, defect: Defect) {
        *self.counts.entry((network, key, defect)).or_default() += 1;
    }

    fn note(
        &mut self,
        (network, position): (Network, Position),
        refusal: &Refusal,
        at_ms: UnixMillis,
    ) {
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back(RefusalNote {
            at_ms,
            defect: refusal.defect,
            detail: refusal.detail.clone(),
            event: None,
            hour: Hour::of(at_ms),
            index: None,
            network,
            position,
            source: Source::Intake,
        });
    }
}

/// Who is no stranger: keys that the trust file names or that somebody delegated to.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys(Arc<RwLock<BTreeSet<PublisherKey>>>);

impl KnownKeys {
    /// Vouches for keys.
    pub fn extend(&self, keys: impl IntoIterator<Item = PublisherKey>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }

    /// Whether somebody vouches for a key.
    pub(crate) fn contains(&self, key: PublisherKey) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

/// How often the room for strangers is given anew.
const STRANGERS_EVERY: Millis = Millis(3_600_000);

/// How old a batch of a stranger may be: beyond the last revision of its hour it could change nothing.
const STRANGERS_AGE_MAX: Millis = Millis(8 * 24 * 3_600_000);

#[derive(Debug)]
struct State {
    refusals: Refusals,
    strangers_since_ms: UnixMillis,
    strangers_bytes: u64,
    stranger_batches: BTreeMap<PublisherKey, u64>,
}

/// The door to one ledger. Its calls block on the disk.
pub struct Intake {
    known: KnownKeys,
    ledger: Arc<Ledger>,
    limits: Limits,
    state: Mutex<State>,
}

impl Intake {
    /// A door to `ledger`.
    pub fn new(ledger: Arc<Ledger>, known: KnownKeys, limits: Limits) -> Self {
        let state = State {
            refusals: Refusals::default(),
            stranger_batches: BTreeMap::new(),
            strangers_bytes: 0,
            strangers_since_ms: UnixMillis(0),
        };
        Self { known, ledger, limits, state: Mutex::new(state) }
    }

    /// Takes one frame: see [`Self::accept_all`].
    pub fn accept(
        &self,
        frame: Vec<u8>,
        received_ms: UnixMillis,
    ) -> Result<Result<Accepted, Refusal>, Error> {
        let mut verdicts = self.accept_all(vec![frame], received_ms)?;
        let missing = || Err(Refusal::new(Defect::BatchMalformed, "no frame"));
        Ok(verdicts.pop().unwrap_or_else(missing))
    }

    /// Takes frames: when it returns, each that was not refused is synced. An error acknowledges none of them.
    ///
    /// Two calls that bring one batch at the same moment may both store it; a record kept twice counts once.
    pub fn accept_all(
        &self,
        frames: Vec<Vec<u8>>,
        received_ms: UnixMillis,
    ) -> Result<Vec<Result<Accepted, Refusal>>, Error> {
        let mut verdicts = Vec::with_capacity(frames.len());
        let mut entries = Vec::new();
        let mut brought = BTreeSet::new();
        for frame in frames {
            let verdict = self.judge(&frame, received_ms, &mut brought);
            if verdict == Ok(Accepted::Kept) {
                entries.push(Entry { received_ms, frame });
            }
            verdicts.push(verdict);
        }
        self.ledger.append(entries)?;
        Ok(verdicts)
    }

    /// Whether somebody vouches for a key.
    pub(crate) fn vouches_for(&self, key: PublisherKey) -> bool {
        self.known.contains(key)
    }

    /// The refusals since this was last asked.
    pub fn take_refusals(&self) -> Refusals {
        std::mem::take(&mut self.lock().refusals)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(
        &self,
        bytes: &[u8],
        received_ms: UnixMillis,
        brought: &mut BTreeSet<(Position, Digest)>,
    ) -> Result<Accepted, Refusal> {
        let refused = |network, key, refusal: Refusal| {
            self.lock().refusals.count(network, key, refusal.defect);
            refusal
        };
        // Bytes that are no batch name no network: they are counted with the first one that is kept.
        let anywhere = self.limits.networks.first().copied().unwrap_or(Network::Livepeer);
        let frame = Frame::parse(bytes).map_err(|refusal| refused(anywhere, None, refusal))?;
        let (network, key) = (frame.header.network, frame.header.key);
        // The key is named only once the signature shows that it is its holder who is refused.
        self.check_header(&frame, received_ms)
            .map_err(|refusal| refused(network, None, refusal))?;
        let (position, hash) = (frame.header.position(), frame.header.hash());
        if self.ledger.contains(&position, &hash) || brought.contains(&(position, hash)) {
            return Ok(Accepted::Known);
        }
        // Keys are free: what is refused of strangers is counted together.
        self.check_room(&frame.header, bytes.len(), received_ms)
            .map_err(|refusal| refused(network, None, refusal))?;
        frame.open().map_err(|refusal| {
            self.lock().refusals.note((network, position), &refusal, received_ms);
            refused(network, Some(key), refusal)
        })?;
        brought.insert((position, hash));
        Ok(Accepted::Kept)
    }

    fn check_header(&self, frame: &Frame<'_>, received_ms: UnixMillis) -> Result<(), Refusal> {
        let header = &frame.header;
        if !self.limits.networks.contains(&header.network) {
            return Err(Refusal::new(Defect::BatchNetwork, header.network));
        }
        if header.sealed_ms > received_ms.plus(self.limits.future_max_ms) {
            return Err(Refusal::new(
                Defect::BatchFuture,
                format_args!("sealed at {}", header.sealed_ms),
            ));
        }
        frame.verify()
    }

    fn check_room(
        &self,
        header: &Header,
        bytes: usize,
        received_ms: UnixMillis,
    ) -> Result<(), Refusal> {
        let key = header.key;
        if self.known.contains(key) {
            return Ok(());
        }
        if header.sealed_ms < received_ms.minus(STRANGERS_AGE_MAX) {
            return Err(Refusal::new(Defect::QuotaUnknownKey, format_args!("key {key}, and old")));
        }
        let mut state = self.lock();
        if state.strangers_since_ms.plus(STRANGERS_EVERY) <= received_ms {
            state.strangers_since_ms = received_ms;
            state.strangers_bytes = 0;
            state.stranger_batches.clear();
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let batches = state.stranger_batches.get(&key).copied().unwrap_or(0);
        let total = state.strangers_bytes.saturating_add(bytes);
        if batches >= self.limits.stranger_batches_max || total > self.limits.strangers_bytes_max {
            return Err(Refusal::new(Defect::QuotaUnknownKey, format_args!("key {key}")));
        }
        state.strangers_bytes = total;
        state.stranger_batches.insert(key, batches + 1);
        Ok(())
    }
}
