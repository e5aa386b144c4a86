//! The jobs that cost an operator points, with where the words about them are signed.

use events::batch::Position;
use events::body::Reason;
use events::identity::{Address, JobId};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::hour::fact::JobFact;
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::tally::cell::WorkClass;
use crate::tally::outcome::{Obligation, Outcome};

/// One obligation that was not met, or is contested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedObligation {
    /// When it was due.
    pub due_ms: UnixMillis,
    /// What was owed.
    pub obligation: Obligation,
    /// What came of it.
    pub outcome: Outcome,
    /// Why the tenure ended, where it ended badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The weight of its component, in sixteenths; 0 where the policy has none for it.
    pub weight: u32,
}

/// A job that cost an operator something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The batches that hold the words about it.
    pub batches: Vec<Position>,
    /// What was asked for.
    pub class: WorkClass,
    /// When it was first told of.
    pub first_ms: UnixMillis,
    /// The job.
    pub job_id: JobId,
    /// What was not met, or is contested.
    pub obligations: Vec<MovedObligation>,
    /// Everybody who spoke of it.
    pub reporters: Vec<Address>,
    /// The weights of all of it together: what moves a score most comes first.
    pub weight: u32,
}

/// What a job cost an operator; nothing where all it owed was met, or nobody else told of it.
pub fn moved(fact: &JobFact, policy: &Policy, operator: Address) -> Option<Moved> {
    let tenures = fact.tenures.iter().filter(|it| it.operator == Some(operator) && !it.self_told);
    let failed = tenures.flat_map(|tenure| {
        let failed = tenure
            .owed
            .iter()
            .filter(|owed| matches!(owed.outcome, Outcome::Bad | Outcome::Disputed));
        failed.map(|owed| MovedObligation {
            due_ms: owed.due_ms,
            obligation: owed.obligation,
            outcome: owed.outcome,
            reason: tenure.reason,
            weight: weight(policy, &fact.class, owed.obligation),
        })
    });
    let obligations: Vec<MovedObligation> = failed.collect();
    let weight = obligations.iter().map(|owed| owed.weight).fold(0, u32::saturating_add);
    (weight > 0).then(|| Moved {
        batches: fact.batches.clone(),
        class: fact.class.clone(),
        first_ms: fact.first_ms,
        job_id: fact.job_id,
        obligations,
        reporters: fact.reporters.clone(),
        weight,
    })
}

/// How much an obligation weighs under a policy, in sixteenths.
fn weight(policy: &Policy, class: &WorkClass, obligation: Obligation) -> u32 {
    match &policy.score {
        Rule::Evidence(rule) => {
            let mut holding =
                rule.components(class.workload).filter(|it| it.obligations.contains(&obligation));
            holding.next().map_or(0, |component| component.weight)
        }
        Rule::Pooled(rule) => {
            if rule.obligations.contains(&obligation) {
                crate::score::compose::SIXTEENTHS
            } else {
                0
            }
        }
        Rule::Leaderboard(_) | Rule::Quality(_) => 1,
    }
}
