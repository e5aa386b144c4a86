//! `/v1/dashboard/kpi`: the totals of a window, and how its second half compares with the first.

use std::collections::BTreeSet;
use std::ops::Range;

use axum::extract::State as Given;
use events::event::{Network, Workload};
use events::identity::{Model, Pipeline};
use serde::{Deserialize, Serialize};
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::{Question, SeriesRow};
use sla::rollup::{Dimension, Sums};
use sla::tally::cell::Measure;
use utoipa::IntoParams;

use super::asked::{WindowHours, minutes};
use super::moment::Moment;
use super::offers::Offers;
use super::reckon;
use super::requests::Stats;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::{Sources, State};

/// Which window, and which streams.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct KpiQuery {
    /// Only streams of this model.
    #[param(value_type = String, required = false)]
    model_id: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only streams of this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// How far back: hours as `24h` or `24`, or days as `7d`; at most 168 hours, 24 if not given.
    #[param(value_type = String, required = false)]
    window: Option<WindowHours>,
}

/// The totals of a window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerKpi)]
pub struct Kpi {
    /// Live video.
    streaming: Streaming,
    /// AI and BYOC requests; `pipeline` and `model_id` do not filter them.
    requests: Requests,
}

/// The totals of live video.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerKpiStreaming)]
#[serde(rename_all = "camelCase")]
pub struct Streaming {
    /// The percentage of requested sessions that got lasting output. The change is in percentage points.
    success_rate: MetricDelta,
    /// Orchestrators that offered or held such work. The change is against the previous window, in percent.
    orchestrators_observed: MetricDelta,
    /// Minutes for which orchestrators held sessions in the whole window. The change is in percent.
    daily_usage_mins: MetricDelta,
    /// Sessions requested in the whole window. The change is in percent.
    daily_session_count: MetricDelta,
    /// The expected value of the tickets sent in the whole window, in ether. The change is in percent.
    daily_network_fees_eth: MetricDelta,
    /// The length of the window in hours.
    timeframe_hours: u64,
    /// Sessions requested in each hour of the window.
    hourly_sessions: Vec<HourValue>,
    /// Minutes served in each hour of the window.
    hourly_usage: Vec<HourValue>,
}

/// A number, and how the second half of the window compares with the first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerMetricDelta)]
pub struct MetricDelta {
    /// The value over the whole window; 0 if unknown, as in livepeer-naap-analytics.
    value: f64,
    /// The change; 0 if there was nothing to compare.
    delta: f64,
}

/// One value for one hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerHourValue)]
pub struct HourValue {
    /// When the hour begins.
    #[schema(value_type = String, format = DateTime)]
    hour: Moment,
    /// The value.
    value: f64,
}

/// The totals of requests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerKpiRequests)]
pub struct Requests {
    /// AI requests, those to language models included.
    ai_batch: Stats,
    /// BYOC requests.
    byoc: Stats,
}

/// The columns that are read.
const COLUMNS: [Column; 7] = [
    Column::Plain(Plain::Jobs),
    Column::Plain(Plain::Unserved),
    Column::Plain(Plain::Delivered),
    Column::Plain(Plain::Tenures),
    Column::Plain(Plain::ServedMs),
    Column::Plain(Plain::PaidMwei),
    Column::Sum(Measure::EndToEndMs),
];

