//! The families of requests that only a fork of go-livepeer reports: AI batch, LLM and BYOC, and their payments.
//!
//! Numbers are numbers here, ids are sometimes empty, and a request that was not streamed has no time to first token.

use super::Party;
use super::json::Json;

/// The ids of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestName<'a> {
    pub id: &'a str,
    pub pipeline: &'a str,
    pub model: &'a str,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub is_success: bool,
    pub tries: u64,
    pub duration_ms: u64,
    pub url: &'a str,
    pub price_wei: u64,
    /// The kind of error and its text; empty where there was none.
    pub error: (&'a str, &'a str),
}

/// `ai_batch_request_received`.
pub(crate) fn batch_received(json: &mut Json, request: RequestName<'_>, at_ms: u64) {
    json.text("type", "ai_batch_request_received")
        .number("timestamp", at_ms)
        .text("request_id", request.id);
    json.text("pipeline", request.pipeline).text("model_id", request.model);
    json.text("client_ip", "203.0.113.7").text("orchestrator", "");
}

/// `ai_batch_request_completed`.
pub(crate) fn batch_completed(
    json: &mut Json,
    request: RequestName<'_>,
    at_ms: u64,
    ended: &Ended<'_>,
) {
    json.text("type", "ai_batch_request_completed")
        .number("timestamp", at_ms)
        .text("request_id", request.id);
    json.text("pipeline", request.pipeline).text("model_id", request.model);
    json.flag("success", ended.is_success)
        .number("tries", ended.tries)
        .number("duration_ms", ended.duration_ms);
    json.text("orch_url", ended.url).millionths("latency_score", ended.duration_ms * 40);
    json.number("price_per_unit", ended.price_wei);
    json.text("error_type", ended.error.0).text("error", ended.error.1);
}

/// What a language model's answer measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub prompt: u64,
    pub completion: u64,
    pub ttft_ms: u64,
    pub is_streaming: bool,
}

/// `llm_request_started`.
pub(crate) fn llm_started(
    json: &mut Json,
    request: RequestName<'_>,
    at_ms: u64,
    answer: Answer,
    ended: &Ended<'_>,
) {
    json.text("type", "llm_request_started")
        .number("timestamp", at_ms)
        .text("request_id", request.id);
    json.text("model", request.model)
        .flag("streaming", answer.is_streaming)
        .number("max_tokens", 512);
    json.number("message_count", 2).text("system_prompt", "You are a patient teacher.");
    json.millionths("temperature", 700_000).text("orch_url", ended.url);
    json.number("price_per_unit", ended.price_wei).text("client_ip", "203.0.113.7");
}

/// `llm_stream_completed`, or `llm_request_completed`, which knows neither the first token nor an error.
pub(crate) fn llm_completed(
    json: &mut Json,
    request: RequestName<'_>,
    at_ms: u64,
    answer: Answer,
    ended: &Ended<'_>,
) {
    let what = if answer.is_streaming { "llm_stream_completed" } else { "llm_request_completed" };
    let completion = if ended.is_success { answer.completion } else { 0 };
    json.text("type", what)
        .number("timestamp", at_ms)
        .text("request_id", request.id)
        .text("model", request.model);
    json.text("completion_id", request.id).number("prompt_tokens", answer.prompt);
    json.number("completion_tokens", completion).number("total_tokens", answer.prompt + completion);
    json.number("max_tokens_requested", 512)
        .millionths("token_utilization", completion * 1_000_000 / 512);
    json.text("finish_reason", if ended.is_success { "stop" } else { "error" });
    json.number("total_duration_ms", ended.duration_ms);
    json.millionths("tokens_per_second", completion * 1_000_000_000 / ended.duration_ms.max(1));
    json.millionths("latency_score", ended.duration_ms * 11)
        .number("price_per_unit", ended.price_wei);
    if answer.is_streaming {
        json.number("ttft_ms", answer.ttft_ms).text("error", ended.error.1);
    }
    json.text("orch_url", ended.url).flag("streaming", answer.is_streaming);
}

