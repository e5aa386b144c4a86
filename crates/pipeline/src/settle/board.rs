//! What settling knows of one network between two steps: who may speak, who is who, what was sealed twice.
//!
//! All of it can be rebuilt from the ledger and the warehouse's rows; nothing here is the only copy of anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use events::batch::Position;
use events::event::{Network, Role};
use events::identity::PublisherKey;
use events::unit::{Millis, UnixMillis};
use ledger::Ledger;
use sla::authority::Authority;
use sla::hour::{OpenJobs, last_good_of};
use sla::mapping::TieKey;
use sla::opened::Opened;
use sla::policy::observe::IDLE_MAX;
use sla::probes::{CLOSES_AFTER, Trace};
use sla::trust::TrustFile;
use sla::window::Hour;
use warehouse::record::{Touch, Touched};

use super::note::{Noted, open, spread};
use super::traces::Traces;
use crate::Error;

/// How many ends of hours are kept at hand: more than can be settled and not yet written, so that what is not at hand
/// stands in the warehouse.
const ENDS_KEPT: usize = 4;

/// The end of a settled hour: what the next one needs of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HourEnd {
    /// The jobs that were open.
    pub open: OpenJobs,
    /// The batches that hold their claims.
    pub positions: BTreeSet<Position>,
}

/// One network's knowledge.
pub struct Board {
    /// Whose word counts. Made anew when records came.
    authority: Authority,
    authority_is_stale: bool,
    /// Opened batches, by ordinal: those that the next hour will ask for again.
    cache: BTreeMap<u64, Arc<Opened>>,
    /// The ends of the hours settled last, the last one at the back.
    ends: VecDeque<(Hour, HourEnd)>,
    /// Positions that were sealed twice.
    forks: BTreeSet<Position>,
    /// The places that revocations name as the last good ones, with the records that stand there.
    last_good: BTreeMap<Position, BTreeSet<u64>>,
    /// The network.
    pub network: Network,
    /// Batches that say who may speak, by ordinal.
    records: BTreeMap<u64, Arc<Opened>>,
    /// Where each publisher ties each set of names together: when it counts, and which record holds it.
    ties: BTreeMap<TieKey, BTreeSet<(UnixMillis, u64)>>,
    /// The days whose ties and traces are known.
    pub tie_days: BTreeSet<u64>,
    /// Where testers bound and showed tests.
    traces: Traces,
}

impl Board {
    /// A board that knows the trust file alone.
    pub fn new(trust: &TrustFile) -> Self {
        Self {
            authority: Authority::new(trust),
            authority_is_stale: false,
            cache: BTreeMap::new(),
            ends: VecDeque::new(),
            forks: BTreeSet::new(),
            last_good: BTreeMap::new(),
            network: trust.network,
            records: BTreeMap::new(),
            ties: BTreeMap::new(),
            tie_days: BTreeSet::new(),
            traces: Traces::default(),
        }
    }

    /// Takes what was noted of a batch.
    pub fn take(&mut self, noted: &Noted) {
        let row = &noted.row;
        if let Some(records) = &noted.records {
            self.take_records(row.ordinal, Arc::clone(records));
        }
        self.take_reaching(noted);
    }

    /// Takes what a batch says that hours around it may lean on, without touching an hour.
    pub fn take_reaching(&mut self, noted: &Noted) {
        let ordinal = noted.row.ordinal;
        self.take_ties(ordinal, &noted.ties);
        for (said_ms, trace) in &noted.traces {
            let (Trace::Committed(tester, _) | Trace::Revealed(tester, ..)) = trace;
            // Nobody else's can ever count, and whoever is not named here must not fill the memory.
            if self.authority.trust().names(Role::Tester, *tester) {
                self.traces.take((*said_ms, ordinal), trace);
            }
        }
    }

    /// Takes the events of a batch that say who may speak.
    pub fn take_records(&mut self, ordinal: u64, records: Arc<Opened>) {
        for position in last_good_of(&records) {
            self.last_good.entry(position).or_default();
        }
        self.records.insert(ordinal, records);
        self.authority_is_stale = true;
    }

    /// Whether a revocation names this place as that of the last good batch.
    pub fn is_last_good(&self, position: &Position) -> bool {
        self.last_good.contains_key(position)
    }

    /// The places that revocations name and of which nothing is known yet.
    pub fn last_good_unknown(&self) -> Vec<Position> {
        let unknown = self.last_good.iter().filter(|(_, ordinals)| ordinals.is_empty());
        unknown.map(|(position, _)| *position).collect()
    }

