//! Every member of every answer, by the peer's name and type, in a full world and in an empty one.

use serde_json::Value;

use super::known;
use crate::world::World;

/// By path, the members of an answer: `name:type`, where a type is `text`, `number`, `whole`, `flag`, `list` or `object`;
/// with `?` it may be null, with `-` it may be absent. A member within another is behind a dot, in every item behind `[]`.
const SHAPES: &str = "
/v1/dashboard/kpi
  streaming:object requests:object
  streaming.successRate:object streaming.orchestratorsObserved:object streaming.dailyUsageMins:object
  streaming.dailySessionCount:object streaming.dailyNetworkFeesEth:object streaming.timeframeHours:whole
  streaming.hourlySessions:list streaming.hourlyUsage:list
  streaming.successRate.value:number streaming.successRate.delta:number
  streaming.orchestratorsObserved.value:number streaming.orchestratorsObserved.delta:number
  streaming.dailyUsageMins.value:number streaming.dailyUsageMins.delta:number
  streaming.dailySessionCount.value:number streaming.dailySessionCount.delta:number
  streaming.dailyNetworkFeesEth.value:number streaming.dailyNetworkFeesEth.delta:number
  streaming.hourlySessions[].hour:text streaming.hourlySessions[].value:number
  streaming.hourlyUsage[].hour:text streaming.hourlyUsage[].value:number
  requests.ai_batch:object requests.byoc:object
  requests.ai_batch.total_jobs:whole requests.ai_batch.selected_jobs:whole requests.ai_batch.no_orch_jobs:whole
  requests.ai_batch.success_rate:number? requests.ai_batch.avg_duration_ms:number?
  requests.byoc.total_jobs:whole requests.byoc.selected_jobs:whole requests.byoc.no_orch_jobs:whole
  requests.byoc.success_rate:number? requests.byoc.avg_duration_ms:number?
/v1/dashboard/pipelines
  streaming:list requests:object
  streaming[].name:text streaming[].mins:number streaming[].sessions:whole streaming[].avgFps:number
  streaming[].modelMins:list
  streaming[].modelMins[].model:text streaming[].modelMins[].mins:number streaming[].modelMins[].sessions:whole
  streaming[].modelMins[].avgFps:number
  requests.by_pipeline:list requests.by_capability:list
  requests.by_pipeline[].pipeline:text requests.by_pipeline[].total_jobs:whole
  requests.by_pipeline[].selected_jobs:whole requests.by_pipeline[].no_orch_jobs:whole
  requests.by_pipeline[].success_rate:number? requests.by_pipeline[].avg_duration_ms:number?
  requests.by_capability[].capability:text requests.by_capability[].total_jobs:whole
  requests.by_capability[].selected_jobs:whole requests.by_capability[].no_orch_jobs:whole
  requests.by_capability[].success_rate:number? requests.by_capability[].avg_duration_ms:number?
/v1/dashboard/orchestrators
  [].address:text [].serviceUri:text- [].knownSessions:whole [].successSessions:whole [].successRatio:number
  [].effectiveSuccessRate:number? [].noSwapRatio:number? [].slaScore:number? [].slaWindowStart:text- [].pipelines:list
  [].pipelineModels:list [].gpuCount:whole
  [].pipelineModels[].pipelineId:text [].pipelineModels[].modelIds:list
/v1/dashboard/gpu-capacity
  totalGPUs:whole activeGPUs:whole availableCapacity:whole models:list pipelineGPUs:list
  models[].model:text models[].count:whole
  pipelineGPUs[].name:text pipelineGPUs[].gpus:whole pipelineGPUs[].models:list
  pipelineGPUs[].models[].model:text pipelineGPUs[].models[].gpus:whole
/v1/dashboard/pipeline-catalog
  [].id:text [].name:text [].models:list [].regions:list
/v1/dashboard/pricing
  [].orchAddress:text [].orchName:text [].pipeline:text [].model:text- [].priceWeiPerUnit:whole [].pixelsPerUnit:whole
  [].isWarm:flag
