//! `/`: a page that says what this is and where to go. Static; its counters come from the public paths.

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;

use crate::answer::Holds;
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
    (Extension(Holds::Always), headers, include_str!("landing.html"))
}

#[cfg(test)]
mod tests {
    use sla::policy::Policy;
    use sla::policy::rule::Rule;

    #[test]
    fn why_counts_what_the_first_policy_scores() {
        let policy =
            Policy::parse(include_str!("../../../../policies/reliability-1.toml")).unwrap();
        let Rule::Pooled(pooled) = policy.score else { panic!("it pools three obligations") };
        let scored: Vec<&str> = pooled.obligations.iter().map(|one| one.as_str()).collect();
        let page = include_str!("landing.html");
        assert!(page.contains(&format!("const scored = {scored:?};")), "{scored:?}");
        assert!(page.contains("late or poor, not scored"));
    }
}
