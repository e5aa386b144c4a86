//! Who is listed for a gateway, at which place, and why not; and what that would have changed.
//!
//! Everything is a pure function in integers of a routing policy, a question, what is known of each orchestrator, and the
//! number of the turn. The order of candidates never matters, nothing asks the time, and no score is made here.
//!
//! Reading order: [`policy`] is what is chosen, [`work`] what is asked for, [`candidate`] what is known; `judge` says how
//! each candidate stands by itself, [`turn`] whose turn it is, [`choose`] who gets which place, [`reason`] why;
//! [`score_map`] says the same in go-livepeer's words, and [`whatif`] replays recorded work under a policy.

pub mod candidate;
pub mod choose;
pub mod policy;
pub mod reason;
pub mod score_map;
pub mod turn;
pub mod whatif;
pub mod work;

mod judge;
mod rating;
