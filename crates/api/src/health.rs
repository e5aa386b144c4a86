//! What must work for naap to be of use, as checks that `naap` passes in. Nothing here knows what is checked.

use std::sync::Arc;

use serde::Serialize;

use crate::problem::{Code, Problem};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it passes.
    pub is_ok: bool,
    /// What was seen, with units: how far behind, how full, or what failed.
    pub detail: String,
}

impl Finding {
    /// It works.
    pub fn ok(detail: impl Into<String>) -> Self {
        Self { is_ok: true, detail: detail.into() }
    }

    /// It does not, and somebody should look.
    pub fn wrong(detail: impl Into<String>) -> Self {
        Self { is_ok: false, detail: detail.into() }
    }
}

/// One thing that must work. A check may block for a moment; it must end by itself.
#[derive(Clone)]
pub struct Check {
    /// What is looked at, such as `ledger`.
    pub name: &'static str,
    /// Looks.
    pub look: Arc<dyn Fn() -> Finding + Send + Sync>,
}

impl Check {
    /// A check called `name`.
    pub fn new(name: &'static str, look: impl Fn() -> Finding + Send + Sync + 'static) -> Self {
        Self { name, look: Arc::new(look) }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = HealthCheck)]
pub struct Outcome {
    /// The name of the check.
    pub name: &'static str,
    /// Whether it passes.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// Looks at everything, in order.
pub fn look(checks: &[Check]) -> Vec<Outcome> {
    let outcome = |check: &Check| {
        let Finding { is_ok, detail } = (check.look)();
        Outcome { name: check.name, ok: is_ok, detail }
    };
    checks.iter().map(outcome).collect()
}

/// Every check passes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Healthy {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The name of the check.
    checks: Vec<Outcome>,
}

/// What `/healthz` answers: all that was looked at, or a problem that names what failed.
///
/// # Errors
/// `Unhealthy` if any check failed.
pub fn verdict(checks: Vec<Outcome>) -> Result<Healthy, Problem> {
    let wrong: Vec<String> = checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if wrong.is_empty() {
        return Ok(Healthy { status: "ok", checks });
    }
    let instead =
        "Look at the failed checks; the other paths keep answering from the data there is.";
    let mut problem = Problem::new(Code::Unhealthy, wrong.join("; "), instead);
    problem.checks = Some(serde_json::to_value(&checks).expect("names, words and flags"));
    Err(problem)
}
