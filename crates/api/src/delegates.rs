//! Whose keys are whose, by what both sides signed in the record: an address signed a delegation to a key, and the key
//! signed a batch in which it speaks for that address. A delegation alone shows nothing, because keys are public and
//! anybody can sign one that names another's. It reads each batch once, and believes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use events::batch::Position;
use events::body::Body;
use events::event::Network;
use events::identity::{Address, PublisherKey};
use events::wire::Frame;
use ledger::{Head, Ledger};
use sla::opened::Opened;
use warehouse::Reader;

use crate::problem::Problem;

/// The most keys of one address that are told, and that are looked at.
const KEYS_MAX: usize = 1_000;

/// The keys by address, as far as the record was read.
#[derive(Debug, Default)]
pub struct Delegates(Mutex<BTreeMap<Network, Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The keys that an address named.
    named: BTreeMap<Address, BTreeSet<PublisherKey>>,
    /// The batches that were read, by their places in the ledger.
    read: BTreeSet<u64>,
    /// Whom a key spoke for.
    spoke: BTreeSet<(PublisherKey, Address)>,
}

impl Delegates {
    /// The keys that an address delegated to and that spoke for it, whether or not they may speak still.
    ///
    /// Whom a key speaks for is read in the batches that hold delegations and in the last batch of each of its epochs.
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
            known.read(ledger, network, row.ordinal)?;
        }
        let named: BTreeSet<PublisherKey> =
            known.named.get(&address).into_iter().flatten().take(KEYS_MAX).copied().collect();
        let is_open = |key: &PublisherKey| !known.spoke.contains(&(*key, address));
        let open: BTreeSet<PublisherKey> = named.iter().copied().filter(is_open).collect();
        if !open.is_empty() {
            for head in ledger.heads().iter().filter(|head| open.contains(&head.key)) {
                let Head { key, epoch, highest, .. } = *head;
                for sighting in ledger.find(&Position { key, epoch, seq: highest.seq }) {
                    known.read(ledger, network, sighting.ordinal)?;
                }
            }
        }
        Ok(named.into_iter().filter(|key| known.spoke.contains(&(*key, address))).collect())
    }
}

impl Known {
    /// Reads a batch of the ledger, once.
    fn read(&mut self, ledger: &Ledger, network: Network, ordinal: u64) -> Result<(), Problem> {
        if self.read.contains(&ordinal) {
            return Ok(());
        }
        let entry = ledger.get(ordinal).map_err(|error| Problem::source("ledger", &error))?;
        // A batch that cannot be read shows nobody's right.
        if let Some(entry) = entry
            && let Ok(frame) = Frame::parse(&entry.frame)
            && frame.verify().is_ok()
            && let Ok(batch) = frame.open()
            && batch.header.network == network
        {
            self.learn(&Opened::of(&batch));
        }
        self.read.insert(ordinal);
        Ok(())
    }

    fn learn(&mut self, batch: &Opened) {
        for (_, event) in batch.readable() {
            self.spoke.insert((batch.header.key, event.reporter));
            if let Body::DelegationGranted(granted) = &event.body
                && granted.delegation.verify(&granted.signature).is_ok()
                && granted.delegation.network == batch.header.network
            {
                let delegation = &granted.delegation;
                self.named.entry(delegation.operator).or_default().insert(delegation.key);
            }
        }
    }
}
