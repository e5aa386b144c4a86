//! `/v1/exports/{window}`: the files that a settled window can be recomputed from. It makes no file itself.

use std::io::{self, BufWriter, Write};

use axum::body::{Body, Bytes};
use axum::extract::State as Given;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use events::event::Network;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;

use crate::exports::{File, Unavailable, Wanted, is_name};
use crate::problem::{Code, Problem, Problems};
use crate::query::{Query, Segments};
use crate::routes::window::WINDOW_INSTEAD;
use crate::schema;
use crate::state::State;

/// Bytes of a file that are handed over at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that may wait for a client.
const CHUNKS_WAITING: usize = 4;

/// Which export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// The revision, from 0; the latest if none is named. A longer window has only 0. Name the manifest's when you fetch its files.
    #[param(value_type = u32, required = false)]
    revision: Option<u32>,
}

/// The manifest of an export
///
/// `manifest.json`: the revision, the digests to verify, and name, size and SHA-256 of every file. `naap verify` takes
/// this address. The slash of a longer window is written `%2F`.
#[utoipa::path(
    get, path = "/v1/exports/{window}", tag = "windows",
    params(("window" = inline(schema::Window), Path, description = "The window."), ExportQuery),
    responses((status = 200, description = "The manifest.", body = Object), Problems),
)]
pub async fn manifest(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let wanted = wanted(&state, &segments, &query)?;
    let bytes = state.read(move |sources| {
        sources.exports.manifest(&wanted).map_err(|unavailable| problem(&unavailable))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes.await?).into_response())
}

/// One file of an export
///
/// The bytes whose size and SHA-256 the manifest gives: the scorecard as it was digested, the policy, the trust file,
/// the context, the register that the context names, and, one per line, an hour's batches or a longer window's tallies.
/// A truncated body is not the file.
#[utoipa::path(
    get, path = "/v1/exports/{window}/{file}", tag = "windows",
    extensions(("x-naap-cost" = json!(20))),
    params(
        ("window" = inline(schema::Window), Path, description = "The window."),
        ("file" = String, Path, description = "A name from the manifest."),
        ExportQuery,
    ),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/octet-stream"),
        Problems,
    ),
)]
pub async fn file(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let wanted = wanted(&state, &segments, &query)?;
    let name = segments.text("file").to_owned();
    if !is_name(&name) {
        let detail = "file is not the name of a file of an export";
        return Err(Problem::parameter("file", detail, "Send a name from the manifest."));
    }
    let kind = media_type(&name);
    let permit = state.export_permit()?;
    let opened = state.read(move |sources| {
        sources.exports.file(&wanted, &name).map_err(|unavailable| problem(&unavailable))
    });
    let file = opened.await?;
    let bytes = file.bytes;
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    // The thread ends with the file, or as soon as the client is gone or has stalled for too long.
    tokio::task::spawn_blocking(move || {
        send(file, sender);
        drop(permit);
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

fn wanted(state: &State, segments: &Segments, query: &ExportQuery) -> Result<Wanted, Problem> {
    Ok(Wanted {
        network: state.network(query.network),
        revision: query.revision,
        window: segments.parse("window", WINDOW_INSTEAD)?,
    })
}

fn problem(unavailable: &Unavailable) -> Problem {
    let instead = "GET /v1/windows lists the settled windows and their revisions.";
    match unavailable {
        Unavailable::Absent(detail) => Problem::absent(detail, instead),
        Unavailable::Unsettled(detail) => Problem::new(Code::Unsettled, detail, instead),
        Unavailable::Failed(_) => Problem::source("export", unavailable),
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => "application/json",
        Some("ndjson") => "application/x-ndjson",
        Some("toml") => "application/toml",
        _ => "application/octet-stream",
    }
}

/// Sends a file; one that is not as long as it was announced breaks the body off.
fn send(file: File, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut sink = BufWriter::with_capacity(CHUNK_BYTES, Sink { left: file.bytes, sender });
    let written = (file.content)(&mut sink).and_then(|()| sink.flush());
    let sink = sink.get_ref();
    let whole = match written {
        Ok(()) if sink.left > 0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        other => other,
    };
    let Err(error) = whole else { return };
    if error.kind() != io::ErrorKind::BrokenPipe {
        tracing::error!(error = %error, "cannot send an export to its end");
    }
    // A client that has gone needs no word; for any other the body ends in an error.
    sink.sender.blocking_send(Err(error)).ok();
}

/// Hands chunks over to the connection and waits while it has enough of them.
struct Sink {
    left: u64,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(count);
        self.left =
            left.ok_or_else(|| io::Error::other("the file is longer than it was announced"))?;
        let sent = self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
