//! The serving side: a router that takes pushes and answers long-polls, backfills and heads.
//! It never holds a message itself: a 200 means that the owner's sink said so.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{RequestExt, body::Body};
use bytes::BytesMut;
use pace::{Spent, Visitors};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::http::feed::{Bounds, Feed};
use crate::http::{CHAIN_HEADER, CURSOR_HEADER, GAP_HEADER, Limits, code, frames};
use crate::traits::{Backfill, BoxFuture, Message, Selector, check_chain};

/// Takes a pushed message and answers once it is safely held (synced), or says why it is not.
/// Its future is dropped when the pusher hangs up or `request_ms` pass, so it must survive that at every await.
pub type Sink =
    Arc<dyn Fn(Message) -> BoxFuture<'static, std::result::Result<(), Decline>> + Send + Sync>;

/// Why a sink did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decline {
    /// Never: the message itself is at fault. 422.
    Final {
        /// A stable code, such as that of a defect.
        code: String,
        /// What is wrong, for people.
        detail: String,
    },
    /// Not now: we are busy or cannot write. 503.
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// Not now: this sender's quota is spent. 429.
    Quota {
        /// When to try again.
        retry_after_ms: u64,
    },
}

/// What a router serves; what is `None` is not found.
#[derive(Clone, Default)]
pub struct Served {
    /// Takes pushes.
    pub sink: Option<Sink>,
    /// Answers long-polls.
    pub feed: Option<Arc<Feed>>,
    /// Answers backfills and heads.
    pub source: Option<Arc<dyn Backfill>>,
    /// Bounds how often each address may call.
    pub visitors: Option<Arc<Visitors>>,
}

struct Inner {
    served: Served,
    limits: Limits,
    pushes: Arc<Semaphore>,
    polls: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

/// Longest detail of a refusal, well inside what a client reads of one.
const DETAIL_CHARS_MAX: usize = 500;

type Context = State<Arc<Inner>>;
type Answer = std::result::Result<Response, Decided>;

/// Makes the router. It needs no outer limits of its own, but its listener should bound the time to read headers.
pub fn router(served: Served, limits: Limits) -> Router {
    let mut router = Router::new();
    let visitors = served.visitors.clone();
    let (has_sink, has_feed) = (served.sink.is_some(), served.feed.is_some());
    if has_sink {
        router = router.route("/channel/v1/batches", post(push));
    }
    if has_feed {
        router = router.route("/channel/v1/batches", get(poll));
    }
    if served.source.is_some() {
        router = router
            .route("/channel/v1/backfill", get(backfill))
            .route("/channel/v1/heads", get(heads));
    }
    let gate = || Arc::new(Semaphore::new(limits.requests_max));
    let inner = Inner { served, limits, pushes: gate(), polls: gate(), reads: gate() };
    router = router.layer(DefaultBodyLimit::max(limits.max_bytes));
    if let Some(visitors) = visitors {
        router = router.layer(middleware::from_fn_with_state(visitors, admit));
    }
    router.route("/channel/v1/health", get(async || StatusCode::OK)).with_state(Arc::new(inner))
}

/// Lets a request pass if its client may call so often.
async fn admit(State(visitors): State<Arc<Visitors>>, request: Request, next: Next) -> Answer {
    let admitted = visitors.admit(request.extensions(), request.headers(), 1);
    let later = |Spent { wait, .. }| {
        let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        later(StatusCode::TOO_MANY_REQUESTS, code::BUSY, retry_after_ms)
    };
    admitted.map_err(later)?;
    Ok(next.run(request).await)
}

async fn push(State(inner): Context, request: Request) -> Answer {
    let _permit = permit(&inner.pushes)?;
    let sink = inner.served.sink.as_ref().ok_or_else(not_found)?;
    let chain = chain_of(request.headers())?;
    let is_announced_too_long =
        content_length(request.headers()).is_some_and(|length| length > inner.limits.max_bytes);
    if is_announced_too_long {
        return Err(too_long(inner.limits.max_bytes));
    }
    let body = in_time(&inner, read(request, inner.limits.max_bytes)).await??;
    in_time(&inner, sink(Message { chain, body })).await?.map_err(declined)?;
    Ok(StatusCode::OK.into_response())
}

async fn read(request: Request<Body>, max_bytes: usize) -> std::result::Result<Bytes, Decided> {
    request.extract::<Bytes, _>().await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return too_long(max_bytes);
        }
        refuse(StatusCode::BAD_REQUEST, code::LENGTH, "the body ended early")
    })
}

