//! `/v1/scores`: the results of one window as its scorecard gives them. It filters and pages; it computes none.

mod parts;

use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::event::{Network, Workload};
use events::identity::{Address, Digest, Model, Pipeline, ServiceUrl};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};
use sla::scorecard::{Grade, Indicator, Scored};
use sla::tally::outcome::{Counts, Excuse, Obligation};
use sla::window::{Hour, Span, Window};
use utoipa::IntoParams;
use warehouse::page::{Page as Pages, Paged};
use warehouse::view::{ScoreFilter, ScoreRow};

use crate::answer::{Answer, Reasons, Work};
use crate::cursor::{List, unusable};
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::routes::window::not_made;
use crate::schema;
use crate::state::{Sources, State};
use parts::{ScoreComponent, ScoreExcluded, ScoreWorkload, no_upper};

/// How many of the newest hours are searched for a settled one: two weeks.
const HOURS_SEARCHED: usize = 336;

/// Which results.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ScoresQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// Only results with this evidence grade.
    #[param(inline, value_type = schema::Grade, required = false)]
    grade: Option<Grade>,
    /// Only results with this evidence grade or a better one: A is the best.
    #[param(inline, value_type = schema::Grade, required = false)]
    grade_min: Option<Grade>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// Only results for this model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only results of this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// `true`: only results over all of an operator's work; `false`: only those for one kind of it.
    #[param(value_type = bool, required = false)]
    overall: Option<bool>,
    /// Only results for this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// An hour such as `2026-01-08T21Z`, or a longer window such as `2026-01-08T21Z/7d`; the latest settled hour if none
    /// is named.
    #[param(inline, value_type = schema::Window, required = false)]
    window: Option<Window>,
    /// Only results for this workload.
    #[param(inline, value_type = schema::Workload, required = false)]
    workload: Option<Workload>,
}

/// How the window of an answer was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowChoice {
    /// The request named it.
    Asked,
    /// The request named none, so it is the latest settled hour.
    LatestSettled,
}

/// Results of one window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Scores {
    /// The results, by operator, signer and kind of work.
    items: Vec<Score>,
    /// The maximum number of items on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// The window; null if none was named and none has settled.
    #[schema(value_type = Option<schema::Window>)]
    window: Option<Window>,
    /// How the window was chosen: `asked` or `latest_settled`.
    window_chosen: WindowChoice,
    /// Whether the window can still change. Provisional results have no digest.
    provisional: bool,
    /// The revision of the window, always 0 if it is longer than an hour; null if it is provisional.
    revision: Option<u32>,
    /// The digest of the window's scorecard; null if it is provisional.
    #[schema(value_type = Option<schema::Digest>)]
    digest: Option<Digest>,
    /// Why a member is null.
    reasons: Reasons,
}

/// One operator's result, for one kind of work or for all of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Score {
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
    /// Whether the window can still change.
    provisional: bool,
    /// The operator; null if no capability offer ties the signer to one.
    #[schema(value_type = Option<schema::Address>)]
    operator: Option<Address>,
    /// Its signing address; null if the operator is known.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Address>,
    /// The kind of work; null for a result over all work.
    work: Option<Work>,
    /// The evidence grade.
    #[schema(value_type = schema::Grade)]
    grade: Grade,
    /// The score in parts per million; null if there is too little evidence.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// What the score would be if every component were at its upper bound, in parts per million.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// The components of the score; empty if the policy has none, and for results over all work.
    components: Vec<ScoreComponent>,
    /// For a result over all work, the score of each workload.
    workloads: Vec<ScoreWorkload>,
    /// Obligations that do not count, by reason.
    excluded: ScoreExcluded,
    /// The outcomes, by kind of obligation.
    indicators: Vec<ScoreIndicator>,
    /// Tenures that began in the window.
    tenures: u64,
    /// Everyone whose reports counted.
    #[schema(value_type = Vec<schema::Address>)]
    sources: Vec<Address>,
    /// Its service URL.
    #[schema(value_type = Vec<schema::ServiceUrl>)]
    urls: Vec<ServiceUrl>,
    /// Why a member is null.
    reasons: Reasons,
}