/v1/dashboard/job-feed
  [].id:text [].pipeline:text [].model:text- [].gateway:text [].orchestratorAddress:text [].orchestratorUrl:text-
  [].state:text [].job_type:text [].inputFps:number [].outputFps:number [].firstSeen:text [].lastSeen:text
  [].durationSeconds:number
/v1/streaming/models
  [].pipeline:text [].model:text [].warm_orch_count:whole [].gpu_slots:whole [].active_streams:whole
  [].available_capacity:whole [].avg_fps:number?
/v1/streaming/orchestrators
  [].address:text [].uri:text [].models:list [].gpu_count:whole [].last_seen:text
/v1/streaming/sla
  data:list pagination:object meta:object
  pagination.next_cursor:text? pagination.has_more:flag pagination.page_size:whole
  meta.generated_at:text meta.request_id:text
  data[].window_start:text data[].org:text data[].orchestrator_address:text data[].pipeline_id:text
  data[].model_id:text data[].gpu_id:text data[].requested_sessions:whole data[].startup_success_sessions:whole
  data[].effective_success_rate:number? data[].no_swap_rate:number? data[].avg_output_fps:number?
  data[].sla_score:number?
/v1/streaming/demand
  data:list pagination:object meta:object
  pagination.next_cursor:text? pagination.has_more:flag pagination.page_size:whole
  meta.generated_at:text meta.request_id:text
  data[].window_start:text data[].org:text data[].gateway:text data[].pipeline_id:text data[].model_id:text
  data[].requested_sessions:whole data[].startup_success_sessions:whole data[].effective_success_rate:number?
  data[].total_minutes:number data[].no_orch_sessions:whole
/v1/streaming/gpu-metrics
  data:list pagination:object meta:object
  pagination.next_cursor:text? pagination.has_more:flag pagination.page_size:whole
  meta.generated_at:text meta.request_id:text
  data[].window_start:text data[].org:text data[].orchestrator_address:text data[].pipeline_id:text
  data[].model_id:text data[].gpu_id:text data[].gpu_model_name:text data[].known_sessions_count:whole
  data[].startup_success_sessions:whole data[].avg_output_fps:number? data[].avg_e2e_latency_ms:number?
  data[].swap_rate:number?
/v1/requests/models
  [].pipeline:text [].model:text [].job_type:text [].warm_orch_count:whole [].gpu_slots:whole [].job_count_24h:whole
  [].success_rate:number? [].avg_duration_ms:number?
/v1/requests/orchestrators
  [].address:text [].uri:text [].capabilities:list [].gpu_count:whole [].last_seen:text
/v1/requests/ai-batch/summary
  [].pipeline:text [].total_jobs:whole [].selected_jobs:whole [].no_orch_jobs:whole [].success_rate:number?
  [].avg_duration_ms:number?
/v1/requests/ai-batch/jobs
  data:list pagination:object meta:object
  pagination.next_cursor:text? pagination.has_more:flag pagination.page_size:whole
  meta.generated_at:text meta.request_id:text
  data[].request_id:text data[].org:text data[].gateway:text data[].pipeline:text data[].model_id:text
  data[].completed_at:text data[].success:flag data[].tries:whole? data[].duration_ms:whole? data[].orch_url:text
  data[].selection_outcome:text data[].gpu_model_name:text data[].attribution_status:text
/v1/requests/ai-batch/llm-summary
  [].model:text [].total_requests:whole [].success_rate:number? [].avg_tokens_per_sec:number? [].avg_ttft_ms:number?
  [].avg_total_tokens:number?
/v1/requests/byoc/summary
  [].capability:text [].total_jobs:whole [].selected_jobs:whole [].no_orch_jobs:whole [].success_rate:number?
  [].avg_duration_ms:number?
/v1/requests/byoc/jobs
  data:list pagination:object meta:object
  pagination.next_cursor:text? pagination.has_more:flag pagination.page_size:whole
  meta.generated_at:text meta.request_id:text
  data[].request_id:text data[].org:text data[].capability:text data[].model:text data[].completed_at:text
  data[].success:flag data[].duration_ms:whole? data[].http_status:whole? data[].orch_address:text data[].orch_url:text
  data[].worker_url:text data[].selection_outcome:text data[].gpu_model_name:text data[].attribution_status:text
  data[].error:text
