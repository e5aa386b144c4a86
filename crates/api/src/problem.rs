//! Every refusal to answer, as an RFC 9457 problem document with a stable code and what to send instead.
//!
//! A problem is about a request, never about an event. It holds no internals: what went wrong on our side is logged
//! where it is handled, and the client learns the code and the request id to ask about.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{self, Content, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// The media type of problem documents (RFC 9457 section 3).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Longest detail, so that a hostile request cannot make a long answer.
const DETAIL_CHARS_MAX: usize = 300;

/// Declares the codes once: name, code, HTTP status and title.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal,)*) => {
        /// Why a request was not answered. Codes never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// Every code there is, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status it goes with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// The same for every problem of this code.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

codes! {
    /// A query parameter that the path does not know.
    ParameterUnknown = "E-API-PARAMETER-UNKNOWN", BAD_REQUEST, "Unknown query parameter",
    /// A parameter given twice.
    ParameterRepeated = "E-API-PARAMETER-REPEATED", BAD_REQUEST, "Repeated query parameter",
    /// A parameter or path segment whose value cannot be read.
    ParameterInvalid = "E-API-PARAMETER-INVALID", BAD_REQUEST, "Invalid parameter",
    /// A cursor that this list did not give.
    Cursor = "E-API-CURSOR", BAD_REQUEST, "Unusable cursor",
    /// A request header whose value cannot be read.
    Header = "E-API-HEADER", BAD_REQUEST, "Invalid request header",
    /// No such path.
    Path = "E-API-PATH", NOT_FOUND, "No such path",
    /// Nothing is known under this name.
    Absent = "E-API-ABSENT", NOT_FOUND, "Not known here",
    /// The window has not settled, so it has no final form.
    Unsettled = "E-API-UNSETTLED", NOT_FOUND, "Window not settled",
    /// A method that the path does not take.
    Method = "E-API-METHOD", METHOD_NOT_ALLOWED, "Method not allowed",
    /// A request body that is too long.
    Body = "E-API-BODY", PAYLOAD_TOO_LARGE, "Request body too large",
    /// A request body that cannot be read.
    BodyInvalid = "E-API-BODY-INVALID", BAD_REQUEST, "Invalid request body",
    /// A request body of another media type than the path takes.
    ContentType = "E-API-CONTENT-TYPE", UNSUPPORTED_MEDIA_TYPE, "Wrong content type",
    /// A request that changes something, sent by a page that is not ours.
    Origin = "E-API-ORIGIN", FORBIDDEN, "Wrong origin",
    /// A private path without a session.
    SignedOut = "E-API-SIGNED-OUT", UNAUTHORIZED, "Not signed in",
    /// Private paths are not offered here.
    SignInOff = "E-API-SIGN-IN-OFF", NOT_FOUND, "Sign-in is off",
    /// A text that is no message of ERC-4361.
    SignInMessage = "E-API-SIGN-IN-MESSAGE", BAD_REQUEST, "Not a sign-in message",
    /// A message of another version.
    SignInVersion = "E-API-SIGN-IN-VERSION", BAD_REQUEST, "Wrong version",
    /// A message whose address is not written as EIP-55 has it.
    SignInAddress = "E-API-SIGN-IN-ADDRESS", BAD_REQUEST, "Unreadable address",
    /// A message for another domain or scheme.
    SignInDomain = "E-API-SIGN-IN-DOMAIN", BAD_REQUEST, "Wrong domain",
    /// A message for another URI.
    SignInUri = "E-API-SIGN-IN-URI", BAD_REQUEST, "Wrong URI",
    /// A message for another chain.
    SignInChain = "E-API-SIGN-IN-CHAIN", BAD_REQUEST, "Wrong chain",
    /// A message with another statement than the configured one.
    SignInStatement = "E-API-SIGN-IN-STATEMENT", BAD_REQUEST, "Wrong statement",
    /// A message that does not hold now.
    SignInTime = "E-API-SIGN-IN-TIME", BAD_REQUEST, "Not valid now",
    /// A nonce that was not given out here, is too old, or was used before.
    SignInNonce = "E-API-SIGN-IN-NONCE", BAD_REQUEST, "Unusable nonce",
    /// A signature that is not that of the address.
    SignInSignature = "E-API-SIGN-IN-SIGNATURE", UNAUTHORIZED, "Wrong signature",
    /// Subscriptions are kept by another process.
    SubscriptionsOff = "E-API-SUBSCRIPTIONS-OFF", NOT_FOUND, "No subscriptions here",
    /// A URL that must not be called.
    SubscriptionUrl = "E-API-SUBSCRIPTION-URL", BAD_REQUEST, "Unusable URL",
    /// A URL that did not give back the challenge.
    SubscriptionChallenge = "E-API-SUBSCRIPTION-CHALLENGE", BAD_REQUEST, "Challenge not answered",
    /// An address with as many subscriptions as it may have.
    SubscriptionLimit = "E-API-SUBSCRIPTION-LIMIT", CONFLICT, "Too many subscriptions",
    /// An address that the record does not know.
    SubscriptionStranger = "E-API-SUBSCRIPTION-STRANGER", FORBIDDEN, "Not known in the record",
    /// A query that is too long.
    QueryLength = "E-API-QUERY-LENGTH", URI_TOO_LONG, "Query too long",
    /// The answer cannot be written as the request wants it.
    Format = "E-API-FORMAT", NOT_ACCEPTABLE, "Format not available",
    /// The client has asked too often.
    Paced = "E-API-PACED", TOO_MANY_REQUESTS, "Too many requests",
    /// What is known is too old to be an answer.
    Stale = "E-API-STALE", SERVICE_UNAVAILABLE, "Scores too old",
    /// Nobody can be listed, which is not to be told as an empty list.
    Nobody = "E-API-NOBODY", SERVICE_UNAVAILABLE, "Nobody to list",
    /// Too many requests are under way.
    Busy = "E-API-BUSY", SERVICE_UNAVAILABLE, "Too busy",
    /// The answer took too long.
    Slow = "E-API-SLOW", SERVICE_UNAVAILABLE, "Took too long",
    /// The store behind the answer failed.
    Source = "E-API-SOURCE", SERVICE_UNAVAILABLE, "Store unavailable",
    /// Something that must work does not.
    Unhealthy = "E-API-UNHEALTHY", SERVICE_UNAVAILABLE, "Not healthy",
    /// Our own fault.
    Internal = "E-API-INTERNAL", INTERNAL_SERVER_ERROR, "Internal error",
}

