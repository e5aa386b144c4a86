//! Whose keys are whose, by the delegations in the record: each is signed by the address it names. It reads every batch that
//! says so once, and believes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use events::body::Body;
use events::event::Network;
use events::identity::{Address, PublisherKey};
use ledger::Ledger;
use sla::opened::Opened;
use warehouse::Reader;

use crate::problem::Problem;

/// The most keys of one address that are told.
const KEYS_MAX: usize = 1_000;

/// The keys by address, as far as the record was read.
#[derive(Debug, Default)]
pub struct Delegates(Mutex<BTreeMap<Network, Known>>);

#[derive(Debug, Default)]
struct Known {
    keys: BTreeMap<Address, BTreeSet<PublisherKey>>,
    read: BTreeSet<u64>,
}

impl Delegates {
    /// The keys that an address delegated to, whether or not they may speak still.
    pub fn of(
        &self,
        reader: &dyn Reader,
        ledger: &Ledger,
        network: Network,
        address: Address,
    ) -> Result<Vec<PublisherKey>, Problem> {
        let rows = reader.record_batch_rows(network).map_err(Problem::warehouse)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(network).or_default();
        for row in rows {
            if known.read.contains(&row.ordinal) {
                continue;
            }
            let entry =
                ledger.get(row.ordinal).map_err(|error| Problem::source("ledger", &error))?;
            // A batch that cannot be read shows nobody's right.
            if let Some(entry) = entry
                && let Ok(batch) = events::wire::Frame::parse(&entry.frame).and_then(|it| it.open())
            {
                known.learn(&Opened::of(&batch));
            }
            known.read.insert(row.ordinal);
        }
        let keys = known.keys.get(&address).into_iter().flatten().copied();
        Ok(keys.take(KEYS_MAX).collect())
    }
}

impl Known {
    fn learn(&mut self, batch: &Opened) {
        for (_, event) in batch.readable() {
            if let Body::DelegationGranted(granted) = &event.body
                && granted.delegation.verify(&granted.signature).is_ok()
                && granted.delegation.network == batch.header.network
            {
                let delegation = &granted.delegation;
                self.keys.entry(delegation.operator).or_default().insert(delegation.key);
            }
        }
    }
}
