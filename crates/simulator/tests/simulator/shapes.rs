//! What each family of envelope must look like, written down a second time and from the reference, not from the code.

use serde_json::Value;

/// Families, subtypes and kinds that a busy hour or two must show.
pub const EXPECTED: &[&str] = &[
    "ai_batch_request/ai_batch_request_completed",
    "ai_batch_request/ai_batch_request_received",
    "ai_llm_request/llm_request_completed",
    "ai_llm_request/llm_request_started",
    "ai_llm_request/llm_stream_completed",
    "ai_stream_events/error",
    "ai_stream_events/params_update",
    "ai_stream_events/restart",
    "ai_stream_status/status",
    "bandwidth.sampled",
    "capability.offered",
    "counter.sampled",
    "create_new_payment",
    "create_signed_ticket",
    "delegation.granted",
    "discovery_results",
    "events.dropped",
    "gpu.sampled",
    "job.assigned",
    "job.completed",
    "job.failed",
    "job.first_output",
    "job_auth/job_auth_webhook_result",
    "job_gateway/completed",
    "job_gateway/job_gateway_completed",
    "job_gateway/job_gateway_submitted",
    "job_gateway/job_orchestrator_discovery_result",
    "job_gateway/job_orchestrator_token_fetch_result",
    "job_orchestrator/job_orchestrator_completed",
    "job_payment/payment_balance_sync",
    "job_payment/payment_created",
    "network_capabilities",
    "node.heartbeat",
    "probe.committed",
    "probe.observed",
    "probe.revealed",
    "roster.observed",
    "segment.attempted",
    "stream.status",
    "stream_ingest_metrics",
    "stream_trace/gateway_ingest_stream_closed",
    "stream_trace/gateway_no_orchestrators_available",
    "stream_trace/gateway_receive_few_processed_segments",
    "stream_trace/gateway_receive_first_processed_segment",
    "stream_trace/gateway_receive_stream_request",
    "stream_trace/gateway_send_first_ingest_segment",
    "stream_trace/orchestrator_swap",
    "stream_trace/runner_receive_first_ingest_segment",
    "stream_trace/runner_send_first_processed_segment",
    "transcode",
    "webrtc_stats",
    "worker.joined",
    "worker_lifecycle/worker_capacity_exhausted",
    "worker_lifecycle/worker_registered",
    "worker_lifecycle/worker_unregistered",
];

type Checked = Result<String, String>;

/// Checks an envelope and gives its family and subtype.
pub fn check_envelope(value: &Value) -> Checked {
    let members: Vec<&str> =
        value.as_object().ok_or("no object")?.keys().map(String::as_str).collect();
    let mut wanted = ["id", "type", "timestamp", "gateway", "data"];
    wanted.sort_unstable();
    if members != wanted {
        return Err(format!("members {members:?}"));
    }
    if value["id"].as_str().is_none_or(|id| id.len() != 36) {
        return Err("id is no UUID".to_owned());
    }
    let is_digits = |text: &str| text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !value["timestamp"].as_str().is_some_and(is_digits) {
        return Err("timestamp is not milliseconds in text".to_owned());
    }
    let family = value["type"].as_str().ok_or("no type")?;
    let data = &value["data"];
    let subtype = data["type"].as_str().unwrap_or_default();
    match family {
        "stream_trace" => trace(data, subtype)?,
        "ai_stream_status" => status(data)?,
        "ai_stream_events" => stream_event(data, subtype)?,
        "stream_ingest_metrics" => ingest(data)?,
        "discovery_results" => discovery(data)?,
        "network_capabilities" => capabilities(data)?,
        "create_new_payment" => payment(data)?,
        "create_signed_ticket" => {
            need(data, &["session_id", "computed_fee", "billable_secs", "orch_url"])?
        }
        "ai_batch_request" => need(data, &["request_id", "pipeline", "model_id"])?,
        "ai_llm_request" => need(data, &["request_id", "model", "streaming", "orch_url"])?,
        "job_gateway" | "job_orchestrator" | "job_payment" | "worker_lifecycle" => {
            need(data, &["capability"])?
        }
        "job_auth" => need(data, &["stream_id", "success"])?,
        "webrtc_stats" => (),
        other => return Err(format!("family {other}")),
    }
    Ok(if subtype.is_empty() { family.to_owned() } else { format!("{family}/{subtype}") })
}

/// Checks a body of the metadata queue.
pub fn check_transcode(value: &Value) -> Result<(), String> {
    need(
        value,
        &[
            "type",
            "id",
            "timestamp",
            "streamId",
            "nodeId",
            "segment",
            "startTime",
            "latencyMs",
            "attempts",
        ],
    )?;
    need(&value["segment"], &["name", "seqNo", "duration", "byteSize"])?;
    if !value["timestamp"].is_u64() || !value["success"].is_boolean() {
        return Err("time or success of a wrong type".to_owned());
    }
    for attempt in value["attempts"].as_array().ok_or("attempts is no list")? {
        need(attempt, &["orchestrator", "latencyMs", "error"])?;
        is_signer(&attempt["orchestrator"]["address"])?;
    }
    let is_success = value["attempts"]
        .as_array()
        .and_then(|all| all.last())
        .is_some_and(|last| last["error"].is_null());
    if value["success"] == is_success {
        Ok(())
    } else {
        Err("success is not the last attempt's".to_owned())
    }
}

