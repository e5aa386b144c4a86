//! `/v1/private/...`: what is there for signed-in users alone, and how they sign in and out. Nothing here is cached, and
//! nothing that changes something is taken from a page of another site.

mod door;
mod refusals;
mod session;
mod subscriptions;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The longest body, in bytes: a sign-in message and its signature fit.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// The paths of this group.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(session::nonce))
        .routes(routes!(session::sign_in))
        .routes(routes!(session::sign_out))
        .routes(routes!(session::me))
        .routes(routes!(refusals::refusals))
        .routes(routes!(subscriptions::list, subscriptions::add))
        .routes(routes!(subscriptions::remove))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}
