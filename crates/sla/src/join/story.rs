//! Who tells a job's story: the one who handed it out.
//!
//! Each gateway tells its own story, so what another says of a job weighs on that other's account alone. A tester tells
//! only where no gateway does, an unsigned feed only where nobody signs. The orchestrator's side answers in each.

use std::collections::BTreeSet;

use events::body::Body;
use events::event::{Event, Role, Workload};
use events::identity::Address;

use crate::admit::Admitted;

/// Somebody in a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    /// The role.
    pub role: Role,
    /// The address.
    pub reporter: Address,
}

impl Side {
    /// Who makes a claim.
    pub fn of(claim: &Admitted<'_>) -> Self {
        Self { role: claim.event.role, reporter: claim.event.reporter }
    }
}

/// Whether the speaker handed the work out, as against did it.
pub fn is_gateway_side(role: Role) -> bool {
    matches!(role, Role::Gateway | Role::Collector | Role::Tester)
}

/// One telling of a job.
#[derive(Debug)]
pub struct Story<'a> {
    /// What belongs to it, in order.
    pub claims: Vec<Admitted<'a>>,
    /// Who tells it; nobody where only the orchestrator's side spoke.
    pub teller: Option<Side>,
    /// What kind of work its teller calls it.
    pub workload: Workload,
}

/// The stories about one job, from its claims in order; none where nobody says what kind of work it is.
pub fn stories<'a>(claims: &[Admitted<'a>]) -> Vec<Story<'a>> {
    let tellers = tellers(claims);
    if tellers.is_empty() {
        return story(claims, None).into_iter().collect();
    }
    tellers.into_iter().filter_map(|teller| story(claims, Some(teller))).collect()
}

/// Those with the best right to tell: gateways before testers before unsigned feeds.
fn tellers(claims: &[Admitted<'_>]) -> BTreeSet<Side> {
    let rank = |role| match role {
        Role::Gateway => Some(0),
        Role::Tester => Some(1),
        Role::Collector => Some(2),
        _ => None,
    };
    let ranked = |claims: &mut dyn Iterator<Item = &Admitted<'_>>| -> BTreeSet<(u8, Side)> {
        claims.map(Side::of).filter_map(|side| rank(side.role).map(|rank| (rank, side))).collect()
    };
    let mut telling = claims.iter().filter(|claim| is_telling(claim));
    let mut found = ranked(&mut telling);
    if found.is_empty() {
        found = ranked(&mut claims.iter());
    }
    let best = found.first().map(|(rank, _)| *rank);
    found.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, side)| side).collect()
}

/// Whether the words carry a story, as against stand beside it: a payment, a test's result, the state of an input.
pub fn is_telling(claim: &Admitted<'_>) -> bool {
    matches!(
        claim.event.body,
        Body::JobRequested(_)
            | Body::JobAssigned(_)
            | Body::JobFirstOutput(_)
            | Body::JobPlayable(_)
            | Body::JobSwapped(_)
            | Body::JobUnserved(_)
            | Body::JobFailed(_)
            | Body::JobCompleted(_)
            | Body::SegmentAttempted(_)
            | Body::StreamStatus(_)
    )
}

/// What `teller` tells, what testers saw of it, and what the orchestrator's side answers.
fn story<'a>(claims: &[Admitted<'a>], teller: Option<Side>) -> Option<Story<'a>> {
    let belongs = |claim: &&Admitted<'_>| {
        let side = Side::of(claim);
        teller == Some(side) || side.role == Role::Tester || !is_gateway_side(side.role)
    };
    let claims: Vec<Admitted<'a>> = claims.iter().filter(belongs).copied().collect();
    let workload = known(&claims, teller, |event| event.workload.as_ref()).copied()?;
    Some(Story { claims, teller, workload })
}

/// What the work is, by the first claim that says it: the teller's, else a tester's. The orchestrator's side is asked
/// only where the teller told nothing, or it could choose what it is judged beside.
pub fn known<'a, T>(
    claims: &[Admitted<'a>],
    teller: Option<Side>,
    pick: impl Fn(&'a Event) -> Option<&'a T>,
) -> Option<&'a T> {
    let said_by = |is_asked: &dyn Fn(Side) -> bool| {
        let mut asked = claims.iter().filter(|claim| is_asked(Side::of(claim)));
        asked.find_map(|claim| pick(claim.event))
    };
    let is_told = claims.iter().any(|claim| teller == Some(Side::of(claim)) && is_telling(claim));
    said_by(&|side| teller == Some(side))
        .or_else(|| said_by(&|side| is_gateway_side(side.role)))
        .or_else(|| if is_told { None } else { said_by(&|_| true) })
}
