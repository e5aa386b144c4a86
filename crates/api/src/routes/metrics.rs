//! `/metrics`: the counters of every role in this process, for Prometheus. It resets nothing.

use axum::extract::State as Given;
use axum::http::header;
use axum::response::IntoResponse;

use crate::count::Others;
use crate::metrics::{CONTENT_TYPE, Exposition};
use crate::problem::{Problem, Problems};
use crate::query::{Nothing, Query};
use crate::state::State;

/// Counters for Prometheus
///
/// The text format, version 0.0.4. Counters are named `naap_<noun>_<unit>_total`.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "All counters.", body = String, content_type = "text/plain"), Problems),
)]
pub async fn metrics(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let text = state.inspect(|state| {
        let mut exposition = Exposition::default();
        let others = Others {
            kept: state.kept().hits(),
            listeners: state.feed().listeners(),
            paced: state.visitors().turned_away(),
        };
        state.counters().contribute(&mut exposition, &others);
        for contribute in state.contributors() {
            contribute(&mut exposition);
        }
        exposition.text()
    });
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], text.await?))
}
