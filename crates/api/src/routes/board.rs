//! `/api`: the leaderboard, in the words of the clients that read it before there was this program.
//!
//! What is posted to it comes in by another door (`publisher::intake::posted`); here it is read. Numbers are shares of one,
//! times seconds and errors `{"error": …}`, as they were there; `docs/compatibility.md` lists what differs and why.

mod aggregated_stats;
mod asked;
mod health;
mod pipelines;
pub mod post_stats;
mod raw_stats;
mod regions;
mod top_ai_score;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use axum::http::{HeaderName, header};

use crate::state::State;

/// The paths of the group.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(aggregated_stats::aggregated_stats))
        .routes(routes!(raw_stats::raw_stats))
        .routes(routes!(top_ai_score::top_ai_score))
        .routes(routes!(pipelines::pipelines))
        .routes(routes!(regions::regions))
        .routes(routes!(health::health))
}

/// How long others may keep an answer.
const KEPT: [(HeaderName, &str); 1] =
    [(header::CACHE_CONTROL, "public, max-age=30, stale-while-revalidate=15")];
