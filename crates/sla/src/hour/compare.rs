//! What two reporters say of the same tenure, held against each other.
//!
//! The teller is compared with the operator that had the work and with every tester that saw it. Nothing here decides
//! whose word is right; that shows in how often each of them disagrees with whom.

use std::collections::BTreeSet;

use events::body::Body;
use events::event::Role;
use events::identity::Address;
use events::unit::{Millis, UnixMillis};

use super::reading::Judged;
use crate::join::episode::Episode;
use crate::policy::observe::Compare;
use crate::tally::outcome::Outcome;
use crate::tally::pair::{Disagreement, Pair, PairKey};

/// What somebody says of a tenure.
#[derive(Debug, Default)]
struct Said {
    /// Whether it says that work came to nothing.
    failed: bool,
    /// When it saw the first output.
    first_ms: Option<UnixMillis>,
    fps_sum: u64,
    fps_count: u64,
    /// Whether it spoke of the tenure at all.
    spoke: bool,
}

impl Said {
    /// What `reporter` says between the beginning and the end of the tenure, give or take the tolerance.
    fn by(
        reporter: Address,
        episode: &Episode<'_>,
        judged: &Judged<'_>,
        compare: &Compare,
    ) -> Self {
        let tenure = &judged.held.tenure;
        let from_ms = tenure.start_ms.minus(compare.clock_tolerance_ms);
        let until_ms = tenure.end.map(|end| end.at_ms.plus(compare.clock_tolerance_ms));
        let mut said = Self::default();
        let theirs = episode.claims.iter().filter(|claim| claim.event.reporter == reporter);
        for claim in theirs.filter(|claim| {
            from_ms <= claim.counted_ms && until_ms.is_none_or(|until| claim.counted_ms <= until)
        }) {
            said.spoke = true;
            said.hear(claim.counted_ms, tenure.start_ms, &claim.event.body);
        }
        said
    }

    fn hear(&mut self, at_ms: UnixMillis, start_ms: UnixMillis, body: &Body) {
        let mut came = |at_ms: UnixMillis| {
            self.first_ms = Some(self.first_ms.map_or(at_ms, |known| known.min(at_ms)));
        };
        match body {
            Body::JobFirstOutput(_) => came(at_ms),
            Body::ProbeObserved(said) if said.success => {
                came(said.first_output_ms.map_or(at_ms, |took| start_ms.plus(took)));
            }
            Body::ProbeObserved(_) | Body::JobFailed(_) => self.failed = true,
            Body::StreamStatus(said) => {
                if let Some(fps) = said.fps_out {
                    self.fps_sum += u64::from(fps.0);
                    self.fps_count += 1;
                }
            }
            _ => {}
        }
    }
}

/// Compares the teller of an episode with the operator of a tenure and the testers that saw it.
pub fn pairs(
    episode: &Episode<'_>,
    judged: &Judged<'_>,
    compare: &Compare,
) -> Vec<(PairKey, Pair)> {
    let Some(teller) = episode.teller.map(|teller| teller.reporter) else { return Vec::new() };
    let testers = episode.claims.iter().filter(|claim| claim.event.role == Role::Tester);
    let mut others: BTreeSet<Address> = testers.map(|claim| claim.event.reporter).collect();
    others.extend(judged.held.operator);
    others.remove(&teller);
    let compared = others.into_iter().map(|other| {
        let said = Said::by(other, episode, judged, compare);
        (PairKey { other, teller }, pair(&said, other, judged, compare))
    });
    compared.collect()
}

fn pair(said: &Said, other: Address, judged: &Judged<'_>, compare: &Compare) -> Pair {
    if !said.spoke {
        return Pair { unmirrored: 1, ..Pair::default() };
    }
    let mut found = BTreeSet::new();
    let tenure = &judged.held.tenure;
    let contested = Some(other) == judged.held.operator
        && judged.owed.iter().any(|owed| owed.outcome == Outcome::Disputed);
    let has_come = tenure.first_output_ms.is_some();
    if contested || has_come && said.failed && said.first_ms.is_none() {
        found.insert(Disagreement::Outcome);
    }
    if let (Some(one), Some(other)) = (tenure.first_output_ms, said.first_ms)
        && apart(one, other) > compare.clock_tolerance_ms
    {
        found.insert(Disagreement::ClockSkew);
    }
    let told = tenure.samples.iter().filter_map(|sample| sample.fps_out);
    let (sum, count) =
        told.fold((0u64, 0u64), |(sum, count), fps| (sum + u64::from(fps.0), count + 1));
    found.extend(inflated((sum, count), (said.fps_sum, said.fps_count), compare));
    let disagreed = found.iter().map(|disagreement| (*disagreement, 1)).collect();
    Pair { both: 1, disputed: u64::from(!found.is_empty()), disagreed, unmirrored: 0 }
}

/// Who counts more frames than the other and the tolerance allow, by sums and counts.
fn inflated(told: (u64, u64), said: (u64, u64), compare: &Compare) -> Option<Disagreement> {
    if told.1 == 0 || said.1 == 0 {
        return None;
    }
    // Means by cross-multiplication: nothing is rounded.
    let mean = |(sum, _): (u64, u64), (_, count): (u64, u64)| u128::from(sum) * u128::from(count);
    let (told, said) = (mean(told, said), mean(said, told));
    let allowed = |lower: u128| lower * (1_000_000 + u128::from(compare.fps_tolerance_ppm.0));
    match () {
        () if said * 1_000_000 > allowed(told) => Some(Disagreement::InflatedFps),
        () if told * 1_000_000 > allowed(said) => Some(Disagreement::InflatedFpsOfTeller),
        () => None,
    }
}

fn apart(one: UnixMillis, other: UnixMillis) -> Millis {
    Millis(one.0.abs_diff(other.0))
}
