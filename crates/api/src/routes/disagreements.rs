//! `/v1/disagreements`: how far reporters contradict each other about the jobs they both spoke of.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::event::Network;
use events::identity::Address;
use events::unit::Ppm;
use serde::{Deserialize, Serialize};
use sla::score::agreement::Agreement;
use sla::tally::pair::Disagreement;
use sla::window::Window;
use utoipa::IntoParams;

use crate::answer::Answer;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;
use crate::windowed::scorecard;

/// Of which window, and whose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DisagreementsQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only pairs that this address is one of: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// The window, such as `2026-01-08T21Z/7d`; if none is named, the newest seven-day window, or else the newest of
    /// any length.
    #[param(inline, value_type = schema::Window, required = false)]
    window: Option<Window>,
}

/// How far the reporters of a window agree with each other.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Disagreements {
    /// The pairs, by teller and other.
    items: Vec<PairItem>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
}

/// Two reporters, and how far they agree about the tenures that both reported on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PairItem {
    /// Who reported it.
    #[schema(value_type = schema::Address)]
    teller: Address,
    /// The operator that held the work, or a tester that observed it.
    #[schema(value_type = schema::Address)]
    other: Address,
    /// Tenures that both reported on.
    both: u64,
    /// Tenures about which they disagreed in something.
    disputed: u64,
    /// How often they disagreed, by what about.
    #[schema(value_type = BTreeMap<String, u64>)]
    disagreed: BTreeMap<Disagreement, u64>,
    /// Tenures on which the other one, who does report on others, said nothing.
    missing: u64,
    /// The lower bound of the share of tenures about which they disagree, in parts per million.
    #[schema(value_type = u32)]
    lower_ppm: Ppm,
    /// The upper bound of the share of tenures about which they disagree, in parts per million.
    #[schema(value_type = u32)]
    upper_ppm: Ppm,
    /// Whether the two are one party, so that neither is evidence about the other.
    self_dealing: bool,
}

impl From<&Agreement> for PairItem {
    fn from(pair: &Agreement) -> Self {
        Self {
            teller: pair.teller,
            other: pair.other,
            both: pair.both,
            disputed: pair.disputed,
            disagreed: pair.disagreed.clone(),
            missing: pair.missing,
            lower_ppm: pair.lower,
            upper_ppm: pair.upper,
            self_dealing: pair.self_dealing,
        }
    }
}

/// Who contradicts whom
///
/// How far each reporter agrees, about the same tenures, with the operators and testers it reports on, with confidence
/// bounds.
#[utoipa::path(
    get, path = "/v1/disagreements", tag = "evidence", params(DisagreementsQuery),
    responses((status = 200, description = "The pairs.", body = Disagreements), Problems),
)]
pub async fn disagreements(
    Given(state): Given<State>,
    Query(DisagreementsQuery { network, operator, window }): Query<DisagreementsQuery>,
) -> Result<Answer<Disagreements>, Problem> {
    let network = state.network(network);
    let found = state.read(move |sources| scorecard(sources, network, window)).await?;
    let of = |pair: &&Agreement| {
        operator.is_none_or(|operator| [pair.teller, pair.other].contains(&operator))
    };
    let items = found.scorecard.agreements.iter().filter(of).map(PairItem::from).collect();
    let window = found.scorecard.window;
    Ok(Answer::until_written(Disagreements { items, network, window }))
}
