//! Every path on one page, with what each request passes before it gets there. It never answers anything itself.

use std::sync::Arc;

use axum::http::header::{CONTENT_SECURITY_POLICY, ETAG, LINK, RETRY_AFTER};
use axum::http::{HeaderName, Method};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::answer::Holds;
use crate::delivery::deliver;
use crate::describing;
use crate::guard;
use crate::health::Outcome;
use crate::paths::Paths;
use crate::problem::{BoardError, Code, Document};
use crate::routes::{
    badge, board, clusters, datasets, disagreements, documents, events, explain, export, feed,
    gpu_metrics, healthz, job, jobs, landing, metrics, network_capabilities, network_demand,
    orchestrator, orchestrators, peer, private, publishers, query, refusals, route, scores,
    sla_score, window, windows,
};
use crate::state::State;

/// The frame of the API description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "naap",
        description = "Service levels of a decentralized compute network, with the signed evidence behind each number.\n\n\
            Every answer is about one network. Times are Unix milliseconds (`_ms`), ratios parts per million (`_ppm`), \
            frame rates thousandths of a frame per second (`_milli_fps`). What is unknown is null, never zero, and the \
            sibling `reasons` says why under the member's name. Lists page by `limit` and `cursor`. Errors are problem \
            documents (RFC 9457). Nothing but what is private needs a key.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(BoardError, Code, Document<'static>, Outcome)),
    paths(board::post_stats::post_stats),
    tags(
        (name = "scores", description = "Scores of orchestrators by window, and why they are what they are."),
        (name = "routing", description = "Which orchestrators a gateway should use, in each client's own format, why others are left out, and what a policy would have changed."),
        (name = "measures", description = "Demand, performance and offers by time, region and kind of work, for display; they enter no score."),
        (name = "jobs", description = "Single jobs, and every party's claims about them."),
        (name = "windows", description = "Hours, their scorecards and the files to recompute them from."),
        (name = "leaderboard", description = "What testers posted, in the format of the leaderboard's clients."),
        (name = "evidence", description = "Who publishes, what is missing, and what was refused."),
        (name = "peer", description = "The paths of livepeer-naap-analytics, for its clients; docs/compatibility.md lists the differences."),
        (name = "live", description = "Live events."),
        (name = "private", description = "For signed-in operators: refusals of their own nodes, and subscriptions to changes of their score."),
        (name = "operation", description = "Health and metrics of this instance."),
    ),
)]
struct Description;

/// The paths that count as requests under way.
fn reads() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(scores::scores))
        .routes(routes!(sla_score::sla_score))
        .routes(routes!(sla_score::sla_compliance))
        .routes(routes!(explain::explain))
        .routes(routes!(gpu_metrics::gpu_metrics))
        .routes(routes!(network_demand::network_demand))
        .routes(routes!(network_capabilities::network_capabilities))
        .routes(routes!(query::query))
        .routes(routes!(query::metrics))
        .routes(routes!(orchestrators::orchestrators))
        .routes(routes!(orchestrator::orchestrator))
        .routes(routes!(jobs::jobs))
        .routes(routes!(job::job))
        .routes(routes!(windows::windows))
        .routes(routes!(window::window))
        .routes(routes!(export::manifest))
        .routes(routes!(export::file))
        .routes(routes!(clusters::clusters))
        .routes(routes!(disagreements::disagreements))
        .routes(routes!(datasets::datasets))
        .routes(routes!(publishers::publishers))
        .routes(routes!(refusals::refusals))
        .routes(routes!(documents::asyncapi_json))
        .routes(routes!(documents::openapi_json))
        .merge(route::paths())
        .merge(badge::paths())
        .merge(board::paths())
        .merge(feed::paths())
        .merge(private::paths())
        .merge(peer::paths())
}

/// The paths that answer however busy the others are; listeners have a bound of their own.
fn watches() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(events::events))
        .routes(routes!(healthz::healthz))
        .routes(routes!(metrics::metrics))
}

/// The description of the paths that are read, with what each answers beside its own.
fn described() -> OpenApiRouter<State> {
    let mut paths = reads();
    describing::complete(paths.get_openapi_mut());
    paths
}

/// The description of every path, as `/v1/openapi.json` serves it and `schemas/openapi.json` keeps it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().merge(watches()).to_openapi()
}

/// The description of what is told, as `/v1/asyncapi.json` serves it and `schemas/asyncapi.json` keeps it.
pub fn asyncapi() -> serde_json::Value {
    crate::asyncapi::document(&openapi())
}

/// What the pages below may load: their own files, and the drawings within them.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; \
                      style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The description for people, whose files are built into the program.
fn pages() -> Router<State> {
    let config = Config::from("/v1/openapi.json").validator_url("none");
    Router::from(SwaggerUi::new("/docs").config(config)).layer(map_response(
        async |response: Response| {
            (Extension(Holds::Always), [(CONTENT_SECURITY_POLICY, POLICY)], response)
        },
    ))
}

/// The whole API.
pub fn router(state: State) -> Router {
    let openapi = openapi();
    let paths = Arc::new(Paths::of_description(&openapi));
    let described = documents::Described {
        asyncapi: documents::bytes(&crate::asyncapi::document(&openapi)).into(),
        openapi: documents::bytes(&openapi).into(),
    };
    let reads = Router::from(reads())
        .route("/", axum::routing::get(landing::landing))
        .layer(Extension(described))
        .merge(pages())
        .layer(from_fn_with_state(state.clone(), guard::admit))
        .layer(from_fn_with_state((state.clone(), Arc::clone(&paths)), deliver));
    let panics = state.clone();
    let cors = CorsLayer::new()
        .allow_origin(Any)
        // POST is for questions with a policy in the body, and none of it takes credentials: a page of another origin can do
        // no more by it than anybody.
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(
            ["content-type", "last-event-id", "x-request-id"].map(HeaderName::from_static),
        )
        .expose_headers([
            ETAG,
            LINK,
            RETRY_AFTER,
            guard::RATE_LIMIT,
            guard::RATE_LIMIT_POLICY,
            guard::REQUEST_ID,
        ]);
    reads
        .merge(Router::from(watches()))
        .fallback(guard::no_path)
        .method_not_allowed_fallback(guard::no_method)
        .layer(from_fn_with_state(state.clone(), guard::bound))
        .layer(CatchPanicLayer::custom(move |reason: Box<dyn std::any::Any + Send>| {
            guard::panicked(&panics, reason.as_ref())
        }))
        .layer(from_fn_with_state((state.clone(), paths), guard::pace))
        .layer(from_fn_with_state(state.clone(), guard::identify))
        .layer(cors)
        .layer(from_fn(guard::seclude))
        .with_state(state)
}
