//! What ties addresses to each other: who pays from where, and where somebody answers.
//!
//! A link is kept with whoever said it, because what a party says of itself and what others saw of it weigh differently.

use events::body::Body;
use events::event::Role;
use events::identity::Address;
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;

events::words! {
    /// What ties an address.
    Tie {
        /// The address it pays from.
        Payer = "payer",
        /// The host it answers at.
        Host = "host",
    }
}

/// One address, what it is tied to, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The address that is tied.
    pub of: Address,
    /// Who said so.
    pub teller: Address,
    /// How.
    pub tie: Tie,
    /// To what: an address, or a host.
    pub to: String,
}

/// The links that an event tells of.
pub fn links_of(claim: &Admitted<'_>) -> Vec<Link> {
    let teller = claim.event.reporter;
    match &claim.event.body {
        Body::PaymentSent(said) => {
            let payer = said.sender.filter(|_| claim.event.role == Role::Gateway);
            let link = |payer: Address| Link {
                of: teller,
                teller,
                tie: Tie::Payer,
                to: payer.to_string(),
            };
            payer.map(link).into_iter().collect()
        }
        Body::RosterObserved(said) => {
            let hosts = said.urls.iter().map(|url| url.host().to_owned());
            hosts.map(|to| Link { of: said.member, teller, tie: Tie::Host, to }).collect()
        }
        _ => Vec::new(),
    }
}
