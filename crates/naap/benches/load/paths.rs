//! What is asked for: the reading paths that dashboards, gateways and analysts poll, with who and what drawn anew each time.

use crate::network::{self, Shape};

/// A kind of request.
pub struct Path {
    /// Whether and how it depends on the draw.
    draw: Box<dyn Fn(u64) -> String + Send + Sync>,
    pub name: &'static str,
    /// How often, beside the others.
    pub share: u64,
}

impl Path {
    /// The path and query of a draw.
    pub fn url(&self, drawn: u64) -> String {
        (self.draw)(drawn)
    }
}

fn path(
    name: &'static str,
    share: u64,
    draw: impl Fn(u64) -> String + Send + Sync + 'static,
) -> Path {
    Path { draw: Box::new(draw), name, share }
}

/// A kind of work as those who look for orchestrators name it.
fn capability(number: u64) -> String {
    let class = network::class(number);
    let pipeline = class.pipeline.as_ref().map_or("", |pipeline| pipeline.as_str());
    format!("{pipeline}/{}", network::model(number))
}

/// The mix. What-if, explain and exports are not in it: they cost a client's allowance many times more.
pub fn mix(shape: &Shape, now_ms: u64) -> Vec<Path> {
    let (orchestrators, models) = (shape.orchestrators, shape.models);
    let operator = move |drawn: u64| network::operator(drawn % orchestrators);
    let model = move |drawn: u64| network::model(drawn % models);
    let from = move |hours: u64| now_ms - hours * 3_600_000;
    vec![
        path("scores 7d", 8, |_| "/v1/sla/score?window=7d&overall=true&limit=100".to_owned()),
        path("score of one", 12, move |drawn| {
            format!("/v1/sla/score?window=7d&orchestrator={}", operator(drawn))
        }),
        path("scores of a model", 8, move |drawn| {
            format!("/v1/sla/score?window=24h&model={}&limit=100", model(drawn))
        }),
        path("orchestrators", 4, |_| "/v1/orchestrators?limit=100".to_owned()),
        path("route webhook", 10, move |drawn| {
            format!("/v1/route/webhook?caps={}", capability(drawn % models))
        }),
        path("route perf-stats", 6, |_| "/v1/route/perf-stats?workload=live-video".to_owned()),
        path("gpu metrics 24h", 10, move |drawn| {
            format!("/v1/gpu/metrics?operator={}&limit=100", operator(drawn))
        }),
        path("gpu metrics 1m", 6, move |drawn| {
            format!("/v1/gpu/metrics?operator={}&window=1m&limit=100", operator(drawn))
        }),
        path("demand 24h", 8, move |drawn| {
            format!("/v1/network/demand?model={}&limit=100", model(drawn))
        }),
        path("query 30d by operator", 6, move |drawn| {
            let (model, from) = (model(drawn), from(29 * 24));
            format!(
                "/v1/query?by=operator&metrics=jobs,first_output_ms.p95,output.share_ppm&step=1d&model={model}&from_ms={from}&limit=100"
            )
        }),
        path("query 7d by model", 6, move |drawn| {
            let (operator, from) = (operator(drawn), from(7 * 24));
            format!(
                "/v1/query?by=model&metrics=fps_out_milli.p50&step=1h&operator={operator}&from_ms={from}&limit=100"
            )
        }),
        path("capabilities", 4, move |drawn| {
            format!("/v1/network/capabilities?model={}", model(drawn))
        }),
        path("jobs of one", 6, move |drawn| format!("/v1/jobs?operator={}", operator(drawn))),
        path("windows", 3, |_| "/v1/windows".to_owned()),
        path("peer's kpi", 2, |_| "/v1/dashboard/kpi".to_owned()),
        path("peer's gpu capacity", 2, |_| "/v1/dashboard/gpu-capacity".to_owned()),
        path("peer's streaming orchs", 2, |_| "/v1/streaming/orchestrators".to_owned()),
        path("peer's discovery", 4, move |drawn| {
            format!("/v1/discover/orchestrators?caps={}", capability(drawn % models))
        }),
        path("leaderboard", 4, |_| "/api/aggregated_stats".to_owned()),
        path("badge", 3, move |drawn| format!("/badge/{}.svg", operator(drawn))),
    ]
}
