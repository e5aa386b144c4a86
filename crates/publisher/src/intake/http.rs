//! An HTTP door for what does not speak Kafka: envelopes, and the bodies go-livepeer puts on its AMQP queue.
//! It answers 202 only for what the spool has synced, keeps a request whole or not at all, and never looks further into an item than its
//! id and type.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Clock, Counts, Error, Secret, item, refusal};
use crate::spool::{Raw, Source, Spool};

/// What the door is and whom it lets in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it will be served; only loopback may do without a token.
    pub listen: SocketAddr,
    /// The file that holds the bearer token clients must show.
    pub token: Option<PathBuf>,
    /// A request may be this long.
    pub body_bytes_max: usize,
    /// How many items a request may hold.
    pub items_max: usize,
    /// How many bytes of requests may be in memory, all clients together.
    pub memory_bytes_max: usize,
    /// A request must arrive within this time.
    pub request: Duration,
}

impl Config {
    /// A door without a token, which only loopback may have.
    #[must_use]
    pub fn plain(listen: SocketAddr) -> Self {
        Self {
            listen,
            token: None,
            body_bytes_max: 8 << 20,
            items_max: 65_536,
            memory_bytes_max: 32 << 20,
            request: Duration::from_secs(30),
        }
    }
}

struct Door {
    config: Config,
    secret: Option<Secret>,
    spool: Arc<Spool>,
    clock: Clock,
    counts: Counts,
    /// In KiB.
    memory: Semaphore,
}

/// The routes `POST /v1/intake/events` and `POST /v1/intake/transcode`.
/// Both take one JSON object, a list of them, or one after another (NDJSON), and answer `{"count": n}`.
///
/// # Errors
/// `Exposed` beyond loopback without a token, `Settings`, `Io`.
pub fn router(
    config: Config,
    spool: Arc<Spool>,
    clock: Clock,
    counts: Counts,
) -> Result<Router, Error> {
    let secret = read(&config)?;
    let memory = Semaphore::new((config.memory_bytes_max / 1024).min(Semaphore::MAX_PERMITS));
    let door = Arc::new(Door { config, secret, spool, clock, counts, memory });
    Ok(Router::new()
        .route("/v1/intake/events", post(events))
        .route("/v1/intake/transcode", post(transcode))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), guard))
        .with_state(door))
}

/// Whether the routes would take these settings, with the file that they name.
///
/// # Errors
/// As [`router`].
pub fn check(config: &Config) -> Result<(), Error> {
    read(config).map(drop)
}

/// Checks the settings and reads the file that they name.
fn read(config: &Config) -> Result<Option<Secret>, Error> {
    let secret = config.token.as_ref().map(|path| Secret::read(path, "")).transpose()?;
    if !config.listen.ip().is_loopback() && secret.is_none() {
        return Err(Error::Exposed { address: config.listen, missing: "a bearer token is" });
    }
    if config.body_bytes_max >= config.memory_bytes_max {
        let Config { body_bytes_max, memory_bytes_max, .. } = config;
        let reason = format!(
            "body_bytes_max = {body_bytes_max} must be below memory_bytes_max = {memory_bytes_max}"
        );
        return Err(Error::Settings(reason));
    }
    Ok(secret)
}

async fn events(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.take(request, |_| Ok(())).await
}

async fn transcode(State(door): State<Arc<Door>>, request: Request) -> Response {
    let is_transcode = |object: &item::Item| match object.kind.as_deref() {
        Some("transcode") => Ok(()),
        _ => Err("its type is not \"transcode\""),
    };
    door.take(request, is_transcode).await
}

async fn nowhere(State(door): State<Arc<Door>>) -> Response {
    door.refuse(Problem::new(
        StatusCode::NOT_FOUND,
        refusal::REQUEST,
        "send to /v1/intake/events or /v1/intake/transcode",
    ))
}

async fn otherwise(State(door): State<Arc<Door>>) -> Response {
    door.refuse(Problem::new(StatusCode::METHOD_NOT_ALLOWED, refusal::REQUEST, "send it by POST"))
}

/// Lets in who shows the token; without one, only who came by an address of this machine: a web page that rebound its name to
/// loopback is turned away, and one that did not cannot set a JSON content type without asking first.
async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_welcome = match &door.secret {
        Some(secret) => bearer(headers).is_some_and(|token| secret.matches(b"", token)),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()).is_none_or(is_address),
    };
    if is_welcome { next.run(request).await } else { door.refuse(Problem::login()) }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

impl Door {
    async fn take(
        &self,
        request: Request,
        check: impl Fn(&item::Item) -> Result<(), &'static str>,
    ) -> Response {
        match self.keep(request, check).await {
            Ok(count) => (StatusCode::ACCEPTED, Json(json!({ "count": count }))).into_response(),
            Err(problem) => self.refuse(problem),
        }
    }

