//! `/v1/orchestrators/{address}`: one orchestrator with its results in the latest settled hour that names it.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::Address;
use serde::{Deserialize, Serialize};
use sla::window::Window;
use utoipa::IntoParams;
use warehouse::page::{Cursor, Page, Party};
use warehouse::view::{OrchestratorRow, ScoreFilter};

use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::{Query, Segments};
use crate::routes::orchestrators::Orchestrator;
use crate::routes::scores::Score;
use crate::schema;
use crate::state::{Sources, State};

/// How an address is written.
const ADDRESS_INSTEAD: &str = "Send 0x and 40 lower-case hex digits.";

/// The most results shown; `/v1/scores` pages through all.
const RESULTS_MAX: usize = 500;

/// On which network.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// One orchestrator and its results.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrchestratorDetail {
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The orchestrator.
    orchestrator: Orchestrator,
    /// Its results in the hour of `latest`, at most 500; empty until an hour has settled.
    scores: Vec<Score>,
}

/// One orchestrator
///
/// By its on-chain address, or by its signing address if only that is known.
#[utoipa::path(
    get, path = "/v1/orchestrators/{address}", tag = "scores",
    params(
        ("address" = inline(schema::Address), Path, description = "The operator's address, or that of a signer whose operator is unknown."),
        OrchestratorQuery,
    ),
    responses((status = 200, description = "The orchestrator.", body = OrchestratorDetail), Problems),
)]
pub async fn orchestrator(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<OrchestratorQuery>,
) -> Result<Answer<OrchestratorDetail>, Problem> {
    let address: Address = segments.parse("address", ADDRESS_INSTEAD)?;
    let network = state.network(query.network);
    let now = state.now();
    let detail = state.read(move |sources| {
        let named = |party: Party| find(sources, network, now, party);
        let row = match named(Party::Operator(address))? {
            Some(row) => row,
            None => named(Party::Signer(address))?.ok_or_else(|| {
                let detail = format!("no job of {address} is known on {network}");
                Problem::absent(detail, "GET /v1/orchestrators lists those that are known.")
            })?,
        };
        let scores = results(sources, network, &row)?;
        Ok(OrchestratorDetail { network, orchestrator: row.into(), scores })
    });
    Ok(Answer::for_ms(A_SECOND_MS, detail.await?))
}

/// The row of one party: the first behind the greatest key that is smaller.
fn find(
    sources: &Sources,
    network: Network,
    now: events::unit::UnixMillis,
    party: Party,
) -> Result<Option<OrchestratorRow>, Problem> {
    let page = Page { after: before(party).map(Cursor::Orchestrator), limit: 1 };
    let paged = sources.warehouse.orchestrators(network, now, &page).map_err(Problem::warehouse)?;
    let is_it = |row: &OrchestratorRow| match party {
        Party::Operator(address) => row.operator == Some(address),
        Party::Signer(address) => row.operator.is_none() && row.signer == Some(address),
        Party::Nameless => false,
    };
    Ok(paged.rows.into_iter().next().filter(is_it))
}

/// The party right before this one in the list's order, if any can be.
fn before(party: Party) -> Option<Party> {
    match party {
        Party::Operator(address) => previous(address).map(Party::Operator),
        Party::Signer(address) => {
            let last_operator = Party::Operator(Address([255; 20]));
            Some(previous(address).map_or(last_operator, Party::Signer))
        }
        Party::Nameless => Some(Party::Signer(Address([255; 20]))),
    }
}

/// The address one below.
fn previous(Address(mut bytes): Address) -> Option<Address> {
    for byte in bytes.iter_mut().rev() {
        let (below, has_borrowed) = byte.overflowing_sub(1);
        *byte = below;
        if !has_borrowed {
            return Some(Address(bytes));
        }
    }
    None
}

fn results(
    sources: &Sources,
    network: Network,
    row: &OrchestratorRow,
) -> Result<Vec<Score>, Problem> {
    let (Some(latest), Some(_)) = (&row.latest, row.operator) else { return Ok(Vec::new()) };
    let filter = ScoreFilter { operator: row.operator, ..ScoreFilter::default() };
    let page = Page::first(RESULTS_MAX);
    let paged = sources.warehouse.scores(network, Window::hour(latest.hour), &filter, &page);
    Ok(paged.map_err(Problem::warehouse)?.rows.into_iter().map(Score::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_before_is_one_less() {
        let mut bytes = [0; 20];
        assert_eq!(previous(Address(bytes)), None);
        bytes[17] = 1;
        let mut below = [0; 20];
        below[18..].fill(255);
        assert_eq!(previous(Address(bytes)), Some(Address(below)));
        let mut last = [255; 20];
        last[19] = 254;
        assert_eq!(previous(Address([255; 20])), Some(Address(last)));
    }
}
