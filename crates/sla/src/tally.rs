//! The counts of one hour: what every score, chart and comparison is made of.
//!
//! A tally is a sum: two tallies of disjoint jobs merge by addition, in any order. It keeps what a score needs exactly,
//! per subject, class, set of reporters, region and block of time, and nothing about single jobs.

use std::collections::BTreeMap;

use events::event::{Origin, Workload};
use events::identity::{Address, GatewayName, Model, NodeId, Pipeline, Region, ServiceUrl};
use events::unit::MAX_JSON_INTEGER;
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

events::words! {
    /// What a tenure owes.
    Obligation {
        /// A sign of life: the first output.
        Start = "start",
        /// Output that lasts, or the whole answer.
        Output = "output",
        /// An end that is not the orchestrator's fault.
        Ending = "ending",
        /// The first output within the objective.
        Latency = "latency",
        /// Frames within the objective, once an hour.
        Quality = "quality",
    }
}

events::words! {
    /// Why an obligation leaves the denominator.
    Excuse {
        /// The user left first.
        UserLeft = "user_left",
        /// The user's input failed.
        InputFailed = "input_failed",
        /// The gateway was at fault.
        GatewayFault = "gateway_fault",
        /// No orchestrator was to be had.
        NoOrchestrator = "no_orchestrator",
        /// Nobody could have served the request.
        InvalidRequest = "invalid_request",
        /// Nobody said how it ended.
        EndUnknown = "end_unknown",
    }
}

/// What came of an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was met.
    Good,
    /// It was not, and the orchestrator answers for that.
    Bad,
    /// Nobody can tell, because the gateway's record has a hole.
    Missing,
    /// The orchestrator said in time that it had no room.
    Declined,
    /// The parties contradict each other.
    Disputed,
    /// It was not the orchestrator's to meet.
    Excused(Excuse),
}

/// How many obligations came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not met.
    pub bad: u64,
    /// Declined in time.
    pub declined: u64,
    /// Contradicted.
    pub disputed: u64,
    /// Excused, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excused: BTreeMap<Excuse, u64>,
    /// Met.
    pub good: u64,
    /// Not told.
    pub missing: u64,
}

impl Counts {
    /// Counts one outcome.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Good => add(&mut self.good, 1),
            Outcome::Bad => add(&mut self.bad, 1),
            Outcome::Missing => add(&mut self.missing, 1),
            Outcome::Declined => add(&mut self.declined, 1),
            Outcome::Disputed => add(&mut self.disputed, 1),
            Outcome::Excused(excuse) => add(self.excused.entry(excuse).or_default(), 1),
        }
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.bad, other.bad);
        add(&mut self.declined, other.declined);
        add(&mut self.disputed, other.disputed);
        add(&mut self.good, other.good);
        add(&mut self.missing, other.missing);
        for (excuse, count) in &other.excused {
            add(self.excused.entry(*excuse).or_default(), *count);
        }
    }
}

/// Who is judged. An operator that no mapping resolved is kept under the names it was seen by.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The node that spoke for itself, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Address>,
    /// The signer, only where the operator is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Where it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ServiceUrl>,
}

/// The kind of work that is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkClass {
    /// The model, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The pipeline, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// The workload.
    pub workload: Workload,
}

/// What one row of counts is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey {
    /// The block of time, counted from 1970 in the policy's block length.
    pub block: u64,
    /// What was compared.
    pub class: WorkClass,
    /// Whether only unsigned feeds told of it.
    pub collected: bool,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// The region of those who reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Everybody on the gateway's side who reported it, sorted.
    pub reporters: Vec<Address>,
    /// Who is judged.
    pub subject: Subject,
}

/// The counts of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Which pairs contradicted each other how often: reporter, then orchestrator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<(Address, Address, u64)>,
    /// Milliseconds from the assignment to the first output.
    #[serde(default)]
    pub first_output_ms: Histogram,
    /// Thousandths of frames per second that went out, a status each.
    #[serde(default)]
    pub fps_out_milli: Histogram,
    /// The outcomes.
    pub obligations: BTreeMap<Obligation, Counts>,
    /// Tenures that began in the hour.
    pub tenures: u64,
}

impl Cell {
    /// Counts one contradiction between a reporter and an orchestrator.
    pub fn contradict(&mut self, reporter: Address, orchestrator: Address, count: u64) {
        match self
            .contradictions
            .binary_search_by_key(&(reporter, orchestrator), |row| (row.0, row.1))
        {
            Ok(at) => {
                if let Some(row) = self.contradictions.get_mut(at) {
                    add(&mut row.2, count);
                }
            }
            Err(at) => self.contradictions.insert(at, (reporter, orchestrator, count)),
        }
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (obligation, counts) in &other.obligations {
            self.obligations.entry(*obligation).or_default().merge(counts);
        }
        for (reporter, orchestrator, count) in &other.contradictions {
            self.contradict(*reporter, *orchestrator, *count);
        }
        self.first_output_ms.merge(&other.first_output_ms);
        self.fps_out_milli.merge(&other.fps_out_milli);
        add(&mut self.tenures, other.tenures);
    }
}

/// Where demand came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DemandKey {
    /// What was asked for.
    pub class: WorkClass,
    /// The gateway an unsigned feed named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// The region it was asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Who reported it.
    pub reporter: Address,
}

/// How much was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Jobs whose first claim lies in the hour.
    pub jobs: u64,
    /// Milliseconds of tenures that lie in the hour.
    pub served_ms: u64,
    /// Jobs that found nobody.
    pub unserved: u64,
}

impl Demand {
    /// Counts more.
    pub fn add(&mut self, jobs: u64, served_ms: u64, unserved: u64) {
        add(&mut self.jobs, jobs);
        add(&mut self.served_ms, served_ms);
        add(&mut self.unserved, unserved);
    }
}

/// Adds up to what canonical JSON can carry, and stays there: so sums have no order even where they have no room.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more).min(MAX_JSON_INTEGER);
}

/// One row of a tally as it is written.
#[derive(Serialize, Deserialize)]
struct Row<K, V> {
    key: K,
    value: V,
}

/// The counts of an hour, or of several merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Outcomes and distributions.
    #[serde(with = "rows")]
    pub cells: BTreeMap<CellKey, Cell>,
    /// Demand.
    #[serde(with = "rows")]
    pub demand: BTreeMap<DemandKey, Demand>,
}

impl Tally {
    /// The cell under `key`, a new one where there was none.
    pub fn cell(&mut self, key: &CellKey) -> &mut Cell {
        if !self.cells.contains_key(key) {
            self.cells.insert(key.clone(), Cell::default());
        }
        self.cells.get_mut(key).expect("a missing one was just put there")
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (key, cell) in &other.cells {
            self.cells.entry(key.clone()).or_default().merge(cell);
        }
        for (key, demand) in &other.demand {
            let sum = self.demand.entry(key.clone()).or_default();
            sum.add(demand.jobs, demand.served_ms, demand.unserved);
        }
    }
}

/// Maps with structured keys, written as sorted lists of rows.
mod rows {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Row;

    pub fn serialize<S, K, V>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        serializer.collect_seq(map.iter().map(|(key, value)| Row { key, value }))
    }

    pub fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: DeserializeOwned + Ord,
        V: DeserializeOwned,
    {
        let rows = Vec::<Row<K, V>>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }
}
