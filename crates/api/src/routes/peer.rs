//! The 22 paths of livepeer-naap-analytics, with its names and shapes, so that its clients change a URL and nothing
//! else. What each number means here and where that differs stands in docs/compatibility.md.
//!
//! Nothing is computed here that `sla` did not count: sums are divided and put into the peer's members. Reading order:
//! [`moment`] and [`asked`] are what requests say, [`reckon`] how sums become its numbers, [`offers`] what is offered,
//! [`listing`] its pages; then the paths by its groups.

mod asked;
mod listing;
mod moment;
mod offers;
mod reckon;
mod score;

mod capacity;
mod discover;
mod feed;
mod hourly;
mod inventory;
mod jobs;
mod kpi;
mod pipelines;
mod requests;
mod standing;
mod streaming;
mod workers;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// Every path of the group.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(kpi::kpi))
        .routes(routes!(pipelines::pipelines))
        .routes(routes!(standing::orchestrators))
        .routes(routes!(capacity::gpu_capacity))
        .routes(routes!(inventory::pipeline_catalog))
        .routes(routes!(inventory::pricing))
        .routes(routes!(feed::job_feed))
        .routes(routes!(streaming::models))
        .routes(routes!(streaming::orchestrators))
        .routes(routes!(hourly::sla))
        .routes(routes!(hourly::demand))
        .routes(routes!(hourly::gpu_metrics))
        .routes(routes!(requests::models))
        .routes(routes!(requests::orchestrators))
        .routes(routes!(requests::ai_batch_summary))
        .routes(routes!(requests::llm_summary))
        .routes(routes!(requests::byoc_summary))
        .routes(routes!(jobs::ai_batch_jobs))
        .routes(routes!(jobs::byoc_jobs))
        .routes(routes!(workers::workers))
        .routes(routes!(workers::auth))
        .routes(routes!(discover::discover))
}
