//! `/v1/private/refusals`: what was refused of one's own nodes, one by one. Whose a node is, both it
//! and its address signed; what is kept of a refusal holds nothing of what was said.

use axum::extract::State as Given;
use axum::http::StatusCode;
use axum::response::Response;
use events::event::Network;
use events::identity::{Address, EventId, PublisherKey};
use events::refusal::Defect;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use warehouse::record::RefusalNote;
use warehouse::view::Source;

use super::door::{SignedIn, fresh};
use crate::answer::Reasons;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::routes::refusals::RefusalPlace;
use crate::schema;
use crate::state::State;

/// Which refusals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OwnRefusalsQuery {
    /// The maximum number of refusals, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only what was refused of this key of yours: 64 lower-case hex digits.
    #[param(inline, value_type = schema::PublisherKey, required = false)]
    publisher: Option<PublisherKey>,
}

/// What was refused from the nodes of the signed-in address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnRefusals {
    /// The address.
    #[schema(value_type = schema::Address)]
    address: Address,
    /// The refusals, newest first. Of each key the last 256 are kept; `/v1/refusals` counts all.
    items: Vec<OwnRefusal>,
    /// The keys that the signed-in address delegated to and that speak for it.
    #[schema(value_type = Vec<schema::PublisherKey>)]
    keys: Vec<PublisherKey>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// One refusal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnRefusal {
    /// When it arrived, in Unix milliseconds; if it was refused when its hour was settled, when its batch was sealed.
    at_ms: u64,
    /// The code; `/v1/refusals` says what it means and what to do.
    #[schema(value_type = schema::RefusalCode)]
    code: Defect,
    /// What was wrong, in words.
    detail: String,
    /// The key that signed the batch.
    #[schema(value_type = schema::PublisherKey)]
    publisher: PublisherKey,
    /// The epoch of the batch.
    epoch: u64,
    /// The sequence number of the batch.
    seq: u64,
    /// The position of the event in the batch, from 0; null if the whole batch was refused.
    index: Option<u16>,
    /// The id of the event; null if it could not be read.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// `intake` or `settle`.
    place: RefusalPlace,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<RefusalNote> for OwnRefusal {
    fn from(note: RefusalNote) -> Self {
        let mut reasons = Reasons::default();
        let is_whole = note.index.is_none();
        let whole = || "all of the batch was refused".to_owned();
        let unread = || if is_whole { whole() } else { "it could not be read".to_owned() };
        Self {
            at_ms: note.at_ms.0,
            code: note.defect,
            detail: note.detail,
            publisher: note.position.key,
            epoch: note.position.epoch,
            seq: note.position.seq,
            index: reasons.explain("index", note.index, whole),
            event_id: reasons.explain("event_id", note.event, unread),
            place: match note.source {
                Source::Intake => RefusalPlace::Intake,
                Source::Settle => RefusalPlace::Settle,
            },
            reasons,
        }
    }
}

/// My nodes' refusals
///
/// The latest refusals of what was published under the keys that the signed-in address delegated to and that speak for
/// it, one by one, each with its batch and event.
#[utoipa::path(
    get, path = "/v1/private/refusals", tag = "private",
    params(OwnRefusalsQuery),
    responses((status = 200, description = "The last refusals.", body = OwnRefusals), Problems),
)]
pub async fn refusals(
    Given(state): Given<State>,
    SignedIn(session): SignedIn,
    Query(query): Query<OwnRefusalsQuery>,
) -> Result<Response, Problem> {
    let (network, address) = (state.network(query.network), session.address);
    let limit = query.limit.unwrap_or(Limit::DEFAULT).count();
    let known = state.clone();
    let answer = state.read(move |sources| {
        let reader = sources.warehouse.as_ref();
        let keys = known.delegates().of(reader, &sources.ledger(), network, address)?;
        let asked = |key: &&PublisherKey| query.publisher.is_none_or(|it| it == **key);
        let asked: Vec<PublisherKey> = keys.iter().filter(asked).copied().collect();
        if let Some(key) = query.publisher
            && asked.is_empty()
        {
            let detail =
                format!("{key} is not a key that {address} delegated to and that speaks for it");
            let instead = "Leave out publisher to see your keys.";
            return Err(Problem::absent(detail, instead).about("publisher"));
        }
        let notes = reader.refusal_notes(network, &asked, limit).map_err(Problem::warehouse)?;
        let items = notes.into_iter().map(OwnRefusal::from).collect();
        Ok(OwnRefusals { address, items, keys, network })
    });
    Ok(fresh(StatusCode::OK, answer.await?))
}
