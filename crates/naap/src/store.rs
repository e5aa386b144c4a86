//! What an instance keeps, opened: the record, the warehouse, the door to the record, and what settles it.
//!
//! Either as the one writer, or to be looked at. Which roles use it is not known here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use api::routing::Policies;
use events::event::Network;
use events::unit::{Millis, UnixMillis};
use ledger::Ledger;
use pipeline::Clock;
use pipeline::intake::{Intake, KnownKeys, Limits};
use pipeline::repair::LedgerSource;
use pipeline::settle::{Listener, Options, Settler};
use sla::policy::Policy;
use sla::route::policy::RoutingPolicy;
use sla::trust::TrustFile;
use warehouse::sqlite::{ReadOnly, Sqlite};

use crate::config::Config;
use crate::instance::Instance;
use crate::own::COLLECTOR;

/// The system's clock: the only place in the program that asks the time of day.
pub fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// The policy that is configured.
pub fn policy(config: &Config) -> anyhow::Result<Policy> {
    let Some(path) = &config.instance.policy else { return Ok(Policy::standard()) };
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the policy {}: see instance.policy", path.display())
    })?;
    Policy::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// The routing policies: the configured one before those that are built in.
pub fn routing_policies(config: &Config) -> anyhow::Result<Policies> {
    let Some(path) = &config.routing.policy else { return Ok(Policies::new(None)) };
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the routing policy {}: see routing.policy", path.display())
    })?;
    let policy = RoutingPolicy::parse(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(Policies::new(Some(policy)))
}

/// Everything an instance keeps, open to be written.
pub struct Store {
    /// The door to the record.
    pub intake: Arc<Intake>,
    /// The record.
    pub ledger: Arc<Ledger>,
    /// What is settled.
    pub warehouse: Arc<Sqlite>,
    known: KnownKeys,
    options: Options,
}

impl Store {
    /// Opens what `instance` keeps, for the networks of these trust files.
    pub fn open(
        instance: &Instance,
        config: &Config,
        trust: Vec<TrustFile>,
    ) -> anyhow::Result<Self> {
        let options = ledger::Options { segment_bytes: config.ledger.segment_bytes };
        let (ledger, recovery) = Ledger::open(&instance.ledger(), options)?;
        if let Some(torn) = &recovery.torn {
            tracing::warn!(
                bytes = torn.bytes,
                kept_in = %torn.kept_in.display(),
                "a crash left bytes behind the record that nobody was told were kept; they were set aside"
            );
        }
        tracing::debug!(records = recovery.records, bytes = recovery.bytes, "opened the ledger");
        let ledger = Arc::new(ledger);
        let warehouse = Sqlite::open(&instance.warehouse(), warehouse::sqlite::Options::default())?;
        let networks: BTreeSet<Network> = trust.iter().map(|trust| trust.network).collect();
        let known = KnownKeys::default();
        known.extend(trust.iter().flat_map(|trust| &trust.members).filter_map(|member| member.key));
        let limits = Limits {
            future_max_ms: Millis(config.accept.future_max_ms),
            networks,
            strangers_bytes_max: config.accept.strangers_bytes_max,
            stranger_batches_max: config.accept.stranger_batches_max,
        };
        let intake = Arc::new(Intake::new(Arc::clone(&ledger), known.clone(), limits));
        let options = Options {
            importers: [instance.node(COLLECTOR)?.key()].into(),
            live_events_max: config.settle.live_events_max,
            policy: policy(config)?,
            threads: config.settle.threads(),
            trust,
            verifies: config.settle.verifies,
        };
        Ok(Self { intake, ledger, warehouse: Arc::new(warehouse), known, options })
    }

    /// Vouches for keys: what they sign is kept without the strangers' quota.
    pub fn vouch(&self, keys: impl IntoIterator<Item = events::identity::PublisherKey>) {
        self.known.extend(keys);
    }

    /// What others repair from.
    pub fn source(&self) -> LedgerSource {
        LedgerSource { known: self.known.clone(), ledger: Arc::clone(&self.ledger) }
    }

    /// What makes settlers of the record into the warehouse.
    pub fn settlers(&self) -> Settlers {
        Settlers {
            known: self.known.clone(),
            ledger: Arc::clone(&self.ledger),
            options: self.options.clone(),
            warehouse: Arc::clone(&self.warehouse),
        }
    }
}

/// Makes settlers, of which there may be one at a time.
pub struct Settlers {
    known: KnownKeys,
    ledger: Arc<Ledger>,
    options: Options,
    warehouse: Arc<Sqlite>,
}

impl Settlers {
    /// One that takes up where the last one stopped.
    pub fn open(&self, listener: Listener) -> Result<Settler, pipeline::Error> {
        let warehouse: Arc<dyn warehouse::Warehouse> = Arc::<Sqlite>::clone(&self.warehouse);
        let (ledger, known) = (Arc::clone(&self.ledger), self.known.clone());
        Settler::open(ledger, warehouse, known, self.options.clone(), listener)
    }
}

/// The record as it is now, beside its writer or alone.
pub fn look_at_ledger(instance: &Instance) -> anyhow::Result<Ledger> {
    Ok(Ledger::open_read_only(&instance.ledger())?.0)
}

/// The warehouse, beside its writer or alone.
pub fn look_at_warehouse(instance: &Instance) -> anyhow::Result<ReadOnly> {
    let path = instance.warehouse();
    anyhow::ensure!(
        path.is_file(),
        "{} is not there yet: nothing was settled in this folder; start `naap dev` or `naap import` once",
        path.display()
    );
    Ok(ReadOnly::open(&path)?)
}
