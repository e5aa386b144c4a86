//! A routing policy that is sent with a question, to see what it would do. It is read as the files of an instance are, used
//! once, and kept nowhere.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use sla::route::policy::RoutingPolicy;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::{CONTENT_TYPE as PROBLEM, Code, Problem};
use crate::state::State;

/// The longest policy, in bytes; those that come with the software have about 2 500.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// What a policy is sent as.
const MEDIA_TYPES: [&str; 2] = ["application/toml", "text/plain"];

/// The policy in the body of a request.
pub struct Tried(pub RoutingPolicy);

impl FromRequest<State> for Tried {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &State) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            let shown: String = kind.chars().take(80).collect();
            let detail = format!("the content type is {shown:?}");
            let instead = "Send the policy with content-type: application/toml.";
            return Err(Problem::new(Code::ContentType, detail, instead));
        }
        let body = to_bytes(request.into_body(), POLICY_BYTES_MAX).await.map_err(|_| {
            let detail = "the body is too long, or broke off";
            let instead = format!("Send a policy of at most {POLICY_BYTES_MAX} bytes.");
            Problem::new(Code::Body, detail, instead)
        })?;
        let text = std::str::from_utf8(&body).map_err(|error| {
            let detail = format!("the body is no text: {error}");
            Problem::new(Code::BodyInvalid, detail, "Send TOML in UTF-8.")
        })?;
        RoutingPolicy::parse(text).map(Self).map_err(|error| {
            let instead = "docs/routing.md says what each key may hold; GET /v1/route/policies lists policies to begin with.";
            Problem::new(Code::BodyInvalid, in_short(&error.to_string()), instead)
        })
    }
}

/// What a path that takes a policy can answer with beside what all can.
pub struct TriedProblems;

impl utoipa::IntoResponses for TriedProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let texts = [
            (
                "400",
                "A parameter or the policy cannot be read: the answer says the line and what is expected there.",
            ),
            ("413", "The policy is too long."),
            ("415", "The body is of another media type than `application/toml` or `text/plain`."),
        ];
        let response = |text: &str| {
            let content = Content::builder().schema(Some(Ref::from_schema_name("Problem"))).build();
            RefOr::T(ResponseBuilder::new().description(text).content(PROBLEM, content).build())
        };
        texts.map(|(status, text)| (status.to_owned(), response(text))).into()
    }
}

/// Where and what, without the lines between that show the place.
fn in_short(why: &str) -> String {
    let mut lines = why.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(place), Some(what)) => format!("{place}: {what}"),
        (place, _) => place.unwrap_or_default().to_owned(),
    }
}
