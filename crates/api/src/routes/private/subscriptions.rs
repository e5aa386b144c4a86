//! `/v1/private/subscriptions`: where changes of one's own score are sent to. It keeps nothing itself: what it is asked
//! to keep goes to the keeper that `naap` passed in, and is answered once that has it safe.

use std::sync::Arc;

use axum::extract::State as Given;
use axum::http::StatusCode;
use axum::response::Response;
use events::event::Network;
use events::identity::Address;
use serde::{Deserialize, Serialize};

use super::door::{Body, Ours, SignedIn, fresh};
use crate::private::{Keeper, Refused, Status, Subscription, Wanted};
use crate::problem::{Code, Problem, Problems};
use crate::query::{Nothing, Query, Segments};
use crate::schema;
use crate::state::State;

/// The subscriptions of the signed-in address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Subscriptions {
    /// All of them, oldest first.
    items: Vec<SubscriptionAnswer>,
}

/// One subscription.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SubscriptionAnswer {
    /// Its name.
    id: String,
    /// When it was created, in Unix milliseconds.
    created_ms: u64,
    /// How many messages were delivered.
    delivered: u64,
    /// How many attempts in a row to send the next message failed.
    failures: u32,
    /// Why the latest attempt failed; null if it succeeded.
    last_failure: Option<String>,
    /// The network whose scores it follows.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// Whether it is paused: deliveries failed for too long, and nothing is sent any more. Delete it and subscribe
    /// again.
    is_paused: bool,
    /// The URL that messages are sent to.
    url: String,
}

/// A subscription that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NewSubscription {
    /// The secret that signs its messages, as in Standard Webhooks. It is shown only in this answer.
    secret: String,
    /// The subscription.
    subscription: SubscriptionAnswer,
}

impl From<Subscription> for SubscriptionAnswer {
    fn from(of: Subscription) -> Self {
        Self {
            id: of.id,
            created_ms: of.created_ms.0,
            delivered: of.delivered,
            failures: of.failures,
            last_failure: of.last_failure,
            network: of.network,
            is_paused: of.status == Status::Paused,
            url: of.url,
        }
    }
}

fn keeper(state: &State) -> Result<&Arc<dyn Keeper>, Problem> {
    state.private().keeper.as_ref().ok_or_else(|| {
        let detail = "this process only reads, so it takes no subscriptions";
        let instead = "Ask the process that writes: naap dev or naap ingest.";
        Problem::new(Code::SubscriptionsOff, detail, instead)
    })
}

/// My subscriptions
///
/// Where changes of the signed-in address's score are sent, and how delivery is going.
#[utoipa::path(
    get, path = "/v1/private/subscriptions", tag = "private",
    responses((status = 200, description = "All of them.", body = Subscriptions), Problems),
)]
pub async fn list(
    Given(state): Given<State>,
    _none: Query<Nothing>,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    let items = keeper(&state)?.list(session.address);
    let items = items.into_iter().map(SubscriptionAnswer::from).collect();
    Ok(fresh(StatusCode::OK, Subscriptions { items }))
}

/// What to subscribe.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeRequest {
    /// The network whose scores are followed; the instance's own if none is named.
    #[schema(value_type = Option<schema::Network>)]
    network: Option<Network>,
    /// The URL to send messages to: https, on a public host, without a login or fragment.
    #[schema(example = "https://hooks.example/naap")]
    url: String,
}

/// Subscribe
///
/// Sends a random challenge to the URL, which must return it, and stores the subscription. From then on each change of
/// the signed-in address's score is sent there, signed with a secret that is shown only in this answer. Only an address
/// that the record knows can subscribe: an operator that ever had or offered work, or one with a key of its own.
#[utoipa::path(
    post, path = "/v1/private/subscriptions", tag = "private",
    request_body = SubscribeRequest,
    responses((status = 201, description = "The subscription, with its secret.", body = NewSubscription), Problems),
)]
pub async fn add(
    Given(state): Given<State>,
    _none: Query<Nothing>,
    _ours: Ours,
    SignedIn(session): SignedIn,
    Body(request): Body<SubscribeRequest>,
) -> Result<Response, Problem> {
    let (keeper, network) = (keeper(&state)?, state.network(request.network));
    check_known(&state, network, session.address).await?;
    let wanted = Wanted { network, owner: session.address, url: request.url };
    let made = Arc::clone(keeper).add(wanted).await.map_err(problem)?;
    let (subscription, secret) = (made.subscription.into(), made.secret);
    Ok(fresh(StatusCode::CREATED, NewSubscription { secret, subscription }))
}

/// Whether the record knows an address: anybody can make as many addresses as there are subscriptions to be had.
async fn check_known(state: &State, network: Network, address: Address) -> Result<(), Problem> {
    let known = state.clone();
    let is_known = state.read(move |sources| {
        let reader = sources.warehouse.as_ref();
        let operators = reader.operators(network).map_err(Problem::warehouse)?;
        if operators.iter().any(|row| row.operator == address) {
            return Ok(true);
        }
        let keys = known.delegates().of(reader, &sources.ledger(), network, address)?;
        Ok(!keys.is_empty())
    });
    if is_known.await? {
        return Ok(());
    }
    let detail =
        format!("{address} never had work on {network}, offered none and has no key there");
    let instead = "Sign in with an operator's address, or name the network that knows it.";
    Err(Problem::new(Code::SubscriptionStranger, detail, instead))
}

/// The result of unsubscribing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RemovedSubscription {
    /// Its name.
    removed: String,
}

/// Unsubscribe
///
/// Deletes a subscription of the signed-in address. Nothing more is sent.
#[utoipa::path(
    delete, path = "/v1/private/subscriptions/{id}", tag = "private",
    params(("id" = String, Path, description = "The id of the subscription.")),
    responses((status = 200, description = "The subscription is deleted.", body = RemovedSubscription), Problems),
)]
pub async fn remove(
    Given(state): Given<State>,
    _none: Query<Nothing>,
    _ours: Ours,
    SignedIn(session): SignedIn,
    segments: Segments,
) -> Result<Response, Problem> {
    let id = segments.text("id").to_owned();
    let keeper = Arc::clone(keeper(&state)?);
    if keeper.remove(session.address, id.clone()).await.map_err(problem)? {
        return Ok(fresh(StatusCode::OK, RemovedSubscription { removed: id }));
    }
    let instead = "GET /v1/private/subscriptions lists yours.";
    Err(Problem::absent("you have no subscription of this name", instead))
}

fn problem(refused: Refused) -> Problem {
    let detail = refused.to_string();
    match refused {
        Refused::Url(_) => {
            let instead = "Send an https URL of a public host, without a login or fragment.";
            Problem::new(Code::SubscriptionUrl, detail, instead)
        }
        Refused::Challenge(_) => {
            let instead = "Answer the POST within ten seconds with status 200 and the body {\"challenge\": …} that it \
                           had, as docs/webhooks.md shows.";
            Problem::new(Code::SubscriptionChallenge, detail, instead)
        }
        Refused::TooMany(_) => {
            Problem::new(Code::SubscriptionLimit, detail, "Delete one of yours first.")
        }
        Refused::Busy => Problem::busy("subscriptions being made"),
        Refused::Failed(_) => {
            tracing::error!(%detail, "a subscription was not kept");
            Problem::new(Code::Source, "the subscription could not be stored", "Try again later.")
        }
    }
}