    /// Takes the records of a batch that stands where a revocation names the last good one.
    pub fn take_last_good(&mut self, ordinal: u64, records: Arc<Opened>) {
        if records.header.network == self.network
            && let Some(ordinals) = self.last_good.get_mut(&records.position())
            && ordinals.insert(ordinal)
        {
            self.take_records(ordinal, records);
        }
    }

    /// The records of the batches that revocations name as the last good ones, or that stand in their place.
    pub fn last_good(&self) -> impl Iterator<Item = u64> {
        self.last_good.values().flatten().copied()
    }

    fn take_ties(&mut self, ordinal: u64, ties: &[(UnixMillis, TieKey)]) {
        for (counted_ms, names) in ties {
            match self.ties.get_mut(names) {
                Some(known) => {
                    known.insert((*counted_ms, ordinal));
                }
                None => {
                    self.ties.insert(names.clone(), BTreeSet::from([(*counted_ms, ordinal)]));
                }
            }
        }
    }

    /// Takes a position that was sealed twice, with the records of both batches.
    pub fn take_fork(
        &mut self,
        position: Position,
        batches: impl IntoIterator<Item = (u64, Arc<Opened>)>,
    ) {
        if self.forks.insert(position) {
            self.authority_is_stale = true;
            self.records.extend(batches);
        }
    }

    /// Lets go of all ties and traces.
    pub fn forget_reaching(&mut self) {
        self.ties.clear();
        self.tie_days.clear();
        self.traces = Traces::default();
    }

    /// Whose word counts, as far as is known now.
    pub fn authority(&mut self) -> &Authority {
        if std::mem::take(&mut self.authority_is_stale) {
            self.authority = self.authority.again(self.records.values().map(Arc::as_ref));
            for position in &self.forks {
                self.authority.note_fork(*position);
            }
        }
        &self.authority
    }

    /// The keys that the trust file names, or that somebody of a roster or the trust file delegated to.
    pub fn known_keys(&mut self) -> BTreeSet<PublisherKey> {
        let authority = self.authority();
        let named = authority.trust().members.iter().filter_map(|member| member.key);
        named.chain(authority.vouched_keys()).collect()
    }

    /// The batches that say who may speak, with their ordinals.
    pub fn records(&self) -> &BTreeMap<u64, Arc<Opened>> {
        &self.records
    }

    /// The records that hold the ties an hour may lean on: of each publisher and set of names those within the hour,
    /// the last before it and the first after it.
    pub fn ties_for(&self, hour: Hour) -> BTreeSet<u64> {
        let (start, end) = ((hour.start(), 0), (hour.end(), 0));
        let mut ordinals = BTreeSet::new();
        for ties in self.ties.values() {
            let before = ties.range(..start).next_back();
            let after = ties.range(end..).next();
            let same_moment = |edge: Option<&(UnixMillis, u64)>| {
                edge.map(|(at, _)| ties.range((*at, 0)..=(*at, u64::MAX))).into_iter().flatten()
            };
            let around = same_moment(before).chain(same_moment(after));
            ordinals.extend(ties.range(start..end).chain(around).map(|(_, ordinal)| *ordinal));
        }
        ordinals
    }

