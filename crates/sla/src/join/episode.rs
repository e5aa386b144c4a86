//! The claims about one job, cut where it fell silent: each piece stands for itself.
//!
//! A piece ends when its teller said nothing for the class's idle time, or when what ended it has lingered. Work that
//! is given out again after an end goes on. What an orchestrator says of itself is kept beside, as the other side.

use events::body::{Body, Orchestrator, Witness};
use events::unit::{Millis, UnixMillis};

use super::story::{Side, is_gateway_side};
use super::tenure::agrees;
use crate::admit::Admitted;
use crate::policy::observe::{Class, Observe};

/// The claims of one piece of a job, in order.
#[derive(Debug, Clone)]
pub struct Episode<'a> {
    /// The claims, by time, kind and hash.
    pub claims: Vec<Admitted<'a>>,
    /// When the teller ended it, if that was the last word.
    pub ended_ms: Option<UnixMillis>,
    /// Who tells it; nobody where no gateway spoke.
    pub teller: Option<Side>,
    /// Who was last given the work.
    holder: Option<&'a Orchestrator>,
    /// When the teller last spoke.
    told_ms: Option<UnixMillis>,
}

impl<'a> Episode<'a> {
    /// Cuts the claims about one job, which are in order, into episodes as `teller` tells them.
    pub fn split(
        claims: impl IntoIterator<Item = Admitted<'a>>,
        teller: Option<Side>,
        class: &Class,
        observe: &Observe,
    ) -> Vec<Self> {
        let mut episodes: Vec<Self> = Vec::new();
        for claim in claims {
            match episodes.last_mut() {
                Some(open) if claim.counted_ms <= open.closes_ms(class, observe) => {
                    open.push(claim)
                }
                _ => {
                    let mut opened = Self {
                        claims: Vec::new(),
                        ended_ms: None,
                        teller,
                        holder: None,
                        told_ms: None,
                    };
                    opened.push(claim);
                    episodes.push(opened);
                }
            }
        }
        episodes
    }

    fn push(&mut self, claim: Admitted<'a>) {
        if self.is_told(&claim) {
            self.told_ms = Some(claim.counted_ms);
            self.hear(&claim);
        }
        self.claims.push(claim);
    }

    /// What a word of the teller means for the job as a whole.
    fn hear(&mut self, claim: &Admitted<'a>) {
        let is_over = match &claim.event.body {
            Body::JobAssigned(said) if said.witness == Witness::Gateway => {
                self.holder = Some(&said.orchestrator);
                self.ended_ms = None;
                false
            }
            // A failed attempt of somebody who no longer has the work says nothing about who has it now.
            Body::JobFailed(said) => {
                self.holder.is_none_or(|holder| agrees(holder, &said.orchestrator) != Some(false))
            }
            Body::JobCompleted(_) | Body::SegmentAttempted(_) => true,
            _ => false,
        };
        if is_over && self.ended_ms.is_none() {
            self.ended_ms = Some(claim.counted_ms);
        }
    }

    fn is_told(&self, claim: &Admitted<'_>) -> bool {
        self.teller == Some(Side::of(claim))
    }

    /// When its first claim counts.
    pub fn first_ms(&self) -> UnixMillis {
        self.claims.first().map_or(UnixMillis(0), |claim| claim.counted_ms)
    }

    /// When its last claim counts.
    pub fn last_ms(&self) -> UnixMillis {
        self.claims.last().map_or(UnixMillis(0), |claim| claim.counted_ms)
    }

    /// When its teller last spoke; where no teller spoke, its last claim.
    pub fn told_ms(&self) -> UnixMillis {
        self.told_ms.unwrap_or(self.last_ms())
    }

    /// The last moment at which a claim would still belong to it.
    pub fn closes_ms(&self, class: &Class, observe: &Observe) -> UnixMillis {
        match self.ended_ms {
            Some(ended_ms) => ended_ms.plus(observe.linger_ms),
            None => self.told_ms().plus(class.idle_ms),
        }
    }

    /// Whether it may go on, or what it owes may fall due, at `moment` or later.
    pub fn is_open_at(&self, moment: UnixMillis, class: &Class, observe: &Observe) -> bool {
        self.closes_ms(class, observe).plus(Millis(1)) >= moment
    }

    /// When it ended by silence, as far as `horizon` shows.
    pub fn fell_silent_ms(&self, class: &Class, horizon: UnixMillis) -> Option<UnixMillis> {
        let silent_ms = self.told_ms().plus(class.idle_ms).plus(Millis(1));
        (self.ended_ms.is_none() && silent_ms < horizon).then_some(silent_ms)
    }

    /// What its teller said.
    pub fn told(&self) -> impl DoubleEndedIterator<Item = &Admitted<'a>> {
        self.claims.iter().filter(|claim| self.is_told(claim))
    }

    /// What the orchestrator's side said.
    pub fn answered(&self) -> impl Iterator<Item = &Admitted<'a>> {
        self.claims.iter().filter(|claim| !is_gateway_side(claim.event.role))
    }
}