impl PartialSchema for Code {
    // Derived code would describe the names of the variants: it does not see through the macro.
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Why a request was not answered. Codes never change their meaning."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "ProblemCode".into()
    }
}

/// Why a request is not answered, before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What was wrong with this request.
    pub detail: String,
    /// What to send instead, or what to do.
    pub instead: String,
    /// The query parameter or path segment it is about.
    pub parameter: Option<String>,
    /// The outcome of each health check, for `/healthz`.
    pub checks: Option<Value>,
}

/// A problem document as it is sent.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// `urn:naap:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:naap:problem:E-API-PARAMETER-UNKNOWN")]
    pub kind: String,
    /// A short title, the same for every problem with this code.
    pub title: &'a str,
    /// The HTTP status.
    #[schema(value_type = u16)]
    pub status: u16,
    /// What was wrong with this request.
    pub detail: &'a str,
    /// The stable code; `docs/refusals.md` explains each.
    pub code: Code,
    /// What to send instead, or what to do.
    pub instead: &'a str,
    /// The query parameter or path segment at fault; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<&'a str>,
    /// The outcome of each check; on `/healthz` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<crate::health::Outcome>>)]
    pub checks: Option<&'a Value>,
    /// The id of the request, also in the header `x-request-id`; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
}

/// Why a request of the leaderboard was not answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BoardError {
    /// What was wrong, and what to send instead.
    pub error: String,
}