    async fn keep(
        &self,
        request: Request,
        check: impl Fn(&item::Item) -> Result<(), &'static str>,
    ) -> Result<usize, Problem> {
        let (head, body) = request.into_parts();
        let length = declared(&head.headers, self.config.body_bytes_max)?;
        // What does not say how long it is may be as long as anything.
        let permits = u32::try_from(length / 1024).unwrap_or(u32::MAX).saturating_add(1);
        let memory = timeout(self.config.request, self.memory.acquire_many(permits)).await;
        let _memory = memory.ok().and_then(Result::ok).ok_or_else(Problem::busy)?;
        let body = self.read(body).await?;
        let raws = self.split(&body, check)?;
        let count = raws.len();
        self.spool.append(raws).await.map_err(|failure| Problem::of_append(&failure))?;
        self.counts.keep(Source::Http, count as u64);
        Ok(count)
    }

    async fn read(&self, body: Body) -> Result<axum::body::Bytes, Problem> {
        let bytes_max = self.config.body_bytes_max;
        match timeout(self.config.request, to_bytes(body, bytes_max)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(Problem::too_large(format!(
                "the body is over {bytes_max} bytes, or ended early"
            ))),
            Err(_) => Err(Problem::slow()),
        }
    }

    fn split(
        &self,
        body: &[u8],
        check: impl Fn(&item::Item) -> Result<(), &'static str>,
    ) -> Result<Vec<Raw>, Problem> {
        let malformed = |failure: serde_json::Error| {
            Problem::malformed(format!("the body is no JSON: {failure}"))
        };
        let values: Vec<&RawValue> = match body.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(body).map_err(malformed)?,
            _ => {
                let stream = serde_json::Deserializer::from_slice(body).into_iter();
                stream.collect::<Result<_, _>>().map_err(malformed)?
            }
        };
        let Config { items_max, .. } = self.config;
        match values.len() {
            0 => return Err(Problem::malformed("the body holds no item".to_owned())),
            items if items > items_max => {
                return Err(Problem::too_large(format!(
                    "a request holds at most {items_max} items, not {items}"
                )));
            }
            _ => {}
        }
        let received_ms = (self.clock)();
        let raw = |(index, value): (usize, &RawValue)| {
            let bad = |reason| Problem::malformed(format!("item {index}: {reason}"));
            let item = item::read(value.get()).map_err(bad)?;
            check(&item).map_err(bad)?;
            Ok(Raw {
                received_ms,
                source: Source::Http,
                key: item.id,
                value: value.get().as_bytes().to_vec(),
            })
        };
        values.into_iter().enumerate().map(raw).collect()
    }

    fn refuse(&self, problem: Problem) -> Response {
        self.counts.refuse(problem.code);
        problem.into_response()
    }
}

/// Checks what the headers say about the body before a byte of it is read; returns how long it may be.
fn declared(headers: &HeaderMap, bytes_max: usize) -> Result<usize, Problem> {
    let text = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let kind = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "application/json" | "application/x-ndjson" | "application/ndjson")
    {
        return Err(Problem::kind("send application/json or application/x-ndjson"));
    }
    if !matches!(text(CONTENT_ENCODING), "" | "identity") {
        return Err(Problem::kind("send the body uncompressed"));
    }
    match text(CONTENT_LENGTH).parse::<usize>() {
        Ok(length) if length > bytes_max => {
            Err(Problem::too_large(format!("the body is over {bytes_max} bytes")))
        }
        Ok(length) => Ok(length),
        Err(_) => Ok(bytes_max),
    }
}

/// An answer that is not 202, as RFC 9457 writes it, with our code beside.
struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    fn login() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            refusal::LOGIN,
            "show the bearer token, or come by a loopback address",
        )
    }

    fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            refusal::BUSY,
            "too much is under way, try again",
        )
    }

    fn slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, refusal::SLOW, "the body did not arrive in time")
    }

    fn kind(detail: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal::MALFORMED, detail)
    }

    fn malformed(detail: String) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, refusal::MALFORMED, detail)
    }

    fn too_large(detail: String) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, refusal::TOO_LARGE, detail)
    }

    fn of_append(failure: &crate::spool::Error) -> Self {
        let code = refusal::of_append(failure);
        match code {
            refusal::TOO_LARGE => Self::too_large(failure.to_string()),
            // What the disk said is the operator's to know.
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "nothing was kept, try again"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = json!({ "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"))
            }
            StatusCode::UNAUTHORIZED => headers.insert(
                HeaderName::from_static("www-authenticate"),
                HeaderValue::from_static("Bearer"),
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"))
            }
            _ => None,
        };
        response
    }
}
