//! What each private request passes: whether sign-in is on, where the request comes from, who is signed in, and what its
//! body is. Each refusal says what to send instead.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};
use crate::query::shown;
use crate::sign_in::{Session, SignIn};
use crate::state::State;

/// Sign-in, where it is on.
pub fn sign_in(state: &State) -> Result<&SignIn, Problem> {
    state.private().sign_in.as_ref().ok_or_else(|| {
        let detail = "signing in is not configured on this instance";
        let instead = "Set private.domain and private.uri in its configuration; what is public needs no sign-in.";
        Problem::new(Code::SignInOff, detail, instead)
    })
}

/// Whoever is signed in.
pub struct SignedIn(pub Session);

impl FromRequestParts<State> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        sign_in(state)?.session(&parts.headers, state.now()).map(Self)
    }
}

/// A request that changes something and does not come from a page of another site. Its headers.
pub struct Ours(pub HeaderMap);

impl FromRequestParts<State> for Ours {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        sign_in(state)?.check_origin(&parts.headers)?;
        Ok(Self(parts.headers.clone()))
    }
}

/// A body of JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let shown = shown(kind);
            let detail = format!("the content type is {shown:?}");
            return Err(Problem::new(
                Code::ContentType,
                detail,
                "Send content-type: application/json.",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let instead = "Send the members that /docs describes, and no others.";
            Problem::new(Code::BodyInvalid, format!("the body: {error}"), instead)
        })
    }
}

fn unread(why: BytesRejection) -> Problem {
    if why.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::Body, "the body is too long", "Send at most 8 KiB.");
    }
    Problem::new(Code::BodyInvalid, "the body ended early", "Send the request again.")
}

/// An answer that nobody keeps a copy of.
pub fn fresh<T: Serialize>(status: StatusCode, body: T) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