/// The outcomes of one kind of obligation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreIndicator {
    /// The obligation.
    #[schema(value_type = schema::Obligation)]
    obligation: Obligation,
    /// The share of good ones among good, bad and disputed ones, in parts per million, rounded down; null if there are
    /// none.
    #[schema(value_type = Option<u32>)]
    share_ppm: Option<Ppm>,
    /// Obligations by outcome.
    counts: OutcomeCounts,
    /// Why a member is null.
    reasons: Reasons,
}

/// Obligations by outcome.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OutcomeCounts {
    /// Met.
    good: u64,
    /// Not met, and the orchestrator is responsible.
    bad: u64,
    /// Unknown, because the gateway's record has a gap.
    missing: u64,
    /// Declined in time for lack of room.
    declined: u64,
    /// The parties contradict each other.
    disputed: u64,
    /// Excused, by reason: the orchestrator could not be expected to meet them.
    #[schema(value_type = BTreeMap<String, u64>)]
    excused: BTreeMap<Excuse, u64>,
}

impl From<ScoreRow> for Score {
    fn from(row: ScoreRow) -> Self {
        let Scored {
            class,
            components,
            excluded,
            grade,
            indicators,
            operator,
            reason,
            score,
            signer,
            sources,
            tenures,
            upper,
            urls,
            workloads,
            ..
        } = row.scored;
        let is_scored = score.is_some();
        let mut reasons = Reasons::default();
        let is_resolved = operator.is_some();
        let nameless = || "no capability offer ties it to an on-chain address".to_owned();
        let unseen =
            || if is_resolved { "the operator is known" } else { "no party named one" }.to_owned();
        let unscored = || reason.unwrap_or_else(|| "the scorecard gives none".to_owned());
        Self {
            window: row.window,
            provisional: row.revision.is_none(),
            operator: reasons.explain("operator", operator, nameless),
            signer: reasons.explain("signer", signer, unseen),
            work: reasons.explain("work", class.map(Work::from), || "all of its work".to_owned()),
            grade,
            score_ppm: reasons.explain("score_ppm", score, unscored),
            upper_ppm: reasons.explain("upper_ppm", upper, || no_upper(is_scored)),
            components: components.into_iter().map(ScoreComponent::from).collect(),
            workloads: workloads.into_iter().map(ScoreWorkload::from).collect(),
            excluded: ScoreExcluded::from(excluded),
            indicators: indicators.into_iter().map(ScoreIndicator::from).collect(),
            tenures,
            sources,
            urls,
            reasons,
        }
    }
}

impl From<Counts> for OutcomeCounts {
    fn from(counts: Counts) -> Self {
        let Counts { bad, declined, disputed, excused, good, missing, .. } = counts;
        Self { good, bad, missing, declined, disputed, excused }
    }
}

impl From<Indicator> for ScoreIndicator {
    fn from(indicator: Indicator) -> Self {
        let Indicator { counts, obligation, share, .. } = indicator;
        let mut reasons = Reasons::default();
        let neither = || "neither a good nor a bad one is known".to_owned();
        Self {
            obligation,
            share_ppm: reasons.explain("share_ppm", share, neither),
            counts: OutcomeCounts::from(counts),
            reasons,
        }
    }
}