/// Totals
///
/// What was requested and served in a window of whole hours that ends with the current hour. Members named `daily…` are
/// totals of the window, as in livepeer-naap-analytics.
#[utoipa::path(
    get, path = "/v1/dashboard/kpi", tag = "peer",
    params(KpiQuery),
    responses((status = 200, description = "The totals.", body = Kpi, example = json!({
        "streaming": {
            "successRate": {"value": 96.4, "delta": 1.2}, "orchestratorsObserved": {"value": 51.0, "delta": 2.0},
            "dailyUsageMins": {"value": 8123.5, "delta": -3.1}, "dailySessionCount": {"value": 1540.0, "delta": 4.0},
            "dailyNetworkFeesEth": {"value": 0.0312, "delta": 0.0}, "timeframeHours": 1,
            "hourlySessions": [{"hour": "2026-01-08T21:00:00Z", "value": 1540.0}],
            "hourlyUsage": [{"hour": "2026-01-08T21:00:00Z", "value": 8123.5}]
        },
        "requests": {
            "ai_batch": {"total_jobs": 80, "selected_jobs": 78, "no_orch_jobs": 2, "success_rate": 0.95, "avg_duration_ms": 2100.0},
            "byoc": {"total_jobs": 0, "selected_jobs": 0, "no_orch_jobs": 0, "success_rate": null, "avg_duration_ms": null}
        }
    })), Problems),
)]
pub async fn kpi(
    Given(state): Given<State>,
    Query(query): Query<KpiQuery>,
) -> Result<Answer<Kpi>, Problem> {
    let network = state.network(query.network);
    let window = query.window.unwrap_or_default();
    let hours = window.until(state.now());
    let answer = state.read(move |sources| {
        let sums =
            sources.warehouse.series(network, &question(&hours)).map_err(Problem::warehouse)?;
        let observed = observed(sources, network, &query, &hours)?;
        let before = hours.start.saturating_sub(window.0)..hours.start;
        let seen_before = self::observed(sources, network, &query, &before)?;
        Ok(Kpi {
            streaming: streaming(&sums, &query, &hours, (seen_before, observed)),
            requests: Requests {
                ai_batch: stats(&sums, &[Workload::AiBatch, Workload::Llm]),
                byoc: stats(&sums, &[Workload::Byoc]),
            },
        })
    });
    Ok(Answer::for_ms(A_SECOND_MS, answer.await?))
}

fn question(hours: &Range<u64>) -> Question {
    Question {
        by: vec![Dimension::Workload, Dimension::Pipeline, Dimension::Model],
        columns: COLUMNS.into(),
        histograms: [Measure::EndToEndMs].into(),
        span: minutes(hours),
        step_minutes: Some(60),
        ..Question::default()
    }
}

/// How many orchestrators offered or had live video of the kind asked for.
fn observed(
    sources: &Sources,
    network: Network,
    query: &KpiQuery,
    hours: &Range<u64>,
) -> Result<usize, Problem> {
    let pipeline = query.pipeline.as_ref().map(ToString::to_string);
    let model = query.model_id.as_ref().map(ToString::to_string);
    let mut filter = std::collections::BTreeMap::from([reckon::of(&[Workload::LiveVideo])]);
    let named = [(Dimension::Pipeline, pipeline), (Dimension::Model, model)];
    let named = named.into_iter().filter(|(_, name)| name.is_some());
    filter.extend(named.map(|(dimension, name)| (dimension, [name].into())));
    let question = Question {
        by: vec![Dimension::Operator],
        columns: [Column::Plain(Plain::Tenures), Column::Plain(Plain::ServedMs)].into(),
        filter,
        span: minutes(hours),
        ..Question::default()
    };
    let had = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
    let mut seen: BTreeSet<String> = had
        .iter()
        .filter(|row| !row.sums.columns.is_empty())
        .filter_map(|row| reckon::name(row, 0).map(str::to_owned))
        .collect();
    let offers = Offers::between(sources, network, hours.clone())?;
    let offered = offers.operators(|pipeline, model| {
        super::offers::workload(pipeline) == Workload::LiveVideo
            && query.pipeline.as_ref().is_none_or(|asked| asked == pipeline)
            && query.model_id.as_ref().is_none_or(|asked| Some(asked) == model)
    });
    seen.extend(offered.iter().map(ToString::to_string));
    Ok(seen.len())
}

fn is_of(row: &SeriesRow, workloads: &[Workload]) -> bool {
    workloads.iter().any(|workload| reckon::name(row, 0) == Some(workload.as_str()))
}

