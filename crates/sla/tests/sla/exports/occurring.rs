//! What occurs in the scorecards that are written: a rule that none of them shows is checked by nobody.

use std::collections::BTreeMap;

use sla::policy::Policy;
use sla::policy::rule::Rule;
use sla::scorecard::{Basis, Component, Grade, Scorecard, Scored};

/// How many scorecards at least show each thing.
const LEAST: u64 = 4;

/// How many scorecards show what.
#[derive(Default)]
pub struct Occurring(BTreeMap<&'static str, u64>);

fn components(result: &Scored) -> impl Iterator<Item = &Component> {
    let of_workloads = result.workloads.iter().flat_map(|workload| &workload.components);
    result.components.iter().chain(of_workloads)
}

impl Occurring {
    /// Takes in a scorecard.
    pub fn look(&mut self, scorecard: &Scorecard, policy: &Policy) {
        let Rule::Evidence(rule) = &policy.score else { return };
        let any = |holds: &dyn Fn(&Scored) -> bool| scorecard.results.iter().any(holds);
        let part = |holds: &dyn Fn(&Component) -> bool| {
            scorecard.results.iter().flat_map(components).any(holds)
        };
        let most = rule.exact_failures_max;
        let reason = |words: &'static str| {
            any(&|result| result.reason.as_ref().is_some_and(|reason| reason.contains(words)))
        };
        let links = |counts| {
            let mut edges = scorecard.clusters.iter().flat_map(|cluster| &cluster.edges);
            edges.any(|edge| edge.counts == counts)
        };
        let seen = [
            ("a score", any(&|result| result.score.is_some())),
            ("a score of several workloads", {
                let scored = |result: &Scored| {
                    result.workloads.iter().filter(|it| it.score.is_some()).count()
                };
                any(&|result| scored(result) > 1)
            }),
            ("a score of a longer window", {
                let is_long = matches!(scorecard.basis, Basis::Hours(_));
                is_long && any(&|result| result.score.is_some())
            }),
            ("grade A", any(&|result| result.grade == Grade::A)),
            ("grade B", any(&|result| result.grade == Grade::B)),
            ("grade C", any(&|result| result.grade == Grade::C)),
            ("grade D", any(&|result| result.grade == Grade::D)),
            ("a linked row", any(&|result| result.excluded.linked > 0)),
            ("an outage", any(&|result| result.excluded.outage > 0)),
            ("an own row", any(&|result| result.excluded.own > 0)),
            ("a young row", any(&|result| result.excluded.young > 0)),
            ("an exact bound above nothing", {
                let is_exact = |failures: u64| failures > 0 && failures <= most;
                part(&|it| it.failures.is_some_and(is_exact) && it.lower.is_some_and(|it| it.0 > 0))
            }),
            ("a bound with more failures", {
                part(&|it| it.failures > Some(most) && it.lower.is_some_and(|it| it.0 > 0))
            }),
            ("a block of several", part(&|it| it.effect_ppm > Some(1_000_000))),
            ("a vote that is shared", {
                part(&|it| it.sources.iter().any(|it| it.sharers.is_some()) && it.lower.is_some())
            }),
            ("a low median of several", {
                let counting = |it: &Component| it.sources.iter().filter(|it| it.counts).count();
                part(&|it| counting(it) > 2 && it.evidence.is_some())
            }),
            ("too short a record", reason("known for")),
            ("no source", reason("no source with")),
            ("no evidence", reason("no evidence")),
            ("no component", reason("not scored")),
            ("an edge that counts", links(true)),
            ("an edge that does not", links(false)),
            ("a disagreement", scorecard.agreements.iter().any(|it| it.disputed > 0)),
            ("self-dealing", scorecard.agreements.iter().any(|it| it.self_dealing)),
        ];
        for (what, is_seen) in seen {
            *self.0.entry(what).or_default() += u64::from(is_seen);
        }
    }

    /// Fails where something does not occur.
    pub fn check(&self) {
        let rare: Vec<_> = self.0.iter().filter(|(_, count)| **count < LEAST).collect();
        assert!(rare.is_empty(), "{rare:?} of {:?}", self.0);
    }
}