/// Scores
///
/// The results of one window's scorecard, by operator, signer and kind of work. Without `window` it is the latest
/// settled hour, which the answer names. An hour that has not settled yet is marked `provisional` and has no digest.
#[utoipa::path(
    get, path = "/v1/scores", tag = "scores",
    params(ScoresQuery),
    responses((status = 200, description = "A page.", body = Scores), Problems),
)]
pub async fn scores(
    Given(state): Given<State>,
    Query(query): Query<ScoresQuery>,
) -> Result<Answer<Scores>, Problem> {
    let network = state.network(query.network);
    let limit = query.limit.unwrap_or(Limit::DEFAULT);
    let asked = query.window;
    let filter = ScoreFilter {
        grade: query.grade,
        grade_min: query.grade_min,
        model: query.model,
        operator: query.operator,
        overall: query.overall,
        pipeline: query.pipeline,
        workload: query.workload,
    };
    let cursor = query.cursor;
    let answer = state.read(move |sources| {
        let window = match asked {
            Some(window) => Some(window),
            None => latest_settled(sources, network)?.map(Window::hour),
        };
        let chosen =
            if asked.is_some() { WindowChoice::Asked } else { WindowChoice::LatestSettled };
        let Some(window) = window else {
            let whole = nothing_settled(network, limit);
            let none = || unusable("the cursor is not one of this list, which is empty");
            return cursor.is_none().then_some(whole).ok_or_else(none);
        };
        let list = List::new("scores", &(network, window, &filter));
        let page = list.page(cursor.as_deref(), limit)?;
        let latest = known(sources, network, window)?;
        let paged = sources.warehouse.scores(network, window, &filter, &page);
        let Paged { next, rows } = paged.map_err(Problem::warehouse)?;
        let mut reasons = Reasons::default();
        let open = || "the hour has not settled".to_owned();
        Ok(Scores {
            items: rows.into_iter().map(Score::from).collect(),
            limit: limit.0,
            network,
            next: next.map(|next| list.cursor(&next)),
            window: Some(window),
            window_chosen: chosen,
            provisional: latest.is_none(),
            revision: reasons.explain("revision", latest.map(|(revision, _)| revision), open),
            digest: reasons.explain("digest", latest.map(|(_, digest)| digest), open),
            reasons,
        })
    });
    Ok(Answer::until_written(answer.await?))
}

/// The answer where no hour was named and none has settled.
fn nothing_settled(network: Network, limit: Limit) -> Scores {
    let mut reasons = Reasons::default();
    let none = || "no hour has settled yet; name one to see what is provisional".to_owned();
    Scores {
        items: Vec::new(),
        limit: limit.0,
        network,
        next: None,
        window: reasons.explain("window", None, none),
        window_chosen: WindowChoice::LatestSettled,
        provisional: false,
        revision: reasons.explain("revision", None, none),
        digest: reasons.explain("digest", None, none),
        reasons,
    }
}

fn latest_settled(sources: &Sources, network: Network) -> Result<Option<Hour>, Problem> {
    let paged = sources.warehouse.windows(network, &Pages::first(HOURS_SEARCHED));
    let rows = paged.map_err(Problem::warehouse)?.rows;
    Ok(rows.into_iter().find(|row| row.latest.is_some()).map(|row| row.hour))
}

/// The latest revision of a window and its digest, none where it is provisional; a problem where nothing is known of it.
fn known(
    sources: &Sources,
    network: Network,
    window: Window,
) -> Result<Option<(u32, Digest)>, Problem> {
    let warehouse = &sources.warehouse;
    if window.span != Span::Hour {
        let made = warehouse.window_record(network, window).map_err(Problem::warehouse)?;
        return made.map(|made| Some((0, made.digest))).ok_or_else(|| not_made(network, window));
    }
    let hour = window.last;
    let revisions = warehouse.revisions(network, hour).map_err(Problem::warehouse)?;
    if let Some(latest) = revisions.into_iter().next_back() {
        return Ok(Some((latest.revision, latest.digest)));
    }
    match warehouse.provisional(network, hour).map_err(Problem::warehouse)? {
        Some(_) => Ok(None),
        None => {
            let detail = format!("nothing is known of {hour} on {network}");
            Err(Problem::absent(detail, "GET /v1/windows lists the hours that are known.")
                .about("window"))
        }
    }
}