/// The problems any path can answer with, for the API description.
pub struct Problems;

impl utoipa::IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let texts = [
            (
                "400",
                "An unknown, repeated or invalid parameter, cursor or header. Nothing is guessed or ignored.",
            ),
            ("404", "There is nothing under this path or name."),
            ("429", "Too many requests: try again after `retry-after`."),
            ("503", "Overloaded, timed out, or the store failed: try again after `retry-after`."),
            ("default", "Any other error."),
        ];
        let response = |text: &str| {
            let content = Content::builder().schema(Some(Ref::from_schema_name("Problem"))).build();
            let response = openapi::ResponseBuilder::new().description(text);
            RefOr::T(response.content(CONTENT_TYPE, content).build())
        };
        texts.map(|(status, text)| (status.to_owned(), response(text))).into()
    }
}

impl Problem {
    /// A problem with a detail cut to 300 characters.
    pub fn new(code: Code, detail: impl Into<String>, instead: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_CHARS_MAX) {
            detail.truncate(end);
        }
        Self { code, detail, instead: instead.into(), parameter: None, checks: None }
    }

    /// A problem with one parameter or path segment.
    pub fn parameter(name: &str, detail: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::new(Code::ParameterInvalid, detail, instead).about(name)
    }

    /// Nothing is known under a name that could be read.
    pub fn absent(detail: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::new(Code::Absent, detail, instead)
    }

    /// The store behind the answer failed. Logs the reason, which the client does not learn.
    pub fn source(what: &str, error: &dyn std::error::Error) -> Self {
        tracing::error!(store = what, error = %error, "cannot read for an answer");
        Self::new(Code::Source, format!("the {what} cannot be read"), "Try again later.")
    }

    /// The warehouse did not answer.
    pub fn warehouse(error: warehouse::Error) -> Self {
        match error {
            warehouse::Error::ForeignCursor { .. } => {
                Self::new(Code::Cursor, "the cursor belongs to another list", "Send no cursor.")
                    .about("cursor")
            }
            error => Self::source("warehouse", &error),
        }
    }

    /// Our own fault; the reason has been logged.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "the answer could not be computed",
            "Report it with the request id, which also stands in the server's log.",
        )
    }

    /// Too many requests are under way.
    pub fn busy(what: &str) -> Self {
        Self::new(Code::Busy, format!("too many {what}"), "Send the request again after a second.")
    }

    /// There is more of something than an answer can rest on, and a part of it would be another answer.
    pub fn too_many(what: &str, most: usize, instead: &str) -> Self {
        tracing::error!(what, most, "an answer would leave some out, so there is none");
        Self::new(Code::Source, format!("there are more than {most} {what}"), instead)
    }

    /// Names the parameter it is about.
    #[must_use]
    pub fn about(mut self, parameter: &str) -> Self {
        self.parameter = Some(parameter.to_owned());
        self
    }

    /// The response, with the id of its request where there is one.
    pub fn render(&self, request_id: Option<&str>) -> Response {
        let status = self.code.status();
        let document = Document {
            kind: format!("urn:naap:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code,
            instead: &self.instead,
            parameter: self.parameter.as_deref(),
            checks: self.checks.as_ref(),
            request_id,
        };
        let mut response = (status, Json(document)).into_response();
        let kind = HeaderValue::from_static(CONTENT_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.head(&mut response);
        response
    }

    /// The response as clients of the leaderboard read it: what was wrong and what to do, in one text.
    pub fn render_short(&self) -> Response {
        let error = BoardError { error: format!("{}. {}", self.detail, self.instead) };
        let mut response = (self.code.status(), Json(error)).into_response();
        self.head(&mut response);
        response
    }

    /// Says in the headers what goes with the status.
    fn head(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }
}

impl IntoResponse for Problem {
    /// The document without a request id; [`crate::router`] writes it anew with the id.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}
