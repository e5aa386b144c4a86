//! The claims about one job, cut where it fell silent: each piece stands for itself.
//!
//! A piece ends when nothing was said for the class's idle time, or when what ended it has lingered. What a gateway
//! says carries the story; what an orchestrator says of itself is kept beside it, as the other side.

use events::body::Body;
use events::event::Role;
use events::unit::{Millis, UnixMillis};

use crate::admit::Admitted;
use crate::policy::{Class, Observe};

/// The claims of one piece of a job, in order.
#[derive(Debug, Clone)]
pub struct Episode<'a> {
    /// The claims, by time, kind and hash.
    pub claims: Vec<Admitted<'a>>,
    /// When the gateway's side ended it, if it did.
    pub ended_ms: Option<UnixMillis>,
}

/// Whether the speaker handed the work out, as against did it.
pub fn is_gateway_side(role: Role) -> bool {
    matches!(role, Role::Gateway | Role::Collector | Role::Tester)
}

/// Whether the claim ends its job for the gateway's side.
fn ends_job(claim: &Admitted<'_>) -> bool {
    let last_word = matches!(
        claim.event.body,
        Body::JobCompleted(_) | Body::JobFailed(_) | Body::SegmentAttempted(_)
    );
    last_word && is_gateway_side(claim.event.role)
}

impl<'a> Episode<'a> {
    /// Cuts the claims about one job into episodes.
    pub fn split(mut claims: Vec<Admitted<'a>>, class: &Class, observe: &Observe) -> Vec<Self> {
        claims.sort_unstable_by_key(Admitted::order);
        let mut episodes: Vec<Self> = Vec::new();
        for claim in claims {
            match episodes.last_mut() {
                Some(open) if claim.counted_ms <= open.closes_ms(class, observe) => {
                    open.push(claim)
                }
                _ => {
                    let mut opened = Self { claims: Vec::new(), ended_ms: None };
                    opened.push(claim);
                    episodes.push(opened);
                }
            }
        }
        episodes
    }

    fn push(&mut self, claim: Admitted<'a>) {
        if ends_job(&claim) && self.ended_ms.is_none() {
            self.ended_ms = Some(claim.counted_ms);
        }
        self.claims.push(claim);
    }

    /// When its first claim counts.
    pub fn first_ms(&self) -> UnixMillis {
        self.claims.first().map_or(UnixMillis(0), |claim| claim.counted_ms)
    }

    /// When its last claim counts.
    pub fn last_ms(&self) -> UnixMillis {
        self.claims.last().map_or(UnixMillis(0), |claim| claim.counted_ms)
    }

    /// The last moment at which a claim would still belong to it.
    pub fn closes_ms(&self, class: &Class, observe: &Observe) -> UnixMillis {
        match self.ended_ms {
            Some(ended_ms) => ended_ms.plus(observe.linger_ms),
            None => self.last_ms().plus(class.idle_ms),
        }
    }

    /// When it ended by silence, as far as `horizon` shows.
    pub fn fell_silent_ms(&self, class: &Class, horizon: UnixMillis) -> Option<UnixMillis> {
        let silent_ms = self.last_ms().plus(class.idle_ms).plus(Millis(1));
        (self.ended_ms.is_none() && silent_ms < horizon).then_some(silent_ms)
    }

    /// What the gateway's side said.
    pub fn gateway_claims(&self) -> impl Iterator<Item = &Admitted<'a>> {
        self.claims.iter().filter(|claim| is_gateway_side(claim.event.role))
    }

    /// What the orchestrator's side said.
    pub fn orchestrator_claims(&self) -> impl Iterator<Item = &Admitted<'a>> {
        self.claims.iter().filter(|claim| !is_gateway_side(claim.event.role))
    }
}
