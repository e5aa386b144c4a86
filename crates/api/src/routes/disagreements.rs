//! `/v1/disagreements`: how far reporters contradict each other about the jobs they both spoke of.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::identity::Address;
use events::unit::Ppm;
use serde::Serialize;
use sla::score::agreement::Agreement;
use sla::tally::pair::Disagreement;

use crate::answer::Answer;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;
use crate::windowed::{Listed, WindowPage, WindowQuery, page};

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
/// bounds; by teller and other.
#[utoipa::path(
    get, path = "/v1/disagreements", tag = "evidence", params(WindowQuery),
    responses((status = 200, description = "A page.", body = WindowPage<PairItem>), Problems),
)]
pub async fn disagreements(
    Given(state): Given<State>,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<WindowPage<PairItem>>, Problem> {
    let listed = Listed {
        item: |pair| Some(PairItem::from(pair)),
        rows: |card| &card.agreements,
        key: |pair: &Agreement| (pair.teller, pair.other),
        names: |pair, operator| [pair.teller, pair.other].contains(&operator),
    };
    page(&state, "disagreements", query, listed).await.map(Answer::until_written)
}
