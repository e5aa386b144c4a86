//! What every settling must satisfy, whatever it settles: order, repetition and all that is not its input change
//! nothing, and what an hour names as used is enough to settle it again.

use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::identity::Digest;
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{OpenJobs, Settled, last_good_of, records_for, settle};
use sla::opened::{Opened, RECORD_KINDS};
use sla::policy::Policy;
use sla::register::Register;
use sla::rollup::Detail;
use sla::rollup::chunk::Chunk;
use sla::score::Scoring;
use sla::scorecard::{Basis, Scorecard, canonical_bytes, digest_of};
use sla::tally::Tally;
use sla::trust::TrustFile;
use sla::window::{Hour, Window};

/// An hour with all that it is settled from.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub hour: Hour,
    pub open: &'a OpenJobs,
    pub policy: &'a Policy,
    pub trust: &'a TrustFile,
}

impl Question<'_> {
    /// Settles from `batches`, which also say who may speak.
    pub fn settle(&self, batches: &[&Opened]) -> Settled {
        let authority = Authority::of(self.trust, batches.iter().copied());
        settle(self.hour, batches, self.open, &authority, &self.policy.observe, Detail::Minute)
    }

    /// The scorecard, where nothing is known of anybody from before.
    pub fn score(&self, settled: &Settled) -> Scorecard {
        self.score_after([], settled)
    }

    /// The scorecard, where policies that compare with days before have the counts of these hours, and nothing else is
    /// known of anybody from before.
    pub fn score_after<'t>(
        &self,
        before: impl IntoIterator<Item = (Hour, &'t Tally)>,
        settled: &Settled,
    ) -> Scorecard {
        let register = Register::default();
        let context = Context::of(self.policy, self.open.clone(), &register);
        let (policy, trust, window) = (self.policy, self.trust, Window::hour(self.hour));
        let asked =
            sla::score::Question { context: &context, policy, register: &register, trust, window };
        let mut scoring = Scoring::new(asked);
        before.into_iter().for_each(|(hour, tally)| scoring.add_before(hour, tally));
        scoring.add(self.hour, &settled.tally);
        let basis = Basis::Events(settled.event_set.clone());
        scoring.finish(basis, Some(digest_of(&settled.standing)))
    }

    /// The bytes of everything that is compared between two instances.
    pub fn bytes(&self, settled: &Settled) -> Vec<u8> {
        let scorecard = self.score(settled).bytes();
        let sums = Chunk::of(&settled.rollup);
        let rest = (&settled.tally, &settled.jobs, &settled.open, sums, &settled.supply);
        [scorecard, canonical_bytes(&rest)].concat()
    }

    /// The batches that an export of the hour holds.
    pub fn exported<'o>(&self, settled: &Settled, batches: &[&'o Opened]) -> Vec<&'o Opened> {
        let records = records(batches);
        let leaned_on = records_for(records.iter().copied(), &settled.used, &settled.standing);
        let all: BTreeSet<Position> = settled.used.union(&leaned_on).copied().collect();
        batches.iter().copied().filter(|batch| all.contains(&batch.position())).collect()
    }
}

/// The batches that say who may speak, those that stand where a revocation names one, and those that stand where
/// another one stands too.
pub fn records<'o>(batches: &[&'o Opened]) -> Vec<&'o Opened> {
    let mut hashes: BTreeMap<Position, BTreeSet<Digest>> = BTreeMap::new();
    for batch in batches {
        hashes.entry(batch.position()).or_default().insert(batch.hash);
    }
    let last_good: BTreeSet<Position> =
        batches.iter().flat_map(|batch| last_good_of(batch)).collect();
    let is_record = |batch: &&&Opened| {
        hashes[&batch.position()].len() > 1
            || last_good.contains(&batch.position())
            || batch.readable().any(|(_, event)| RECORD_KINDS.contains(&event.kind()))
    };
    batches.iter().filter(is_record).copied().collect()
}
