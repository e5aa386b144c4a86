//! What the description says of posting, and of what goes wrong below `/api`. Nothing is taken here: `naap` mounts the
//! door that writes beside the API.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::BoardError;

/// What any path below `/api` can answer with beside its own.
pub struct Refusals;

impl utoipa::IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let texts = [
            ("400", "A parameter that is unknown or cannot be read."),
            ("429", "Too many requests: try again after `retry-after`."),
            ("503", "Overloaded, timed out, or the store failed: try again after `retry-after`."),
            ("default", "Any other error."),
        ];
        let response = |text: &str| {
            let schema = Some(Ref::from_schema_name("BoardError"));
            let content = Content::builder().schema(schema).build();
            let response = ResponseBuilder::new().description(text);
            RefOr::T(response.content("application/json", content).build())
        };
        texts.map(|(status, text)| (status.to_owned(), response(text))).into()
    }
}

/// Post a test
///
/// For testers: the result of one test, of a model if `model` and `pipeline` are given, of transcoding otherwise. The
/// header `authorization` is the HMAC-SHA256 of the body under the secret of this instance, in lower-case hex. A result
/// answered with `ok` has been stored; posting the same result again gets the same answer and counts once. Prompts and
/// responses are never shown.
#[utoipa::path(
    post, path = "/api/post_stats", tag = "leaderboard",
    request_body(content = Object, description = "The result.", example = json!({
        "region": "FRA", "orchestrator": "0x00000000000000000000000000000000000000aa", "success_rate": 1,
        "round_trip_time": 1.947, "errors": null, "timestamp": 1767903000, "model": "stabilityai/sd-turbo",
        "pipeline": "Text to image", "model_is_warm": true,
    })),
    responses(
        (status = 200, description = "The result has been stored.", body = String, content_type = "text/plain", example = "ok"),
        (status = 400, description = "The body is not a test result, or its region is unknown.", body = BoardError),
        (status = 403, description = "The HMAC is wrong, or this instance takes no results.", body = BoardError),
        (status = 405, description = "The method must be POST.", body = BoardError),
        (status = 429, description = "Too many results at once: try again later.", body = BoardError),
        (status = 500, description = "Nothing was stored: try again.", body = BoardError),
    ),
)]
#[expect(dead_code, reason = "only its description is used")]
pub fn post_stats() {}
