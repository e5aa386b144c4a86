//! How an answer leaves: in the form that was asked for, with an entity tag, compressed, and kept for whoever asks the
//! same next.
//!
//! It never computes what is answered, and it leaves problems, streams and what is too large to hold as they are.

mod encoding;
mod form;
mod kept;
mod tag;

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State as Given};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dataset::table::Table;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Holds;
use crate::guard;
use crate::paths::{Paths, Spec};
use crate::problem::Problem;
use crate::state::State;
use encoding::Encoding;
pub use form::Form;
pub use kept::Kept;
use kept::{Key, Outcome, Written};

/// The longest answer that is held whole to be tagged and compressed; the longest page is well below.
const HELD_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The parameter by which a form is asked for.
pub const FORMAT: &str = "format";

/// Answers a request, if possible by what was answered before, in the form that it asks for.
pub async fn deliver(
    Given((state, paths)): Given<(State, Arc<Paths>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || guard::is_private(request.uri().path()) {
        return next.run(request).await;
    }
    let spec = paths.of(&request).clone();
    let uri = request.uri().clone();
    let form = match form::asked(&mut request, &spec) {
        Ok(form) => form,
        Err(problem) => return problem.into_response(),
    };
    let headers = request.headers().clone();
    let key = Key::of(request.uri(), form);
    let compute = async {
        match write(next.run(request).await, form, &spec).await {
            Ok(outcome) => outcome,
            Err(problem) => Outcome::Unkept(Box::new(problem.into_response())),
        }
    };
    let outcome = match state.version() {
        Some(version) => state.kept().answer(key, version, || state.now(), compute).await,
        None => compute.await,
    };
    match outcome {
        Outcome::Unkept(response) => *response,
        Outcome::Written(written) => respond(&written, &uri, &headers),
    }
}

/// The answer as it is sent to whoever asks for it so; what is no answer to be held is passed on.
async fn write(response: Response, form: Form, spec: &Spec) -> Result<Outcome, Problem> {
    let is_short = response.body().size_hint().exact().is_some_and(|bytes| bytes <= HELD_BYTES_MAX);
    if response.status() != StatusCode::OK || !is_short {
        return Ok(Outcome::Unkept(Box::new(response)));
    }
    let holds = response.extensions().get::<Holds>().copied();
    let (parts, body) = response.into_parts();
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    let limit = usize::try_from(HELD_BYTES_MAX).unwrap_or(usize::MAX);
    let mut body = axum::body::to_bytes(body, limit).await.map_err(|error| {
        tracing::error!(error = %error, "cannot read an answer of our own");
        Problem::internal()
    })?;
    let mut next = None;
    if spec.columns.is_some() {
        next = serde_json::from_slice::<Paged>(&body).ok().and_then(|page| page.next);
    }
    if let (Some(columns), true) = (&spec.columns, form != Form::Json) {
        let columns = columns.to_vec();
        let tabled = tokio::task::spawn_blocking(move || tabulate(&body, columns, form)).await;
        body = tabled.map_err(|error| fault(&error))?.map_err(|error| fault(&error))?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    }
    let written = Written::new(body, headers, holds, next);
    Ok(Outcome::Written(Arc::new(written)))
}

fn fault(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "a list does not fit its description");
    Problem::internal()
}

/// What every list says of the next page.
#[derive(Deserialize)]
struct Paged {
    #[serde(default)]
    next: Option<String>,
}

/// The items of a list in another form.
fn tabulate(
    body: &[u8],
    columns: Vec<dataset::table::Column>,
    form: Form,
) -> Result<Bytes, dataset::Error> {
    let mut table = Table::new(columns)?;
    let list: Value = serde_json::from_slice(body).unwrap_or_default();
    for item in list.get("items").and_then(Value::as_array).into_iter().flatten() {
        table.push_json(item)?;
    }
    Ok(match form {
        Form::Parquet => dataset::parquet::encode(&table)?.into(),
        Form::Csv | Form::Json => dataset::csv::encode(&table).into(),
    })
}

/// The response to one request: nothing anew where the client has it already.
fn respond(written: &Written, uri: &Uri, asked: &HeaderMap) -> Response {
    let mut headers = written.headers.clone();
    headers.insert(header::ETAG, written.tag.clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        // Whoever has an answer asks whether it still holds, which costs next to nothing.
        let lasting = matches!(written.holds, Some(Holds::Always));
        let said = if lasting { "public, max-age=3600" } else { "public, no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(said));
    }
    let next = written.next.as_deref().and_then(|next| link(uri, next));
    if let Some(next) = next {
        headers.insert(header::LINK, next);
    }
    if tag::is_known(asked, &written.tag) {
        headers.remove(header::CONTENT_TYPE);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let encoding = Encoding::asked(asked, &headers, written.body.len());
    let encoded = encoding.and_then(|encoding| Some((encoding, written.encoded(encoding)?)));
    let body = match encoded {
        Some((encoding, body)) => {
            let name = HeaderValue::from_static(encoding.name());
            headers.insert(header::CONTENT_ENCODING, name);
            body
        }
        None => written.body.clone(),
    };
    (headers, Body::from(body)).into_response()
}

/// Where the next page is: the same request, but for the cursor.
fn link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    let text = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    HeaderValue::from_str(&text).ok()
}
