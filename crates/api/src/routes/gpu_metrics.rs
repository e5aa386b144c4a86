//! `/v1/gpu/metrics`: how work ran, by orchestrator and graphics card.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Given;
use events::event::Network;
use events::identity::{Address, Label, Pipeline};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::rollup::Dimension;
use sla::rollup::column::Plain;
use sla::rollup::metric::{Metric, Statistic};
use sla::rollup::series::SeriesRow;
use sla::supply::Supply;
use sla::tally::cell::Measure;
use sla::tally::outcome::Obligation;
use sla::window::Hour;
use utoipa::IntoParams;

use crate::answer::{A_SECOND_MS, Answer, Reasons};
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Queries, one_of};
use crate::schema;
use crate::scope::{Scope, Step, moment};
use crate::series::{Paging, SeriesPage, page};
use crate::state::State;

/// Which work. `o_wallet`, `gpu_id` and `workflow` are other names for `operator`, `gpu` and `pipeline`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct GpuQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The start of the time range, in Unix milliseconds, rounded down to a whole step.
    #[param(value_type = u64, required = false)]
    from_ms: Option<UnixMillis>,
    /// Another name for `gpu`.
    #[param(value_type = String, required = false)]
    gpu_id: Option<Label>,
    /// The maximum number of rows on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// Another name for `operator`.
    #[param(inline, value_type = schema::Address, required = false)]
    o_wallet: Option<Address>,
    /// The end of the time range, in Unix milliseconds, rounded up to a whole step; now if not given.
    #[param(value_type = u64, required = false)]
    to_ms: Option<UnixMillis>,
    /// The time that each row covers: `1m`, `5m`, `1h` or `1d`; `1h` if not given.
    #[param(inline, value_type = schema::Step, required = false)]
    window: Option<Step>,
    /// Another name for `pipeline`.
    #[param(value_type = String, required = false)]
    workflow: Option<Pipeline>,
}

/// How work ran, by time, orchestrator, GPU, region and kind of work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GpuPage {
    /// The rows.
    items: Vec<GpuMetrics>,
    /// The maximum number of rows on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// The time that each row covers.
    #[schema(value_type = schema::Step)]
    window: Step,
}

/// How one kind of work ran on one GPU model of one orchestrator in one region. Readings of GPUs and network links have
/// rows of their own, which name no pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GpuMetrics {
    /// The start of the row's time, in Unix milliseconds.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// The operator.
    #[schema(value_type = Option<schema::Address>)]
    operator: Option<Arc<str>>,
    /// The signer, given only if the operator is unknown.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Arc<str>>,
    /// The GPU model.
    #[schema(value_type = Option<String>)]
    hardware: Option<Arc<str>>,
    /// The id of the one GPU it can have run on; GPU ids are not stable.
    #[schema(value_type = Option<String>)]
    gpu: Option<Arc<str>>,
    /// The region in which it was reported.
    #[schema(value_type = Option<String>)]
    region: Option<Arc<str>>,
    /// The pipeline.
    #[schema(value_type = Option<String>)]
    pipeline: Option<Arc<str>>,
    /// The model.
    #[schema(value_type = Option<String>)]
    model: Option<Arc<str>>,
    /// Tenures that began.
    tenures: Option<u64>,
    /// Mean output frame rate over status reports, in thousandths of a frame per second.
    fps_out_milli_mean: Option<u64>,
    /// 5th percentile of the output frame rate over status reports, in thousandths of a frame per second.
    fps_out_milli_p5: Option<u64>,
    /// Median output frame rate over status reports, in thousandths of a frame per second.
    fps_out_milli_p50: Option<u64>,
    /// Mean input frame rate over status reports, in thousandths of a frame per second.
    fps_in_milli_mean: Option<u64>,
    /// Median milliseconds from the assignment to the first output (prompt to first frame).
    first_output_ms_p50: Option<u64>,
    /// 95th percentile of the same time, in milliseconds.
    first_output_ms_p95: Option<u64>,
    /// Median milliseconds from the assignment to lasting output, or to the whole answer.
    end_to_end_ms_p50: Option<u64>,
    /// 95th percentile of the same time, in milliseconds.
    end_to_end_ms_p95: Option<u64>,
    /// Median jitter, in parts per million: the deviation of the frame rate from its mean within a tenure and hour,
    /// relative to that mean.
    jitter_ppm_p50: Option<u64>,
    /// Mean token rate over answers, in thousandths of a token per second.
    tokens_per_second_milli_mean: Option<u64>,
    /// The share of tenures that did not meet the obligation of lasting output, in parts per million.
    failure_ppm: Option<u64>,
    /// The share of tenures that ended in a swap to another orchestrator, in parts per million.
    swap_ppm: Option<u64>,
    /// Mean download rate of the node, in kilobits per second, by its own samples.
    down_kbps_mean: Option<u64>,
    /// Mean upload rate of the node, in kilobits per second, by its own samples.
    up_kbps_mean: Option<u64>,
    /// CUDA utilisation efficiency, in parts per million: the share of the GPU's capability that was reached.
    cue_ppm: Option<u64>,
    /// Mean GPU utilisation by the node's own samples, in parts per million. Treat it as a rough proxy.
    utilisation_ppm_mean: Option<u64>,
    /// The memory of the GPU in bytes, as last offered.
    vram_bytes: Option<u64>,
    /// The CUDA version.
    cuda_version: Option<String>,
    /// Why a member is null.
    reasons: Reasons,
}

