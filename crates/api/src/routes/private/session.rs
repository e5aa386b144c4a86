//! Nonce, sign-in, sign-out, and who is signed in. What is judged, `sign_in` judges.

use axum::extract::State as Given;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use events::identity::{Address, AddressSignature};
use serde::{Deserialize, Serialize};

use super::door::{Body, Ours, SignedIn, fresh, sign_in as offered};
use crate::problem::{Problem, Problems};
use crate::query::{Nothing, Query};
use crate::schema;
use crate::sign_in::NONCE_LIFETIME;
use crate::state::State;

/// What to put into the message to sign in with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NonceAnswer {
    /// The chain id to name.
    chain_id: u64,
    /// The domain to name.
    domain: String,
    /// When the nonce expires, in Unix milliseconds.
    expires_ms: u64,
    /// The nonce: it can be used once.
    nonce: String,
    /// The statement that the message must contain; null if any will do.
    statement: Option<String>,
    /// The URI to name.
    uri: String,
}

/// Nonce
///
/// What the message to sign in with must contain: a nonce that can be used once, within five minutes, and the domain,
/// URI and chain id of this instance.
#[utoipa::path(
    get, path = "/v1/private/nonce", tag = "private",
    responses((status = 200, description = "A nonce.", body = NonceAnswer), Problems),
)]
pub async fn nonce(Given(state): Given<State>, _none: Query<Nothing>) -> Result<Response, Problem> {
    let (offered, now) = (offered(&state)?, state.now());
    let settings = offered.settings();
    let answer = NonceAnswer {
        chain_id: settings.chain_id,
        domain: settings.domain.clone(),
        expires_ms: now.plus(NONCE_LIFETIME).0,
        nonce: offered.nonce(now)?,
        statement: settings.statement.clone(),
        uri: settings.uri.clone(),
    };
    Ok(fresh(StatusCode::OK, answer))
}

/// A signed message.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The message, as ERC-4361 has it.
    message: String,
    /// Its signature by EIP-191 (personal_sign).
    #[schema(value_type = schema::AddressSignature)]
    signature: AddressSignature,
}

/// Who is signed in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionAnswer {
    /// The address.
    #[schema(value_type = schema::Address)]
    address: Address,
    /// When the session expires, in Unix milliseconds.
    expires_ms: u64,
}

/// Sign in
///
/// Opens a session for the address that signed the message and sets its cookie (`SameSite=Strict`). Contract accounts
/// (ERC-1271) cannot sign in yet.
#[utoipa::path(
    post, path = "/v1/private/sign-in", tag = "private",
    request_body = SignInRequest,
    responses((status = 200, description = "Signed in.", body = SessionAnswer), Problems),
)]
pub async fn sign_in(
    Given(state): Given<State>,
    _none: Query<Nothing>,
    _ours: Ours,
    Body(request): Body<SignInRequest>,
) -> Result<Response, Problem> {
    let offered = offered(&state)?;
    let (session, cookie) = offered.sign_in(&request.message, &request.signature, state.now())?;
    let answer = SessionAnswer { address: session.address, expires_ms: session.expires_ms.0 };
    Ok(([(SET_COOKIE, cookie)], fresh(StatusCode::OK, answer)).into_response())
}

/// An empty object.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignOutRequest {}

/// The result of signing out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignedOutAnswer {
    /// Always true.
    signed_out: bool,
}

/// Sign out
///
/// Closes the session of the request, if there is one, and deletes its cookie.
#[utoipa::path(
    post, path = "/v1/private/sign-out", tag = "private",
    request_body = SignOutRequest,
    responses((status = 200, description = "Signed out.", body = SignedOutAnswer), Problems),
)]
pub async fn sign_out(
    Given(state): Given<State>,
    _none: Query<Nothing>,
    Ours(headers): Ours,
    _body: Body<SignOutRequest>,
) -> Result<Response, Problem> {
    let cookie = offered(&state)?.sign_out(&headers);
    let answer = SignedOutAnswer { signed_out: true };
    Ok(([(SET_COOKIE, cookie)], fresh(StatusCode::OK, answer)).into_response())
}

/// Who is signed in
///
/// The address of the session that the request's cookie names.
#[utoipa::path(
    get, path = "/v1/private/me", tag = "private",
    responses((status = 200, description = "The session.", body = SessionAnswer), Problems),
)]
pub async fn me(_none: Query<Nothing>, SignedIn(session): SignedIn) -> Result<Response, Problem> {
    let answer = SessionAnswer { address: session.address, expires_ms: session.expires_ms.0 };
    Ok(fresh(StatusCode::OK, answer))
}
