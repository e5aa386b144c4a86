//! `/v1/network/demand`: what was asked for, what was served, and what nobody took, beside what was on offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Given;
use events::event::Network;
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
use crate::query::{Limit, Queries};
use crate::schema;
use crate::scope::{Scope, Step, moment};
use crate::series::{Paging, SeriesPage, page};
use crate::state::State;

/// Which demand.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DemandQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The start of the time range, in Unix milliseconds, rounded down to a whole step.
    #[param(value_type = u64, required = false)]
    from_ms: Option<UnixMillis>,
    /// The time that each row covers: `1m`, `5m`, `1h` or `1d`; `1h` if not given.
    #[param(inline, value_type = schema::Step, required = false)]
    interval: Option<Step>,
    /// The maximum number of rows on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The end of the time range, in Unix milliseconds, rounded up to a whole step; now if not given.
    #[param(value_type = u64, required = false)]
    to_ms: Option<UnixMillis>,
}

/// Demand by time, gateway, region and kind of work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DemandPage {
    /// The rows, by time, gateway, region, pipeline and model.
    items: Vec<Demand>,
    /// The time that each row covers.
    #[schema(value_type = schema::Step)]
    interval: Step,
    /// The maximum number of rows on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
}

/// The demand of one gateway in one region for one kind of work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Demand {
    /// The start of the row's time, in Unix milliseconds.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// Who reported it.
    #[schema(value_type = Option<schema::Address>)]
    gateway: Option<Arc<str>>,
    /// The gateway that an unsigned feed named.
    #[schema(value_type = Option<String>)]
    gateway_name: Option<Arc<str>>,
    /// The region in which it was requested.
    #[schema(value_type = Option<String>)]
    region: Option<Arc<str>>,
    /// The workload.
    #[schema(value_type = Option<schema::Workload>)]
    workload: Option<Arc<str>>,
    /// The pipeline.
    #[schema(value_type = Option<String>)]
    pipeline: Option<Arc<str>>,
    /// The model.
    #[schema(value_type = Option<String>)]
    model: Option<Arc<str>>,
    /// Jobs requested; for live video these are streams.
    jobs: Option<u64>,
    /// Of those, jobs that no orchestrator took.
    unserved: Option<u64>,
    /// The share of jobs that no orchestrator took, in parts per million.
    unserved_ppm: Option<u64>,
    /// Total milliseconds for which orchestrators held the work.
    served_ms: Option<u64>,
    /// The share of tenures that met the obligation of lasting output, in parts per million.
    success_ppm: Option<u64>,
    /// Median milliseconds from the assignment to the first output.
    first_output_ms_p50: Option<u64>,
    /// What was paid, at expected value, in millions of wei.
    paid_mwei: Option<u64>,
    /// How many sessions of this kind of work orchestrators say they can hold, by their latest offers in the 24 hours
    /// before `to_ms`. It is the same for every gateway and region, because they share it.
    capacity: Option<u64>,
    /// The share of `capacity` that this demand used over the row's time, in parts per million; above a million if more
    /// was served than is offered.
    used_ppm: Option<u64>,
    /// Why a member is null.
    reasons: Reasons,
}

const BY: &[Dimension] = &[
    Dimension::Gateway,
    Dimension::GatewayName,
    Dimension::Region,
    Dimension::Workload,
    Dimension::Pipeline,
    Dimension::Model,
];

const FIRST_OUTPUT: Metric = Metric::Measured(Measure::FirstOutputMs, Statistic::Quantile(500_000));

const METRICS: &[Metric] = &[
    Metric::Sum(Plain::Jobs),
    Metric::Sum(Plain::Unserved),
    Metric::Unserved,
    Metric::Sum(Plain::ServedMs),
    Metric::Share(Obligation::Output),
    FIRST_OUTPUT,
    Metric::Sum(Plain::PaidMwei),
];