/// `job_orchestrator_discovery_result`.
pub(crate) fn byoc_discovered(json: &mut Json, capability: &str, selected: &str) {
    json.text("type", "job_orchestrator_discovery_result").text("capability", capability);
    json.flag("success", !selected.is_empty()).text("selected", selected);
    json.text("error", if selected.is_empty() { "no orchestrators available" } else { "" });
}

/// `job_orchestrator_token_fetch_result`.
pub(crate) fn byoc_token(json: &mut Json, capability: &str, latency_ms: u64, party: Party<'_>) {
    json.text("type", "job_orchestrator_token_fetch_result").text("orch_url", party.url);
    json.text("capability", capability).flag("success", true).number("latency_ms", latency_ms);
    json.number("available_capacity", 2).text("error", "").number("http_status", 200);
    party.write(json);
}

/// `job_gateway_submitted`.
pub(crate) fn byoc_submitted(
    json: &mut Json,
    request: RequestName<'_>,
    attempt: u64,
    party: Party<'_>,
) {
    json.text("type", "job_gateway_submitted")
        .text("request_id", request.id)
        .number("attempt_index", attempt);
    json.text("capability", request.pipeline);
    party.write(json);
}

/// `job_gateway_completed`, or the short name some gateways use for it.
pub(crate) fn byoc_completed(
    json: &mut Json,
    request: RequestName<'_>,
    at_ms: u64,
    ended: &Ended<'_>,
    party: Party<'_>,
) {
    let short = request.id.starts_with('0');
    json.text("type", if short { "completed" } else { "job_gateway_completed" })
        .text("request_id", request.id);
    json.text("capability", request.pipeline)
        .flag("success", ended.is_success)
        .text("error", ended.error.1);
    json.number("duration_ms", ended.duration_ms).number("completed_at", at_ms);
    json.number("http_status", if ended.is_success { 200 } else { 502 }).flag("streaming", false);
    party.write(json);
}

/// `job_orchestrator`, the orchestrator's own word relayed in a header.
pub(crate) fn byoc_relayed(
    json: &mut Json,
    request: RequestName<'_>,
    ended: &Ended<'_>,
    party: Party<'_>,
) {
    json.text("type", "job_orchestrator_completed").text("request_id", request.id);
    json.text("capability", request.pipeline).flag("success", ended.is_success);
    json.number("duration_ms", ended.duration_ms.saturating_sub(31));
    json.number("http_status", if ended.is_success { 200 } else { 500 });
    json.text("worker_url", "http://10.0.0.4:8000")
        .flag("charged_compute", true)
        .flag("has_payment", true);
    json.number("price_per_unit", ended.price_wei).number("pixels_per_unit", 1);
    party.write(json);
}

/// `payment_created` or `payment_balance_sync` of a BYOC job, between a sender and the recipient of its tickets. Only
/// `orchestrator_info` names the signer.
pub(crate) fn byoc_payment(
    json: &mut Json,
    request: RequestName<'_>,
    is_created: bool,
    (sender, recipient): (&str, &str),
    party: Party<'_>,
    balance_wei: u64,
) {
    json.text("type", if is_created { "payment_created" } else { "payment_balance_sync" });
    json.text("request_id", request.id).text("capability", request.pipeline).text("sender", sender);
    json.text("orchestrator_addr", recipient).number_text("balance", balance_wei);
    if is_created {
        json.flag("with_tickets", true);
    } else {
        json.text("diff", "0")
            .number_text("min_bal_covered", balance_wei / 2)
            .flag("reset_to_zero", false);
    }
    party.write(json);
}

/// `job_auth_webhook_result`: it names no capability.
pub(crate) fn auth(json: &mut Json, stream: &str, pipeline: &str, is_success: bool) {
    json.text("type", "job_auth_webhook_result")
        .text("stream_name", stream)
        .text("stream_id", stream);
    json.text("pipeline", pipeline).text("pipeline_id", "").flag("success", is_success);
    json.text("error", if is_success { "" } else { "403 forbidden" }).text("gateway_host", "");
}