const BY: &[Dimension] = &[
    Dimension::Operator,
    Dimension::Signer,
    Dimension::Hardware,
    Dimension::Gpu,
    Dimension::Region,
    Dimension::Pipeline,
    Dimension::Model,
];

const fn quantile(measure: Measure, ppm: u32) -> Metric {
    Metric::Measured(measure, Statistic::Quantile(ppm))
}

const fn mean(measure: Measure) -> Metric {
    Metric::Measured(measure, Statistic::Mean)
}

/// What is asked of every row.
const METRICS: &[Metric] = &[
    Metric::Sum(Plain::Tenures),
    mean(Measure::FpsOutMilli),
    quantile(Measure::FpsOutMilli, 50_000),
    quantile(Measure::FpsOutMilli, 500_000),
    mean(Measure::FpsInMilli),
    quantile(Measure::FirstOutputMs, 500_000),
    quantile(Measure::FirstOutputMs, 950_000),
    quantile(Measure::EndToEndMs, 500_000),
    quantile(Measure::EndToEndMs, 950_000),
    quantile(Measure::JitterPpm, 500_000),
    mean(Measure::TokensPerSecondMilli),
    Metric::Share(Obligation::Output),
    Metric::Share(Obligation::Stay),
    Metric::Reading(Plain::DownKbps),
    Metric::Reading(Plain::UpKbps),
    Metric::Reading(Plain::UtilisationPpm),
];

/// GPU capacity
///
/// How work ran, by orchestrator, GPU, region and kind of work: frame rates, latency, jitter, failures and swaps, with
/// what nodes report about their own machines. These figures are for display and enter no score; scores are at
/// `/v1/scores`.
#[utoipa::path(
    get, path = "/v1/gpu/metrics", tag = "measures", params(GpuQuery, Scope),
    extensions(("x-naap-cost" = json!(2))),
    responses((status = 200, description = "A page.", body = GpuPage), Problems),
)]
pub async fn gpu_metrics(
    Given(state): Given<State>,
    Queries(query, mut scope): Queries<GpuQuery, Scope>,
) -> Result<Answer<GpuPage>, Problem> {
    let GpuQuery { cursor, from_ms, gpu_id, limit, o_wallet, to_ms, window, workflow } = query;
    scope.gpu = one_of(("gpu", scope.gpu), ("gpu_id", gpu_id))?;
    scope.operator = one_of(("operator", scope.operator), ("o_wallet", o_wallet))?;
    scope.pipeline = one_of(("pipeline", scope.pipeline), ("workflow", workflow))?;
    let step = window.unwrap_or(Step::Hour);
    let paging = Paging { cursor, from_ms, limit, to_ms };
    let page = page(&state, "gpu_metrics", BY, METRICS, step, &scope, paging);
    let SeriesPage { limit, network, next, rows, steps } = page.await?;
    let last = Hour::of(moment(steps.to.saturating_sub(1)));
    let supply = state.read(move |sources| sources.offers(network, last));
    let memories = memories(&supply.await?);
    let items = rows.iter().map(|row| gpu(row, &memories)).collect();
    let page = GpuPage { items, limit, network, next, window: steps.step };
    Ok(Answer::for_ms(A_SECOND_MS, page))
}

/// The memory of the cards on offer: by operator and id, and by operator and kind where all of a kind have the same.
fn memories(supply: &[Supply]) -> BTreeMap<(String, String), Option<u64>> {
    let mut known: BTreeMap<(String, String), Option<u64>> = BTreeMap::new();
    for supply in supply {
        for gpu in &supply.gpus {
            let names = [gpu.id.as_ref(), gpu.name.as_ref()].into_iter().flatten();
            for name in names {
                let key = (supply.operator.to_string(), name.to_string());
                let memory = known.entry(key).or_insert(gpu.memory_total_bytes);
                *memory = memory.filter(|bytes| Some(*bytes) == gpu.memory_total_bytes);
            }
        }
    }
    known
}

