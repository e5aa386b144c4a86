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
use crate::query::{Limit, Queries};
use crate::schema;
use crate::scope::{Scope, Step, Time, moment};
use crate::series::{Asked, SeriesPage, page};
use crate::state::State;

/// The most metrics that are asked for at once.
const METRICS_MAX: usize = 8;

/// The most dimensions that rows are told apart by.
const DIMENSIONS_MAX: usize = 2;

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SumsQuery {
    /// What rows are told apart by beside time: at most two, with a comma between, such as `operator,model`.
    #[param(value_type = String, required = false, example = "operator,model")]
    by: Option<Words<Dimension>>,
    /// `next` of the page before, as it is.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// From this moment on, in Unix milliseconds, back to the beginning of its step; if not given, an hour, six hours, a
    /// day or thirty days back, as the step asks.
    #[param(value_type = u64, required = false)]
    from_ms: Option<UnixMillis>,
    /// Rows on the page, 1 to 500; 50 if not given. A row has an item for each metric.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// What the rows tell: at most eight, with a comma between, such as `jobs,first_output_ms.p95`. `/v1/metrics` lists
    /// them. `jobs` if not given.
    #[param(value_type = String, required = false, example = "jobs,first_output_ms.p95")]
    metrics: Option<Words<Metric>>,
    /// How much time each row spans: `1m`, `5m`, `1h` or `1d`; `1h` if not given.
    #[param(inline, value_type = schema::Step, required = false)]
    step: Option<Step>,
    /// Up to this moment, in Unix milliseconds, on to the end of its step; now if not given.
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
            let shown: String = text.chars().take(80).collect();
            let word: W = text
                .parse()
                .map_err(|_| de::Error::custom(format_args!("{shown:?} is no {}", W::NAME)))?;
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

/// Sums by time and by what was asked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Sums {
    /// What rows are told apart by, in the order of `first` and `second`.
    #[schema(value_type = Vec<schema::Dimension>)]
    by: Vec<Dimension>,
    /// The time it is about begins here.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// The rows by time and names, each as an item for each metric.
    items: Vec<Sum>,
    /// The most rows this page could have.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network it is about.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// How much time each row spans.
    #[schema(value_type = schema::Step)]
    step: Step,
    /// The time it is about ends here.
    #[schema(value_type = u64)]
    to_ms: UnixMillis,
}

/// One number.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Sum {
    /// Its time begins here.
    #[schema(value_type = u64)]
    from_ms: UnixMillis,
    /// The name in the first dimension; null where there is none, or no dimension.
    #[schema(value_type = Option<String>)]
    first: Option<Arc<str>>,
    /// The name in the second dimension; null where there is none, or no dimension.
    #[schema(value_type = Option<String>)]
    second: Option<Arc<str>>,
    /// What it tells.
    metric: String,
    /// The number; null where nobody told of it.
    value: Option<u64>,
    /// What the number counts.
    unit: &'static str,
    /// Why a member is null.
    reasons: Reasons,
}

/// Any metric by any two dimensions
///
/// What was added up over a time, by steps and by at most two dimensions. Shares, means and quantiles are made of exact
/// counts of their row, never of other rows' shares. Nothing here enters a score; `/v1/scores` are those.
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
    let asked = Asked {
        by: &by,
        cursor: cursor.as_deref(),
        limit,
        list: "query",
        metrics: &metrics,
        scope: &scope,
        step: step.unwrap_or(Step::Hour),
        time: Time { from_ms, to_ms },
    };
    let SeriesPage { limit, network, next, rows, steps } = page(&state, asked).await?;
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
    /// What its number counts.
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
