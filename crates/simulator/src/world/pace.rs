//! How fast the play goes: how long to wait for the next job, so that in the long run the pace is the one asked for.
//!
//! It counts what was said and what should have been; it never slows or hurries a job that is under way.

use events::event::{Role, Workload};
use events::unit::{HOUR_MS, UnixMillis};

use crate::cast::Cast;
use crate::options::Options;

/// The account of a play's pace. Rates are events in 1 000 seconds, which is a millionth of an event a millisecond.
#[derive(Debug)]
pub(crate) struct Pace {
    /// About what nodes say regardless of jobs.
    background: u64,
    /// What should have been said until `until`, in millionths of an event.
    expected_millionths: u64,
    until: u64,
    /// Canonical events said by now.
    pub said: u64,
}

impl Pace {
    /// A pace that begins now.
    pub fn new(cast: &Cast, options: &Options, now: u64) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(0);
        let hearts =
            cast.nodes.iter().filter(|node| node.is_speaking && node.role != Role::Gateway);
        let listing = cast.gateways.iter().filter(|gateway| gateway.is_on_chain).count();
        // A worker says about two things at each heartbeat, a round of tests makes about a hundred events.
        let background = [
            count(hearts.count()) * 2 * 1_000_000 / options.heartbeat_every_ms,
            count(listing) * count(cast.orchestrators.len()) * 1_000_000
                / options.capability_every_ms,
            count(options.testers) * 100 * 1_000_000 / options.probe_every_ms,
        ];
        let background = background.into_iter().sum();
        Self { background, expected_millionths: 0, until: now, said: 0 }
    }

    /// The mean wait for the next job of this kind after one that makes about `cost` events.
    ///
    /// What estimates miss shows as too much or too little said; that is made good over the next hour.
    pub fn gap_ms(&mut self, options: &Options, workload: Workload, cost: u64, now: u64) -> u64 {
        let demand = u64::from(options.demand(UnixMillis(now)).0);
        let times_less = options.times_less(UnixMillis(now));
        let rate = options.events_per_1000_s.saturating_mul(demand) / 1_000_000 / times_less;
        self.expected_millionths += (now - self.until).saturating_mul(rate);
        self.until = now;
        let expected = self.expected_millionths / 1_000_000;
        let by_jobs = rate.saturating_sub(self.background / times_less).max(rate / 5);
        let per_hour = |events: u64| events.saturating_mul(1_000_000) / HOUR_MS;
        let wanted = by_jobs + per_hour(expected.saturating_sub(self.said));
        let wanted = wanted.saturating_sub(per_hour(self.said.saturating_sub(expected)));
        let wanted = wanted.clamp(by_jobs / 3 + 1, by_jobs * 2 + 1);
        let share = wanted * share(options, workload) / total(options);
        cost.max(1).saturating_mul(1_000_000) / share.max(1)
    }
}

/// The share of job events that a workload makes, of [`total`].
pub(crate) fn share(options: &Options, workload: Workload) -> u64 {
    let shares = &options.shares;
    u64::from(match workload {
        Workload::LiveVideo => shares.live_video,
        Workload::AiBatch => shares.ai_batch,
        Workload::Llm => shares.llm,
        Workload::Byoc => shares.byoc,
        Workload::Transcoding => shares.transcoding,
        Workload::LiveRunner => 0,
    })
}

fn total(options: &Options) -> u64 {
    Workload::ALL.iter().map(|workload| share(options, *workload)).sum::<u64>().max(1)
}