/// Demand
///
/// What gateways requested, by time, region and kind of work, how much of it was served, and how much of the offered
/// capacity it used.
#[utoipa::path(
    get, path = "/v1/network/demand", tag = "measures", params(DemandQuery, Scope),
    extensions(("x-naap-cost" = json!(2))),
    responses((status = 200, description = "A page.", body = DemandPage), Problems),
)]
pub async fn network_demand(
    Given(state): Given<State>,
    Queries(query, scope): Queries<DemandQuery, Scope>,
) -> Result<Answer<DemandPage>, Problem> {
    let DemandQuery { cursor, from_ms, interval, limit, to_ms } = query;
    let step = interval.unwrap_or(Step::Hour);
    let paging = Paging { cursor, from_ms, limit, to_ms };
    let page = page(&state, "network_demand", BY, METRICS, step, &scope, paging);
    let SeriesPage { limit, network, next, rows, steps } = page.await?;
    let last = Hour::of(moment(steps.to.saturating_sub(1)));
    let supply = state.read(move |sources| sources.offers(network, last));
    let capacity = capacities(&supply.await?);
    let step_ms = steps.step.minutes() * sla::rollup::MINUTE_MS;
    let items = rows.iter().map(|row| demand(row, &capacity, step_ms)).collect();
    let page = DemandPage { items, interval: steps.step, limit, network, next };
    Ok(Answer::for_ms(A_SECOND_MS, page))
}

/// How many sessions are offered of each pipeline and model; none where somebody who offers it does not say.
pub fn capacities(supply: &[Supply]) -> BTreeMap<(String, Option<String>), Option<u64>> {
    let mut sums: BTreeMap<(String, Option<String>), Option<u64>> = BTreeMap::new();
    for offer in supply.iter().flat_map(|supply| &supply.offers) {
        let key = (offer.pipeline.to_string(), offer.model.as_ref().map(ToString::to_string));
        let sum = sums.entry(key).or_insert(Some(0));
        *sum = sum.zip(offer.capacity).map(|(sum, more)| sum + u64::from(more));
    }
    sums
}

fn demand(
    row: &SeriesRow,
    capacity: &BTreeMap<(String, Option<String>), Option<u64>>,
    step_ms: u64,
) -> Demand {
    let name = |dimension: Dimension| {
        let at = BY.iter().position(|one| *one == dimension)?;
        row.names.get(at).cloned().flatten()
    };
    let mut reasons = Reasons::default();
    let mut told = |member: &'static str, metric: Metric| {
        reasons.explain(member, metric.of(&row.sums), || "nobody told of it".to_owned())
    };
    let jobs = told("jobs", Metric::Sum(Plain::Jobs));
    let unserved = told("unserved", Metric::Sum(Plain::Unserved));
    let unserved_ppm = told("unserved_ppm", Metric::Unserved);
    let served_ms = told("served_ms", Metric::Sum(Plain::ServedMs));
    let success_ppm = told("success_ppm", Metric::Share(Obligation::Output));
    let first_output_ms_p50 = told("first_output_ms_p50", FIRST_OUTPUT);
    let paid_mwei = told("paid_mwei", Metric::Sum(Plain::PaidMwei));
    let (pipeline, model) = (name(Dimension::Pipeline), name(Dimension::Model));
    let offered = pipeline.as_deref().and_then(|pipeline| {
        capacity.get(&(pipeline.to_owned(), model.as_deref().map(str::to_owned))).copied()
    });
    let why = || match offered {
        Some(None) => "somebody who offers it does not say how much",
        _ => "nobody offers this pipeline and model",
    };
    let capacity = reasons.explain("capacity", offered.flatten(), || why().to_owned());
    let used = served_ms.zip(capacity).and_then(|(served, capacity)| {
        let whole = u128::from(capacity) * u128::from(step_ms);
        u64::try_from((u128::from(served) * 1_000_000).checked_div(whole)?).ok()
    });
    let unknown = || "what was served or what is offered is not known".to_owned();
    let mut none = |member: &'static str, value: Option<Arc<str>>| {
        reasons.explain(member, value, || "nobody named one".to_owned())
    };
    Demand {
        from_ms: moment(row.minute.unwrap_or_default()),
        gateway: none("gateway", name(Dimension::Gateway)),
        gateway_name: none("gateway_name", name(Dimension::GatewayName)),
        region: none("region", name(Dimension::Region)),
        workload: none("workload", name(Dimension::Workload)),
        pipeline: none("pipeline", pipeline),
        model: none("model", model),
        jobs,
        unserved,
        unserved_ppm,
        served_ms,
        success_ppm,
        first_output_ms_p50,
        paid_mwei,
        capacity,
        used_ppm: reasons.explain("used_ppm", used, unknown),
        reasons,
    }
}
