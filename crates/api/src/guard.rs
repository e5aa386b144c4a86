//! What every request passes: an id, bounds on how often its client may ask, on its size, on its time and on how many
//! there are, and problem documents for whatever goes wrong below. It looks at no query and no answer.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State as Given};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pace::{Purse, Spent, Visitors};
use tracing::Instrument as _;

use crate::paths::Paths;
use crate::problem::{Code, Problem};
use crate::query::QUERY_BYTES_MAX;
use crate::state::State;

/// The header that names a request: taken over if it is plain, given out otherwise.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is for one person alone lies below this.
const PRIVATE: &str = "/v1/private";

/// Whether a path is for one person alone: no page of another origin reads it, and none of its answers is kept.
pub fn is_private(path: &str) -> bool {
    path.strip_prefix(PRIVATE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path is one of the leaderboard, whose clients read errors in its own form.
pub fn is_board(path: &str) -> bool {
    path.strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

/// Takes back from private paths what all answers are given: that others may read and keep them.
pub async fn seclude(request: Request, next: Next) -> Response {
    let is_private = is_private(request.uri().path());
    let mut response = next.run(request).await;
    if is_private {
        let headers = response.headers_mut();
        for name in CROSS_ORIGIN {
            headers.remove(name);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The headers by which other origins are let in.
const CROSS_ORIGIN: [HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

/// What a client has left, as the draft `draft-ietf-httpapi-ratelimit-headers` has it.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What a client may ask in all, as the same draft has it.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The longest id that is taken over.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The id of a request, as an extension of it.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Names the request, counts its answer, and sees to it that every refusal is a problem document with that name.
pub async fn identify(Given(state): Given<State>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.as_str().into()));
    let matched = request.extensions().get::<MatchedPath>();
    let path = matched.map_or("none", MatchedPath::as_str).to_owned();
    let is_board = is_board(request.uri().path());
    let span = tracing::info_span!("request", id = %id, path = %path);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let said = response.extensions().get::<Problem>().cloned();
        // What says how the store of the leaderboard is, says so in its own form.
        let is_said = said.is_some() || !is_json(response.headers());
        if is_said || !is_board {
            let before = std::mem::take(response.headers_mut());
            let said = said.unwrap_or_else(|| problem_for(status));
            response = if is_board { said.render_short() } else { said.render(Some(&id)) };
            keep_headers(before, response.headers_mut());
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    state.counters().answered(&path, response.status().as_u16());
    response
}

/// Hands the headers of an answer on to the problem document in its place, which has its own about its content.
fn keep_headers(before: HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in before {
        let Some(name) = name else { continue };
        if name != header::CONTENT_LENGTH && !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

/// Takes a request out of what its client may ask, and says what is left.
pub async fn pace(
    Given((state, paths)): Given<(State, Arc<Paths>)>,
    request: Request,
    next: Next,
) -> Response {
    let visitors = state.visitors();
    let cost = paths.of(&request).cost;
    match visitors.admit(request.extensions(), request.headers(), cost) {
        Ok(None) => next.run(request).await,
        Ok(Some(purse)) => {
            let mut response = next.run(request).await;
            say(visitors, purse, response.headers_mut());
            response
        }
        Err(Spent { purse, wait }) => {
            let seconds = whole_seconds(wait);
            let detail =
                format!("too many requests: this one costs {cost} of the client's allowance");
            let instead =
                format!("Send it again in {seconds} s; RateLimit-Policy gives the allowance.");
            let mut response = Problem::new(Code::Paced, detail, instead).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            say(visitors, purse, response.headers_mut());
            response
        }
    }
}

/// Says what a client has left of what it may ask.
fn say(visitors: &Visitors, purse: Purse, headers: &mut HeaderMap) {
    let Some(whole) = visitors.policy() else { return };
    let said = [
        (RATE_LIMIT, format!("\"client\";r={};t={}", purse.left, whole_seconds(purse.full_in))),
        (
            RATE_LIMIT_POLICY,
            format!("\"client\";q={};w={}", whole.left, whole_seconds(whole.full_in)),
        ),
    ];
    for (name, text) in said {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// Seconds, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |text: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let asked = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    asked.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// The problem of an answer that a library gave.
fn problem_for(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => no_path_problem(),
        StatusCode::METHOD_NOT_ALLOWED => no_method_problem(),
        StatusCode::PAYLOAD_TOO_LARGE => body_problem(),
        status if status.is_client_error() => {
            Problem::new(Code::Header, "the request cannot be read", "See /docs.")
        }
        _ => Problem::internal(),
    }
}

/// Holds a request to its bounds.
pub async fn bound(Given(state): Given<State>, request: Request, next: Next) -> Response {
    let limits = state.limits();
    if request.uri().query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        let detail = format!("the query has more than {QUERY_BYTES_MAX} bytes");
        return Problem::new(Code::QueryLength, detail, "Send fewer or shorter parameters.")
            .into_response();
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limits.body_bytes) {
        return body_problem().into_response();
    }
    let patience = Duration::from_millis(limits.request_ms);
    tokio::time::timeout(patience, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} ms", limits.request_ms);
        Problem::new(
            Code::Slow,
            detail,
            "Ask for less, with a lower limit or a shorter time, or try again later.",
        )
        .into_response()
    })
}

/// Lets in as many requests as may be under way.
pub async fn admit(Given(state): Given<State>, request: Request, next: Next) -> Response {
    match state.request_permit() {
        Ok(permit) => {
            let response = next.run(request).await;
            drop(permit);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// The answer to a panic: our own fault.
pub fn panicked(state: &State, reason: &(dyn Any + Send)) -> Response {
    let text = reason.downcast_ref::<&str>().copied();
    let text = text.or_else(|| reason.downcast_ref::<String>().map(String::as_str));
    tracing::error!(reason = text.unwrap_or("unknown"), "a request panicked");
    state.counters().panicked();
    Problem::internal().into_response()
}

/// The answer to a path that there is not.
pub async fn no_path() -> Problem {
    no_path_problem()
}

/// The answer to a method that no path takes.
pub async fn no_method() -> Problem {
    no_method_problem()
}

fn no_path_problem() -> Problem {
    let instead = "GET /v1/openapi.json lists every path. In a path, write the slash of a long window as %2F.";
    Problem::new(Code::Path, "there is nothing at this path", instead)
}

fn no_method_problem() -> Problem {
    let instead = "Use a method that `Allow` lists; /docs describes each.";
    Problem::new(Code::Method, "this path does not accept this method", instead)
}

fn body_problem() -> Problem {
    let detail = "the body of the request is longer than any path accepts";
    Problem::new(Code::Body, detail, "Send GET without a body, or a shorter body.")
}