fn gpu(row: &SeriesRow, memories: &BTreeMap<(String, String), Option<u64>>) -> GpuMetrics {
    let name = |dimension: Dimension| {
        let at = BY.iter().position(|one| *one == dimension)?;
        row.names.get(at).cloned().flatten()
    };
    let mut reasons = Reasons::default();
    let mut told = |member: &'static str, metric: Metric| {
        debug_assert!(METRICS.contains(&metric), "{member} is told and never asked for");
        reasons.explain(member, metric.of(&row.sums), || "nobody told of it".to_owned())
    };
    let tenures = told("tenures", Metric::Sum(Plain::Tenures));
    let fps_out_milli_mean = told("fps_out_milli_mean", mean(Measure::FpsOutMilli));
    let fps_out_milli_p5 = told("fps_out_milli_p5", quantile(Measure::FpsOutMilli, 50_000));
    let fps_out_milli_p50 = told("fps_out_milli_p50", quantile(Measure::FpsOutMilli, 500_000));
    let fps_in_milli_mean = told("fps_in_milli_mean", mean(Measure::FpsInMilli));
    let first_output_ms_p50 =
        told("first_output_ms_p50", quantile(Measure::FirstOutputMs, 500_000));
    let first_output_ms_p95 =
        told("first_output_ms_p95", quantile(Measure::FirstOutputMs, 950_000));
    let end_to_end_ms_p50 = told("end_to_end_ms_p50", quantile(Measure::EndToEndMs, 500_000));
    let end_to_end_ms_p95 = told("end_to_end_ms_p95", quantile(Measure::EndToEndMs, 950_000));
    let jitter_ppm_p50 = told("jitter_ppm_p50", quantile(Measure::JitterPpm, 500_000));
    let tokens_per_second_milli_mean =
        told("tokens_per_second_milli_mean", mean(Measure::TokensPerSecondMilli));
    let failure_ppm = told("failure_ppm", Metric::Share(Obligation::Output)).map(complement);
    let swap_ppm = told("swap_ppm", Metric::Share(Obligation::Stay)).map(complement);
    let down_kbps_mean = told("down_kbps_mean", Metric::Reading(Plain::DownKbps));
    let up_kbps_mean = told("up_kbps_mean", Metric::Reading(Plain::UpKbps));
    let utilisation_ppm_mean = told("utilisation_ppm_mean", Metric::Reading(Plain::UtilisationPpm));
    let operator = name(Dimension::Operator);
    let card = name(Dimension::Gpu).or_else(|| name(Dimension::Hardware));
    let place = operator.as_deref().zip(card.as_deref());
    let place = place.map(|(operator, card)| (operator.to_owned(), card.to_owned()));
    let memory = place.and_then(|place| memories.get(&place).copied().flatten());
    let untold = || "no event of this network tells it".to_owned();
    let unsaid = || "no offer of the last day says".to_owned();
    let mut named = |member: &'static str, value: Option<Arc<str>>| {
        reasons.explain(member, value, || "nobody named one".to_owned())
    };
    GpuMetrics {
        from_ms: moment(row.minute.unwrap_or_default()),
        operator: named("operator", operator),
        signer: named("signer", name(Dimension::Signer)),
        hardware: named("hardware", name(Dimension::Hardware)),
        gpu: named("gpu", name(Dimension::Gpu)),
        region: named("region", name(Dimension::Region)),
        pipeline: named("pipeline", name(Dimension::Pipeline)),
        model: named("model", name(Dimension::Model)),
        tenures,
        fps_out_milli_mean,
        fps_out_milli_p5,
        fps_out_milli_p50,
        fps_in_milli_mean,
        first_output_ms_p50,
        first_output_ms_p95,
        end_to_end_ms_p50,
        end_to_end_ms_p95,
        jitter_ppm_p50,
        tokens_per_second_milli_mean,
        failure_ppm,
        swap_ppm,
        down_kbps_mean,
        up_kbps_mean,
        cue_ppm: reasons.explain("cue_ppm", None, untold),
        utilisation_ppm_mean,
        vram_bytes: reasons.explain("vram_bytes", memory, unsaid),
        cuda_version: reasons.explain("cuda_version", None, untold),
        reasons,
    }
}

/// The share that did not meet what this share met, in parts per million.
fn complement(met_ppm: u64) -> u64 {
    1_000_000u64.saturating_sub(met_ppm)
}
