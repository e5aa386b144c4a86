//! `/v1/orchestrators`: everybody who ever had a job here. It judges nobody: how each stood is read from scorecards.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::{Address, ServiceUrl};
use events::unit::{Ppm, UnixMillis};
use serde::{Deserialize, Serialize};
use sla::scorecard::Grade;
use sla::window::Hour;
use utoipa::IntoParams;
use warehouse::page;
use warehouse::view::{OrchestratorRow, Standing};

use crate::answer::{A_SECOND_MS, Answer, Page, Reasons, Work};
use crate::cursor::Sheet;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::State;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorsQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// One orchestrator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Orchestrator {
    /// The operator's on-chain address, which is paid; null if no capability offer ties the signer to one.
    #[schema(value_type = Option<schema::Address>)]
    pub operator: Option<Address>,
    /// Its signing address; null if the operator is known.
    #[schema(value_type = Option<schema::Address>)]
    pub signer: Option<Address>,
    /// Its service URLs, the latest 64.
    #[schema(value_type = Vec<schema::ServiceUrl>)]
    pub urls: Vec<ServiceUrl>,
    /// The kinds of work it did, the latest 64.
    pub work: Vec<Work>,
    /// When its first tenure began, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub first_ms: UnixMillis,
    /// The time of the latest claim about it in a job, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub last_ms: UnixMillis,
    /// Jobs in which it began a tenure in the last 24 whole hours.
    pub jobs_24h: u64,
    /// Its result in the latest settled hour that names it; null if there is none yet.
    pub latest: Option<LatestStanding>,
    /// Why a member is null.
    pub reasons: Reasons,
}

/// An orchestrator's result over all its work in one settled hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LatestStanding {
    /// The hour.
    #[schema(value_type = schema::Hour)]
    pub window: Hour,
    /// The hour's revision.
    pub revision: u32,
    /// The evidence grade.
    #[schema(value_type = schema::Grade)]
    pub grade: Grade,
    /// The score in parts per million; null if there is too little evidence.
    #[schema(value_type = Option<u32>)]
    pub score_ppm: Option<Ppm>,
    /// Why a member is null.
    pub reasons: Reasons,
}

impl From<OrchestratorRow> for Orchestrator {
    fn from(row: OrchestratorRow) -> Self {
        let mut reasons = Reasons::default();
        let is_resolved = row.operator.is_some();
        let nameless = || "no capability offer ties it to an on-chain address".to_owned();
        let unseen = || {
            if is_resolved {
                "an operator may sign with several; claims name each".to_owned()
            } else {
                "no party named one".to_owned()
            }
        };
        let unsettled = || "no settled hour names it yet".to_owned();
        Self {
            operator: reasons.explain("operator", row.operator, nameless),
            signer: reasons.explain("signer", row.signer, unseen),
            urls: row.urls,
            work: row.classes.into_iter().map(Work::from).collect(),
            first_ms: row.first_ms,
            last_ms: row.last_ms,
            jobs_24h: row.jobs_24h,
            latest: reasons.explain("latest", row.latest.map(LatestStanding::from), unsettled),
            reasons,
        }
    }
}

impl From<Standing> for LatestStanding {
    fn from(standing: Standing) -> Self {
        let mut reasons = Reasons::default();
        let why = standing.reason.unwrap_or_else(|| "the scorecard gives none".to_owned());
        Self {
            window: standing.hour,
            revision: standing.revision,
            grade: standing.grade,
            score_ppm: reasons.explain("score_ppm", standing.score, || why),
            reasons,
        }
    }
}

/// Orchestrators
///
/// Sorted by operator address; those known only by their signing address come last.
#[utoipa::path(
    get, path = "/v1/orchestrators", tag = "scores",
    params(OrchestratorsQuery),
    responses((status = 200, description = "A page.", body = Page<Orchestrator>), Problems),
)]
pub async fn orchestrators(
    Given(state): Given<State>,
    Query(query): Query<OrchestratorsQuery>,
) -> Result<Answer<Page<Orchestrator>>, Problem> {
    let network = state.network(query.network);
    let (sheet, page) =
        Sheet::of("orchestrators", network, &(), query.cursor.as_deref(), query.limit)?;
    let now = state.now();
    let paged = state.read(move |sources| {
        sources.warehouse.orchestrators(network, now, &page).map_err(Problem::warehouse)
    });
    let page::Paged { next, rows } = paged.await?;
    let items = rows.into_iter().map(Orchestrator::from).collect();
    Ok(Answer::for_ms(A_SECOND_MS, sheet.answer(items, next)))
}
