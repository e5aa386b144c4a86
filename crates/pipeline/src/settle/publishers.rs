//! What a settler heard of whom, written where it can be asked for. Nothing is decided here.

use warehouse::record::{Head, PublisherRow};

use super::Settler;
use crate::Error;

impl Settler {
    /// Writes what is new of them.
    pub(super) fn record_publishers(&mut self) -> Result<(), Error> {
        let fresh = self.heard.iter_mut().filter(|(_, heard)| heard.is_fresh);
        let rows: Vec<PublisherRow> = fresh
            .map(|((key, epoch), heard)| {
                heard.is_fresh = false;
                let head = self.ledger.head(*key, *epoch).map(|head| head.highest);
                let gaps = self
                    .ledger
                    .gaps(*key, *epoch, 0, 64)
                    .into_iter()
                    .map(|gap| (*gap.start(), *gap.end()));
                let trust = self.options.trust.iter().find(|trust| trust.network == heard.network);
                let role = heard.face.as_ref().map(|face| face.role);
                let collected = role == Some(events::event::Role::Collector);
                PublisherRow {
                    address: heard.face.as_ref().map(|face| face.address),
                    batches: heard.batches,
                    collected: collected && trust.is_some(),
                    epoch: *epoch,
                    events: heard.events,
                    gaps: gaps.collect(),
                    head: head.map(|tip| Head { hash: tip.hash, seq: tip.seq }),
                    key: *key,
                    last_received_ms: heard.last_received_ms,
                    network: heard.network,
                    node: heard.face.as_ref().map(|face| face.node.clone()),
                    role,
                    sealed_ms: head.map(|tip| tip.sealed_ms),
                }
            })
            .collect();
        if !rows.is_empty() {
            self.warehouse.record_publishers(&rows)?;
        }
        Ok(())
    }
}
