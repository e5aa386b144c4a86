//! `/v1/query`: any metric by any two dimensions over any time, in rows that a table or a chart takes as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State as Given;
use events::event::Network;
use events::unit::UnixMillis;
use serde::{Deserialize, Deserializer, Serialize, de};
use sla::rollup::Dimension;
use sla::rollup::metric::Metric;
use sla::rollup::series::SeriesRow;
use utoipa::IntoParams;

use crate::answer::{A_SECOND_MS, Answer, Reasons};
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Queries, shown};
use crate::schema;
use crate::scope::{Scope, Step, moment};
use crate::series::{Paging, SeriesPage, page};
use crate::state::State;

/// The most metrics that are asked for at once.
const METRICS_MAX: usize = 8;

/// The most dimensions that rows are told apart by.
const DIMENSIONS_MAX: usize = 2;

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SumsQuery {
    /// The dimensions to group by, besides time: at most two, separated by a comma, such as `operator,model`.
    #[param(value_type = String, required = false, example = "operator,model")]
    by: Option<Words<Dimension>>,
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The start of the time range, in Unix milliseconds, rounded down to a whole step; if not given, an hour before
    /// the end for steps of `1m`, six hours for `5m`, a day for `1h` and thirty days for `1d`.
    #[param(value_type = u64, required = false)]
    from_ms: Option<UnixMillis>,
    /// The maximum number of rows on the page, 1 to 500; 50 if not given. A row has one item per metric.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The metrics: at most eight, separated by commas, such as `jobs,first_output_ms.p95`. `/v1/metrics` lists them.
    /// `jobs` if not given.
    #[param(value_type = String, required = false, example = "jobs,first_output_ms.p95")]
    metrics: Option<Words<Metric>>,
    /// The time that each row covers: `1m`, `5m`, `1h` or `1d`; `1h` if not given.
    #[param(inline, value_type = schema::Step, required = false)]
    step: Option<Step>,
    /// The end of the time range, in Unix milliseconds, rounded up to a whole step; now if not given.
    #[param(value_type = u64, required = false)]
    to_ms: Option<UnixMillis>,
}

/// Words with commas between, each once.
#[derive(Debug)]
struct Words<W>(Vec<W>);

/// A word of a list.
trait Word: Copy + Ord + std::str::FromStr {
    /// How many there may be.
    const MAX: usize;
    /// What they are called.
    const NAME: &'static str;
}

impl Word for Dimension {
    const MAX: usize = DIMENSIONS_MAX;
    const NAME: &'static str = "dimension";
}

impl Word for Metric {
    const MAX: usize = METRICS_MAX;
    const NAME: &'static str = "metric";
}

impl<'de, W: Word> Deserialize<'de> for Words<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut seen = BTreeSet::new();
        let mut words = Vec::new();
        for text in text.split(',') {
            let shown = shown(text);
            let word: W = text
                .parse()
                .map_err(|_| de::Error::custom(format_args!("{shown:?} is not a {}", W::NAME)))?;
            if !seen.insert(word) {
                return Err(de::Error::custom(format_args!("{shown} is named twice")));
            }
            words.push(word);
        }
        if words.len() > W::MAX {
            let why = format_args!("{} words, more than {}", words.len(), W::MAX);
            return Err(de::Error::custom(why));
        }
        Ok(Self(words))
    }
}

/// Values by time step and dimensions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Sums {
    /// The dimensions, in the order of `first` and `second`.
    #[schema(value_type = Vec<schema::Dimension>)]
    by: Vec<Dimension>,
    /// The start of the time range, in Unix milliseconds.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// The rows by time and names, one item per metric.
    items: Vec<Sum>,
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
    step: Step,
    /// The end of the time range, in Unix milliseconds.
    #[schema(value_type = u64)]
    to_ms: UnixMillis,
}

/// One value.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Sum {
    /// The start of the row's time, in Unix milliseconds.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// The name in the first dimension; null if it has none or there is no such dimension.
    #[schema(value_type = Option<String>)]
    first: Option<Arc<str>>,
    /// The name in the second dimension; null if it has none or there is no such dimension.
    #[schema(value_type = Option<String>)]
    second: Option<Arc<str>>,
    /// The metric.
    metric: String,
    /// The value; null if nobody reported it.
    value: Option<u64>,
    /// The unit of the value.
    unit: &'static str,
    /// Why a member is null.
    reasons: Reasons,
}

/// Any metric by any two dimensions
///
/// Any metric over a time range, by time step and at most two dimensions. Shares, means and quantiles are computed from
/// the exact counts of their row, never from the shares of other rows. Nothing here enters a score; scores are at
/// `/v1/scores`.
#[utoipa::path(
    get, path = "/v1/query", tag = "measures", params(SumsQuery, Scope),
    extensions(("x-naap-cost" = json!(4))),
    responses((status = 200, description = "A page.", body = Sums), Problems),
)]
pub async fn query(
    Given(state): Given<State>,
    Queries(query, scope): Queries<SumsQuery, Scope>,
) -> Result<Answer<Sums>, Problem> {
    let SumsQuery { by, cursor, from_ms, limit, metrics, step, to_ms } = query;
    let by = by.map_or_else(Vec::new, |Words(by)| by);
    let jobs = || vec![Metric::Sum(sla::rollup::column::Plain::Jobs)];
    let metrics = metrics.map_or_else(jobs, |Words(metrics)| metrics);
    let step = step.unwrap_or(Step::Hour);
    let paging = Paging { cursor, from_ms, limit, to_ms };
    let page = page(&state, "query", &by, &metrics, step, &scope, paging);
    let SeriesPage { limit, network, next, rows, steps } = page.await?;
    let items = rows.iter().flat_map(|row| metrics.iter().map(|metric| sum(row, *metric)));
    let sums = Sums {
        from_ms: moment(steps.from),
        items: items.collect(),
        limit,
        network,
        next,
        step: steps.step,
        to_ms: moment(steps.to),
        by,
    };
    Ok(Answer::for_ms(A_SECOND_MS, sums))
}

fn sum(row: &SeriesRow, metric: Metric) -> Sum {
    let mut reasons = Reasons::default();
    let mut name = |member: &'static str, at: usize| {
        let asked = row.names.get(at);
        let why = || match asked {
            Some(_) => "nobody named one",
            None => "the question names no such dimension",
        };
        reasons.explain(member, asked.cloned().flatten(), || why().to_owned())
    };
    let (first, second) = (name("first", 0), name("second", 1));
    let value = metric.of(&row.sums);
    Sum {
        from_ms: moment(row.minute.unwrap_or_default()),
        first,
        second,
        metric: metric.to_string(),
        value: reasons.explain("value", value, || "nobody told of it".to_owned()),
        unit: metric.unit(),
        reasons,
    }
}

/// The metrics there are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Metrics {
    /// The metrics.
    items: Vec<MetricDescription>,
}

/// One metric.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MetricDescription {
    /// Its name.
    metric: String,
    /// The unit of its values.
    unit: &'static str,
}

/// The metrics of `/v1/query`
///
/// Every metric by name, with its unit.
#[utoipa::path(
    get, path = "/v1/metrics", tag = "measures",
    responses((status = 200, description = "The metrics.", body = Metrics), Problems),
)]
pub async fn metrics(
    crate::query::Query(crate::query::Nothing {}): crate::query::Query<crate::query::Nothing>,
) -> Answer<Metrics> {
    let items = Metric::all()
        .map(|metric| MetricDescription { metric: metric.to_string(), unit: metric.unit() });
    Answer::until_written(Metrics { items: items.collect() })
}
