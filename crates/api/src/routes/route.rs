//! `/v1/route`: who is listed for a gateway, in the words of each client, and why somebody is not.

mod asked;
mod lists;
mod perf_stats;
mod policies;
mod tried;
mod webhook;
mod whatif;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The paths of the group.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(lists::orchestrators, lists::try_orchestrators))
        .routes(routes!(lists::excluded, lists::try_excluded))
        .routes(routes!(lists::orchestrator))
        .routes(routes!(webhook::webhook))
        .routes(routes!(perf_stats::perf_stats))
        .routes(routes!(whatif::whatif, whatif::try_whatif))
        .routes(routes!(policies::policies))
        .routes(routes!(policies::policy))
}
