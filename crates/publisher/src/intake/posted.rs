//! The door for testers of the leaderboard: `POST /api/post_stats`, signed with a secret that all of them share.
//!
//! It says "ok" only for what the spool has synced and the translation will use. A shared secret does not say who
//! tested, so what comes in here is a collector's to tell, and the least of evidence. Prompts and answers stay in the spool.
//! Whoever is slow holds up nobody: what is bounded is the bytes that arrived and not how many are arriving.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use events::identity::Region;
use events::unit::{Millis, UnixMillis};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::Sha256;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{Clock, Counts, Error, refusal};
use crate::spool::{Raw, Source, Spool};
use crate::translate::{POSTED, Speaker, translate};

/// Where it is.
pub const PATH: &str = "/api/post_stats";

/// How far ahead of our clock a tester's may be.
const AHEAD_MAX: Millis = Millis(600_000);

/// What the door is and what it takes.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that holds the secret.
    pub secret: PathBuf,
    /// Where tests may have been made.
    pub regions: BTreeSet<Region>,
    /// A request may be this long.
    pub body_bytes_max: usize,
    /// How many requests as long as that may be held at once; of shorter ones more.
    pub requests_max: usize,
    /// A request must arrive within this time.
    pub request: Duration,
}

/// The collector that tells of what is posted.
pub struct Collector {
    /// What counts at its doors.
    pub counts: Counts,
    /// Who it speaks as.
    pub speaker: Speaker,
    /// Where it keeps what it hears.
    pub spool: Arc<Spool>,
}

struct Door {
    clock: Clock,
    collector: Collector,
    config: Config,
    secret: Vec<u8>,
    /// A permit for each byte that may be held.
    room: Semaphore,
}

/// The route `POST /api/post_stats`.
///
/// # Errors
/// `Io` and `Settings` where the secret cannot be read.
pub fn router(config: Config, collector: Collector, clock: Clock) -> Result<Router, Error> {
    let secret = read(&config)?;
    let bytes = config.body_bytes_max.saturating_mul(config.requests_max.max(1));
    let room = Semaphore::new(bytes.min(Semaphore::MAX_PERMITS));
    let door = Arc::new(Door { clock, collector, config, secret, room });
    Ok(Router::new().route(PATH, post(take).fallback(otherwise)).with_state(door))
}

/// The route where nobody listens behind it: it says so.
pub fn closed() -> Router {
    let nobody = || async {
        Refused::new(StatusCode::FORBIDDEN, refusal::LOGIN, "nothing is taken here").into_response()
    };
    Router::new().route(PATH, post(nobody).fallback(otherwise))
}

/// Whether the route would take these settings.
///
/// # Errors
/// As [`router`].
pub fn check(config: &Config) -> Result<(), Error> {
    read(config).map(drop)
}

/// The secret of the file that the settings name; one line end after it does not count.
fn read(config: &Config) -> Result<Vec<u8>, Error> {
    let path = &config.secret;
    let text = std::fs::read_to_string(path).map_err(Error::io("read the secret in", path))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Error::Settings(format!("the secret in {} is empty", path.display())));
    }
    Ok(secret.as_bytes().to_vec())
}

async fn take(State(door): State<Arc<Door>>, request: Request) -> Response {
    match door.keep(request).await {
        Ok(()) => "ok".into_response(),
        Err(refused) => {
            door.collector.counts.refuse(refused.code);
            refused.into_response()
        }
    }
}

async fn otherwise() -> Response {
    let mut response =
        Refused::new(StatusCode::METHOD_NOT_ALLOWED, refusal::REQUEST, "send it by POST")
            .into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// What is kept of a request: an envelope as the translation reads it, around the body as it is.
#[derive(Serialize)]
struct Kept<'a> {
    data: &'a RawValue,
    id: &'a str,
    timestamp: String,
    #[serde(rename = "type")]
    kind: &'a str,
}

