//! The peer's 22 paths: every member by name and type, numbers reckoned by hand, pages while somebody writes, and what is
//! refused.

mod known;
mod refused;
mod shapes;
mod values;
mod walks;

/// The paths of the group.
pub const PATHS: [&str; 22] = [
    "/v1/dashboard/kpi",
    "/v1/dashboard/pipelines",
    "/v1/dashboard/orchestrators",
    "/v1/dashboard/gpu-capacity",
    "/v1/dashboard/pipeline-catalog",
    "/v1/dashboard/pricing",
    "/v1/dashboard/job-feed",
    "/v1/streaming/models",
    "/v1/streaming/orchestrators",
    "/v1/streaming/sla",
    "/v1/streaming/demand",
    "/v1/streaming/gpu-metrics",
    "/v1/requests/models",
    "/v1/requests/orchestrators",
    "/v1/requests/ai-batch/summary",
    "/v1/requests/ai-batch/jobs",
    "/v1/requests/ai-batch/llm-summary",
    "/v1/requests/byoc/summary",
    "/v1/requests/byoc/jobs",
    "/v1/requests/byoc/workers",
    "/v1/requests/byoc/auth",
    "/v1/discover/orchestrators",
];