async fn poll(
    State(inner): Context,
    query: std::result::Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Answer {
    let permit = permit(&inner.polls)?;
    let feed = inner.served.feed.as_ref().ok_or_else(not_found)?;
    let Query(pairs) = query.map_err(|_| unreadable("the query is not url-encoded"))?;
    let (mut after, mut wait_ms, mut chains) = (None, inner.limits.wait_ms, Vec::new());
    for (name, value) in pairs {
        match name.as_str() {
            "after" => after = Some(value),
            "wait_ms" => {
                wait_ms = value.parse().map_err(|_| unreadable("wait_ms is not a number"))?
            }
            "chain" => chains.push(value),
            _ => return Err(unreadable("parameters are after, wait_ms and chain")),
        }
    }
    let selector = if chains.is_empty() {
        Selector::All
    } else {
        Selector::Chains(chains.into_iter().collect())
    };
    let bounds = Bounds {
        bytes: inner.limits.page_bytes,
        messages: usize::try_from(inner.limits.page_messages).unwrap_or(usize::MAX),
    };
    let wait = Duration::from_millis(wait_ms.min(inner.limits.wait_ms));
    let page = feed.next_page(after.as_deref(), &selector, bounds, wait).await;
    let page = page.ok_or_else(|| unreadable("after is not a cursor of this feed"))?;
    let mut buffer = BytesMut::new();
    for (cursor, message) in &page.messages {
        for part in [cursor.as_bytes(), message.chain.as_bytes(), &message.body] {
            frames::put(&mut buffer, part);
        }
    }
    let mut response = answer("application/octet-stream", buffer.freeze(), permit);
    let cursor = page.cursor.parse().expect("a cursor is hexadecimal digits and a dot");
    response.headers_mut().insert(CURSOR_HEADER, cursor);
    if page.is_gapped {
        response.headers_mut().insert(GAP_HEADER, header::HeaderValue::from_static("1"));
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    chain: String,
    epoch: u64,
    from: u64,
    to: u64,
    max_bytes: Option<usize>,
}

async fn backfill(
    State(inner): Context,
    query: std::result::Result<Query<Range>, QueryRejection>,
) -> Answer {
    let permit = permit(&inner.reads)?;
    let source = inner.served.source.as_ref().ok_or_else(not_found)?;
    let Query(range) =
        query.map_err(|_| unreadable("parameters are chain, epoch, from, to and max_bytes"))?;
    check_chain(&range.chain).map_err(failed)?;
    let max_bytes = range.max_bytes.unwrap_or(usize::MAX).min(inner.limits.page_bytes);
    let fetch = source.fetch(&range.chain, range.epoch, range.from, range.to, max_bytes);
    let bodies = in_time(&inner, fetch).await?.map_err(failed)?;
    let mut buffer = BytesMut::new();
    let count = usize::try_from(inner.limits.page_messages).unwrap_or(usize::MAX);
    for body in bodies.iter().take(count) {
        frames::put(&mut buffer, body);
    }
    Ok(answer("application/octet-stream", buffer.freeze(), permit))
}

async fn heads(State(inner): Context) -> Answer {
    let permit = permit(&inner.reads)?;
    let source = inner.served.source.as_ref().ok_or_else(not_found)?;
    let heads = in_time(&inner, source.heads()).await?.map_err(failed)?;
    let body = serde_json::to_vec(&heads).expect("heads are text and integers");
    Ok(answer("application/json", body.into(), permit))
}

/// An answer that keeps its permit until it is sent, so that slow readers cannot pile up answers.
struct Held {
    body: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn answer(kind: &'static str, body: Bytes, permit: OwnedSemaphorePermit) -> Response {
    ([(header::CONTENT_TYPE, kind)], Bytes::from_owner(Held { body, _permit: permit }))
        .into_response()
}

fn permit(semaphore: &Arc<Semaphore>) -> std::result::Result<OwnedSemaphorePermit, Decided> {
    let busy = |_| later(StatusCode::SERVICE_UNAVAILABLE, code::BUSY, 1_000);
    semaphore.clone().try_acquire_owned().map_err(busy)
}

async fn in_time<T>(
    inner: &Inner,
    work: impl Future<Output = T>,
) -> std::result::Result<T, Decided> {
    let limit = Duration::from_millis(inner.limits.request_ms);
    let slow = |_| refuse(StatusCode::REQUEST_TIMEOUT, code::SLOW, "the request took too long");
    tokio::time::timeout(limit, work).await.map_err(slow)
}

fn chain_of(headers: &HeaderMap) -> std::result::Result<String, Decided> {
    let chain = headers.get(CHAIN_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("");
    check_chain(chain).map_err(failed)?;
    Ok(chain.to_owned())
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// An answer other than 200, boxed because it travels as an error.
struct Decided(Box<Response>);

impl IntoResponse for Decided {
    fn into_response(self) -> Response {
        *self.0
    }
}

fn refuse(status: StatusCode, code: &str, detail: &str) -> Decided {
    let detail: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
    let body = serde_json::json!({ "code": code, "detail": detail });
    Decided(Box::new((status, Json(body)).into_response()))
}

fn later(status: StatusCode, code: &str, retry_after_ms: u64) -> Decided {
    let mut decided = refuse(status, code, "try again later");
    decided
        .0
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after_ms.div_ceil(1000).max(1).into());
    decided
}

fn declined(decline: Decline) -> Decided {
    match decline {
        Decline::Final { code, detail } => refuse(StatusCode::UNPROCESSABLE_ENTITY, &code, &detail),
        Decline::Busy { retry_after_ms } => {
            later(StatusCode::SERVICE_UNAVAILABLE, code::BUSY, retry_after_ms)
        }
        Decline::Quota { retry_after_ms } => {
            later(StatusCode::TOO_MANY_REQUESTS, code::BUSY, retry_after_ms)
        }
    }
}

fn failed(error: Error) -> Decided {
    let (status, code) = match error {
        Error::Chain { .. } => (StatusCode::BAD_REQUEST, code::CHAIN),
        Error::Range { .. } => (StatusCode::BAD_REQUEST, code::RANGE),
        Error::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, code::LENGTH),
        _ => return later(StatusCode::SERVICE_UNAVAILABLE, code::SOURCE, 1_000),
    };
    refuse(status, code, &error.to_string())
}

fn too_long(max_bytes: usize) -> Decided {
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        code::LENGTH,
        &format!("a message has at most {max_bytes} bytes"),
    )
}

fn unreadable(detail: &str) -> Decided {
    refuse(StatusCode::BAD_REQUEST, code::QUERY, detail)
}

fn not_found() -> Decided {
    Decided(Box::new(StatusCode::NOT_FOUND.into_response()))
}