impl Door {
    async fn keep(&self, request: Request) -> Result<(), Refused> {
        let (head, body) = request.into_parts();
        // Whoever shows no code at all is not listened to.
        let code =
            code(&head.headers).ok_or_else(|| unsigned("authorization is no 64 hex digits"))?;
        let (body, _room) = self.read(body).await?;
        if !is_signed(&self.secret, &code, &body) {
            return Err(unsigned("authorization is not the HMAC-SHA256 of the body in hex"));
        }
        let received_ms = (self.clock)();
        let data: &RawValue = serde_json::from_slice(&body)
            .map_err(|error| Refused::malformed(format!("the body is no JSON: {error}")))?;
        let timestamp = received_ms.to_string();
        let kept = Kept { data, id: "posted", timestamp, kind: POSTED };
        let value = serde_json::to_vec(&kept).map_err(|_| Refused::failed())?;
        self.check(&value, UnixMillis(received_ms))?;
        let raw = Raw { received_ms, source: Source::Http, key: None, value };
        self.collector.spool.append(vec![raw]).await.map_err(|failure| {
            tracing::warn!(%failure, "a posted test was not kept");
            Refused { code: refusal::of_append(&failure), ..Refused::failed() }
        })?;
        self.collector.counts.keep(Source::Http, 1);
        Ok(())
    }

    /// The body, with the room that it takes, or why it is not there in time.
    async fn read(&self, body: Body) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Refused> {
        timeout(self.config.request, self.gather(body)).await.unwrap_or_else(|_| {
            let why = "the body did not arrive in time";
            Err(Refused::new(StatusCode::BAD_REQUEST, refusal::SLOW, why))
        })
    }

    async fn gather(
        &self,
        mut body: Body,
    ) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Refused> {
        let bytes_max = self.config.body_bytes_max;
        let unreadable = || {
            let why = format!("the body is over {bytes_max} bytes, or ended early");
            Refused::new(StatusCode::BAD_REQUEST, refusal::TOO_LARGE, why)
        };
        let (mut bytes, mut held): (Vec<u8>, Option<SemaphorePermit<'_>>) = (Vec::new(), None);
        while let Some(frame) = poll_fn(|it| Pin::new(&mut body).poll_frame(it)).await {
            // Trailers say nothing here.
            let Ok(data) = frame.map_err(|_| unreadable())?.into_data() else { continue };
            if bytes.len().saturating_add(data.len()) > bytes_max {
                return Err(unreadable());
            }
            let permits = u32::try_from(data.len()).map_err(|_| unreadable())?;
            let room = self.room.acquire_many(permits).await.map_err(|_| Refused::failed())?;
            match &mut held {
                Some(held) => held.merge(room),
                None => held = Some(room),
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, held))
    }

    /// Whether the translation will use it, and its place and time are possible.
    fn check(&self, envelope: &[u8], now: UnixMillis) -> Result<(), Refused> {
        let translated = translate(envelope, &self.collector.speaker, now);
        if let Some(refusal) = translated.refusals.first() {
            return Err(Refused::malformed(refusal.detail.clone()));
        }
        let [event] = translated.events.as_slice() else {
            return Err(Refused::malformed("the body is no result of a test"));
        };
        event.encode().map_err(|refusal| Refused::malformed(refusal.detail))?;
        if !event.region.as_ref().is_some_and(|region| self.config.regions.contains(region)) {
            return Err(Refused::malformed("there is no such region: see /api/regions"));
        }
        if event.at_ms > now.plus(AHEAD_MAX) {
            return Err(Refused::malformed("timestamp lies in the future"));
        }
        Ok(())
    }
}

/// The code that a request shows, if it has the form of one: 64 hex digits.
fn code(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = headers.get(AUTHORIZATION)?.as_bytes();
    let mut code = [0; 32];
    hex::decode_to_slice(text, &mut code).ok()?;
    Some(code)
}

/// Whether the body goes with the code that only who knows the secret can make; told in the same time for every wrong one.
fn is_signed(secret: &[u8], code: &[u8; 32], body: &[u8]) -> bool {
    let mac = Hmac::<Sha256>::new_from_slice(secret);
    mac.is_ok_and(|mac| mac.chain_update(body).verify_slice(code).is_ok())
}

fn unsigned(why: &str) -> Refused {
    Refused::new(StatusCode::FORBIDDEN, refusal::LOGIN, why)
}

/// An answer that is not "ok", as clients of the leaderboard read it.
struct Refused {
    status: StatusCode,
    code: &'static str,
    error: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, error: impl Into<String>) -> Self {
        Self { status, code, error: error.into() }
    }

    fn malformed(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, refusal::MALFORMED, error)
    }

    /// What went wrong on our side is ours to know.
    fn failed() -> Self {
        let error = "nothing was kept, try again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, refusal::BUSY, error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}