fn need(value: &Value, names: &[&str]) -> Result<(), String> {
    match names.iter().find(|name| value.get(**name).is_none()) {
        Some(name) => Err(format!("{name} is missing")),
        None => Ok(()),
    }
}

/// An address in lower case, or the empty text.
fn is_signer(value: &Value) -> Result<(), String> {
    let text = value.as_str().ok_or("an address is no text")?;
    let is_lower = text.is_empty() || (text.len() == 42 && text.to_ascii_lowercase() == text);
    if is_lower { Ok(()) } else { Err(format!("address {text}")) }
}

fn trace(data: &Value, subtype: &str) -> Result<(), String> {
    need(data, &["stream_id", "request_id", "pipeline_id", "orchestrator_info"])?;
    is_signer(&data["orchestrator_info"]["address"])?;
    let is_swap = subtype == "orchestrator_swap";
    if is_swap == data["timestamp"].is_u64() {
        return Err("a swap has no time, everything else has one".to_owned());
    }
    let is_nobody = data["orchestrator_info"]["url"] == "";
    let names_nobody = matches!(
        subtype,
        "gateway_receive_stream_request"
            | "gateway_ingest_stream_closed"
            | "gateway_no_orchestrators_available"
    );
    let is_noise = subtype.starts_with("app_") || subtype == "stream_heartbeat";
    if is_nobody == (names_nobody || is_noise) {
        Ok(())
    } else {
        Err("somebody or nobody is named".to_owned())
    }
}

fn status(data: &Value) -> Result<(), String> {
    need(
        data,
        &[
            "start_time",
            "state",
            "pipeline",
            "stream_id",
            "request_id",
            "orchestrator_info",
            "timestamp",
        ],
    )?;
    need(
        &data["inference_status"],
        &["fps", "last_error", "last_params", "restart_count", "last_restart_logs"],
    )?;
    let is_error = data["inference_status"]["last_error"].is_string();
    if is_error != data["inference_status"]["last_error_time"].is_u64() {
        return Err("an error without its time".to_owned());
    }
    let states = ["ONLINE", "DEGRADED_INPUT", "DEGRADED_INFERENCE", "LOADING", "OFFLINE"];
    let is_state = data["state"].as_str().is_some_and(|state| states.contains(&state));
    let is_measured =
        data["inference_status"]["fps"].is_number() && data["input_status"]["fps"].is_number();
    if is_state && is_measured { Ok(()) } else { Err("state or frames".to_owned()) }
}

fn stream_event(data: &Value, subtype: &str) -> Result<(), String> {
    need(data, &["stream_id", "request_id"])?;
    match subtype {
        "error" if data.get("timestamp").is_some() || data.get("orchestrator_info").is_some() => {
            Err("an error has no time and names nobody".to_owned())
        }
        "error" => need(data, &["message", "capability", "pipeline"]),
        "params_update" => need(data, &["params", "timestamp"]),
        "restart" => need(data, &["restart_count", "restart_logs"]),
        other => Err(format!("subtype {other}")),
    }
}

fn ingest(data: &Value) -> Result<(), String> {
    need(&data["stats"], &["peer_conn_stats", "conn_quality"])?;
    for track in data["stats"]["track_stats"].as_array().ok_or("no tracks")? {
        need(
            track,
            &[
                "type",
                "jitter",
                "packets_lost",
                "packets_received",
                "packet_loss_pct",
                "rtt",
                "last_input_ts",
            ],
        )?;
    }
    Ok(())
}

fn discovery(data: &Value) -> Result<(), String> {
    for found in data.as_array().filter(|all| !all.is_empty()).ok_or("nothing found")? {
        is_signer(&found["address"])?;
        if found["latency_ms"].as_str().is_none_or(|text| text.parse::<u64>().is_err()) {
            return Err("latency is not a number in text".to_owned());
        }
    }
    Ok(())
}

fn capabilities(data: &Value) -> Result<(), String> {
    for entry in data.as_array().ok_or("no list")? {
        need(entry, &["address", "local_address", "orch_uri", "capabilities_prices", "hardware"])?;
        need(&entry["capabilities"], &["bitstring", "capacities", "version", "constraints"])?;
        let address = entry["address"].as_str().unwrap_or_default();
        if events::identity::Address::parse_any(address).is_err()
            || address.to_ascii_lowercase() == address
        {
            return Err(format!("address {address} is not in mixed case"));
        }
    }
    Ok(())
}

fn payment(data: &Value) -> Result<(), String> {
    let names = [
        "capability",
        "clientIP",
        "faceValue",
        "manifestID",
        "numTickets",
        "orchestrator",
        "price",
        "recipient",
        "requestID",
        "sender",
        "sessionID",
        "winProb",
    ];
    need(data, &names)?;
    let all_text = data.as_object().ok_or("no object")?.values().all(Value::is_string);
    let is_wei = data["faceValue"].as_str().is_some_and(|text| text.ends_with(" WEI"));
    if all_text && is_wei { Ok(()) } else { Err("a payment is all text".to_owned()) }
}