/v1/requests/byoc/workers
/v1/requests/byoc/auth
  [].capability:text [].total_events:whole [].success_rate:number? [].failure_count:whole
/v1/discover/orchestrators
  [].address:text [].score:number [].capabilities:list [].last_seen_ms:whole [].last_seen:text [].recent_work:flag
";

/// The members of each path: name and type.
fn shapes() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let mut shapes: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for line in SHAPES.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("  ") {
            None => shapes.push((line, Vec::new())),
            Some(members) => {
                let members = members.split_whitespace();
                let members = members.map(|member| member.rsplit_once(':').unwrap());
                shapes.last_mut().unwrap().1.extend(members);
            }
        }
    }
    shapes
}

fn has_type(value: &Value, kind: &str) -> bool {
    match kind {
        "text" => value.is_string(),
        "number" => value.is_number(),
        "whole" => value.is_u64(),
        "flag" => value.is_boolean(),
        "list" => value.is_array(),
        _ => value.is_object(),
    }
}

/// Every member there is, by its place.
fn members(place: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                found.push((place.clone(), member.clone()));
                members(&place, member, found);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| members(&format!("{place}[]"), item, found));
        }
        _ => {}
    }
}

/// The objects at a place.
fn at<'v>(place: &str, value: &'v Value) -> Vec<&'v Value> {
    match place.split_once('.') {
        None if place.is_empty() => vec![value],
        None => step(place, value),
        Some((first, rest)) => step(first, value).into_iter().flat_map(|it| at(rest, it)).collect(),
    }
}

fn step<'v>(name: &str, value: &'v Value) -> Vec<&'v Value> {
    match name.strip_suffix("[]") {
        Some("") => value.as_array().unwrap().iter().collect(),
        Some(name) => value[name].as_array().unwrap().iter().collect(),
        None => vec![&value[name]],
    }
}

fn check(path: &str, shape: &[(&str, &str)], answer: &Value) {
    let mut found = Vec::new();
    members("", answer, &mut found);
    for (place, value) in &found {
        let known = shape.iter().find(|(name, _)| name == place);
        let (_, kind) = known.unwrap_or_else(|| panic!("{path}: the peer has no {place}"));
        let may_be_null = kind.ends_with('?') && value.is_null();
        assert!(
            may_be_null || has_type(value, kind.trim_end_matches(['?', '-'])),
            "{path}: {place} is {value}, not {kind}"
        );
    }
    for (name, kind) in shape.iter().filter(|(_, kind)| !kind.ends_with('-')) {
        let (parent, member) = name.rsplit_once('.').unwrap_or(("", name));
        for object in at(parent, answer) {
            assert!(object.get(member).is_some(), "{path}: no {name} ({kind}) in {object}");
        }
    }
}

#[tokio::test]
async fn every_member_has_the_peers_name_and_type() {
    let (full, empty) = (known::world(), World::empty());
    let shapes = shapes();
    let paths: Vec<&str> = shapes.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, super::PATHS);
    for (path, shape) in &shapes {
        let answer = full.json(path).await;
        check(path, shape, &answer);
        let mut found = Vec::new();
        members("", &answer, &mut found);
        for (name, kind) in shape.iter().filter(|(_, kind)| !kind.ends_with(['-', '?'])) {
            let is_there = found.iter().any(|(place, _)| place == name);
            assert!(is_there, "{path}: the full world has no {name} ({kind})");
        }
        check(path, shape, &empty.json(path).await);
    }
}

#[tokio::test]
async fn a_null_is_told_apart_from_a_zero() {
    let empty = World::empty();
    let kpi = empty.json("/v1/dashboard/kpi?window=2").await;
    assert_eq!(kpi["requests"]["byoc"]["success_rate"], Value::Null);
    assert_eq!(kpi["requests"]["byoc"]["total_jobs"], 0);
    assert_eq!(kpi["streaming"]["successRate"]["value"], 0.0, "the peer's clients read a number");
    assert_eq!(kpi["streaming"]["hourlySessions"].as_array().unwrap().len(), 2);
    for path in super::PATHS {
        let text = empty.get(path).await.text();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{path}: {text}");
    }
}
