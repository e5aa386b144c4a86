//! `/`: a page that says what this is and where to go. Static; its counters come from the public paths.

use axum::http::header;
use axum::response::IntoResponse;

use crate::query::{Nothing, Query};

/// Nothing but what is in the page itself and this instance's own paths.
const POLICY: &str = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub async fn landing(Query(Nothing {}): Query<Nothing>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, include_str!("landing.html"))
}