    /// The records that bind or show tests among the jobs of an hour, which `batches` tell of.
    pub fn traces_for<'a>(
        &self,
        hour: Hour,
        batches: impl Iterator<Item = &'a Opened>,
    ) -> BTreeSet<u64> {
        let told = batches.flat_map(Opened::readable);
        self.traces.naming(hour, told.filter_map(|(_, event)| event.job_id))
    }

    /// The end of an hour, if it is among those settled last.
    pub fn end(&self, hour: Hour) -> Option<&HourEnd> {
        self.ends.iter().find(|(known, _)| *known == hour).map(|(_, end)| end)
    }

    /// Takes the end of an hour that was settled.
    pub fn take_end(&mut self, hour: Hour, end: HourEnd) {
        self.ends.retain(|(known, _)| *known != hour);
        self.ends.push_back((hour, end));
        if self.ends.len() > ENDS_KEPT {
            self.ends.pop_front();
        }
    }

    /// Keeps opened batches for the next hour.
    pub fn keep(
        &mut self,
        batches: impl IntoIterator<Item = (u64, Arc<Opened>)>,
        from: UnixMillis,
    ) {
        self.cache.retain(|_, batch| batch.header.sealed_ms >= from);
        self.cache.extend(batches.into_iter().filter(|(_, batch)| batch.header.sealed_ms >= from));
    }

    /// Keeps batches that were opened ahead, until the next hour is settled.
    pub fn keep_ahead(&mut self, batches: Vec<(u64, Arc<Opened>)>) {
        self.cache.extend(batches);
    }

    /// Which of `ordinals` are not at hand.
    pub fn lacks(&self, ordinals: &BTreeSet<u64>) -> Vec<u64> {
        ordinals.iter().copied().filter(|ordinal| !self.cache.contains_key(ordinal)).collect()
    }

    /// Opens the records of `ordinals`, on several threads where they are many.
    pub fn open_all(
        &self,
        ledger: &Ledger,
        ordinals: &BTreeSet<u64>,
        threads: usize,
    ) -> Result<BTreeMap<u64, Arc<Opened>>, Error> {
        let known =
            |ordinal: &u64| self.cache.get(ordinal).map(|batch| (*ordinal, Arc::clone(batch)));
        let mut opened: BTreeMap<u64, Arc<Opened>> = ordinals.iter().filter_map(known).collect();
        let lacking = self.lacks(ordinals);
        let threads = if lacking.len() < 8 { 1 } else { threads };
        opened.extend(spread(&lacking, threads, |ordinal| open_one(ledger, *ordinal))?);
        Ok(opened)
    }
}

/// Opens one record.
pub fn open_one(ledger: &Ledger, ordinal: u64) -> Result<(u64, Arc<Opened>), Error> {
    let absent = || Error::Absent(format!("ledger record {ordinal} is not there"));
    let entry = ledger.get(ordinal)?.ok_or_else(absent)?;
    Ok((ordinal, Arc::new(open(ordinal, &entry)?)))
}

/// The hours that a batch sealed at `sealed_ms` can hold events of, or prove silences of.
pub fn hours_near(sealed_ms: UnixMillis) -> BTreeSet<Hour> {
    [sealed_ms.minus(IDLE_MAX), sealed_ms, sealed_ms.plus(IDLE_MAX)].map(Hour::of).into()
}

/// The hours that a noted batch can change; where it was imported, they are to be looked at at once.
///
/// A tie reaches a day to either side, what testers say a day forward and a quarter of an hour back. Who may speak
/// reaches as far as a delegation, back and forth; a fork, or what stands where a revocation names the last good batch,
/// reaches hours of its whole epoch, so such a *proof* is treated alike.
/// What does change shows at those hours' next points.
pub fn touches(noted: &Noted, is_proof: bool, at_once: bool) -> Vec<Touch> {
    let (network, sealed_ms) = (noted.row.network, noted.row.sealed_ms);
    let touch = |hours| Touch { at_once, hours, network };
    let around = |moment: UnixMillis, reach: Millis| {
        touch(Touched::Known(Hour::of(moment.minus(reach))..=Hour::of(moment.plus(reach))))
    };
    let mut touches: Vec<Touch> =
        hours_near(sealed_ms).into_iter().map(|hour| touch(Touched::Hour(hour))).collect();
    if noted.records.is_some() || is_proof {
        touches.push(around(sealed_ms, events::delegation::MAX_LIFETIME));
    }
    let tied: BTreeSet<Hour> =
        noted.ties.iter().map(|(counted_ms, _)| Hour::of(*counted_ms)).collect();
    touches.extend(tied.into_iter().map(|hour| around(hour.start(), TIE_REACH)));
    touches.extend(noted.traces.iter().map(|(said_ms, _)| {
        let (first, last) = (said_ms.minus(CLOSES_AFTER), said_ms.plus(sla::probes::REACH));
        touch(Touched::Known(Hour::of(first)..=Hour::of(last)))
    }));
    touches
}

/// How far a tie reaches from the start of the hour it counts in.
const TIE_REACH: Millis = Millis(sla::mapping::REACH.0 + events::unit::HOUR_MS);

/// The days, counted from 1970, whose ties and traces an hour may lean on.
pub fn tie_days(hour: Hour) -> std::ops::RangeInclusive<u64> {
    const DAY: Millis = Millis(24 * 3_600_000);
    let reach = sla::mapping::REACH;
    // Ties are found by when their batch was sealed, which is at most ten minutes from when they count.
    let slack = sla::opened::EVENT_AGE_MAX;
    hour.start().minus(reach).minus(slack).0 / DAY.0..=hour.end().plus(reach).plus(slack).0 / DAY.0
}