fn stats(rows: &[SeriesRow], workloads: &[Workload]) -> Stats {
    let mut sums = Sums::default();
    rows.iter().filter(|row| is_of(row, workloads)).for_each(|row| sums.merge(&row.sums));
    Stats::of(&sums)
}

fn streaming(
    rows: &[SeriesRow],
    query: &KpiQuery,
    hours: &Range<u64>,
    (seen_before, seen): (usize, usize),
) -> Streaming {
    let is_asked = |row: &&SeriesRow| {
        let is_named = |place, asked: Option<&str>| {
            asked.is_none_or(|asked| reckon::name(row, place) == Some(asked))
        };
        is_named(1, query.pipeline.as_ref().map(|name| name.as_str()))
            && is_named(2, query.model_id.as_ref().map(|name| name.as_str()))
    };
    let length = usize::try_from(hours.end - hours.start).unwrap_or_default();
    let mut live = vec![Sums::default(); length];
    let mut paid = vec![0u64; length];
    for row in rows.iter().filter(is_asked) {
        let hour = (row.minute.unwrap_or_default() / 60).checked_sub(hours.start);
        let Some(place) = hour.and_then(|hour| usize::try_from(hour).ok()) else { continue };
        let worth = reckon::plain(&row.sums, Plain::PaidMwei);
        paid.get_mut(place).into_iter().for_each(|paid| *paid = paid.saturating_add(worth));
        if is_of(row, &[Workload::LiveVideo]) {
            live.get_mut(place).into_iter().for_each(|sums| sums.merge(&row.sums));
        }
    }
    let sessions = |sums: &Sums| reckon::float(reckon::plain(sums, Plain::Jobs));
    let fees: Vec<f64> = paid.iter().map(|mwei| reckon::float(*mwei) / 1e12).collect();
    let by_hour = |value: &dyn Fn(&Sums) -> f64| {
        let hour =
            |(hour, sums)| HourValue { hour: Moment::of_minute(hour * 60), value: value(sums) };
        hours.clone().zip(&live).map(hour).collect::<Vec<_>>()
    };
    let values = |value: &dyn Fn(&Sums) -> f64| live.iter().map(value).collect::<Vec<_>>();
    let number = |count: usize| reckon::float(u64::try_from(count).unwrap_or(u64::MAX));
    Streaming {
        success_rate: success(&live),
        orchestrators_observed: MetricDelta {
            value: number(seen),
            delta: reckon::change(number(seen_before), number(seen)).unwrap_or_default(),
        },
        daily_usage_mins: MetricDelta::of(&values(&reckon::minutes)),
        daily_session_count: MetricDelta::of(&values(&sessions)),
        daily_network_fees_eth: MetricDelta::of(&fees),
        timeframe_hours: hours.end - hours.start,
        hourly_sessions: by_hour(&sessions),
        hourly_usage: by_hour(&reckon::minutes),
    }
}

/// The two halves of a window; the middle hour of an odd number belongs to the second.
fn halves<T>(hours: &[T]) -> (&[T], &[T]) {
    hours.split_at_checked(hours.len() / 2).unwrap_or((&[], hours))
}

fn success(hours: &[Sums]) -> MetricDelta {
    let rate = |hours: &[Sums]| {
        let sum = |plain| {
            let counts = hours.iter().map(|sums| reckon::plain(sums, plain));
            counts.fold(0u64, u64::saturating_add)
        };
        reckon::share(sum(Plain::Delivered), sum(Plain::Jobs)).map(|share| share * 100.0)
    };
    let (first, second) = halves(hours);
    let delta = rate(first).zip(rate(second)).map(|(first, second)| second - first);
    MetricDelta { value: rate(hours).unwrap_or_default(), delta: delta.unwrap_or_default() }
}

impl MetricDelta {
    /// The total of these hours, and its change in percent.
    fn of(hours: &[f64]) -> Self {
        let (first, second) = halves(hours);
        let delta = reckon::change(first.iter().sum(), second.iter().sum());
        Self { value: hours.iter().sum(), delta: delta.unwrap_or_default() }
    }
}
