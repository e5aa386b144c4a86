//! `/v1/route/orchestrators` and `/v1/route/excluded`: who is listed and why, who is not and why not, and the same of one.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::{Address, ServiceUrl};
use events::unit::{Millis, Ppm, UnixMillis};
use serde::Serialize;
use sla::route::choose::{Entry, Exclusion};
use sla::route::policy::{DEFAULT, Freshness, RoutingPolicy};
use sla::route::reason::{Code, Listed, Reason};
use sla::scorecard::Grade;
use sla::window::{Span, Window};

use super::asked::{PolicyQuery, RouteQuery, Situation};
use super::tried::{Tried, TriedProblems};
use crate::answer::{A_SECOND_MS, Answer, Reasons};
use crate::problem::{Problem, Problems};
use crate::query::{Queries, Query, Segments};
use crate::routes::sla_score::ScoringPolicy;
use crate::schema;
use crate::state::State;

/// What a list is based on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteBasis {
    /// How long ago the window of the scores ended, in milliseconds; null if there are no scores.
    #[schema(value_type = Option<u64>)]
    age_ms: Option<Millis>,
    /// Whether the scores are too old for gateways: if so, `/v1/route/webhook` and `/v1/route/perf-stats` answer 503.
    is_stale: bool,
    /// The routing policy.
    policy: ScoringPolicy,
    /// The window length that the policy asks for. Until there is a window of that length, the longest there is stands in.
    #[schema(value_type = schema::Span)]
    span: Span,
    /// The window of the scores; null if there is none yet.
    #[schema(value_type = Option<schema::Window>)]
    window: Option<Window>,
    /// When the current turn began, in Unix milliseconds; random choices are drawn anew in each turn.
    #[schema(value_type = u64)]
    turn_ms: UnixMillis,
    /// Why a member is null.
    reasons: Reasons,
}

impl RouteBasis {
    fn of(situation: &Situation) -> Self {
        let (age_ms, is_stale) = match situation.freshness {
            Freshness::Fresh { age_ms } => (Some(age_ms), false),
            Freshness::Stale { age_ms } => (age_ms, true),
        };
        let mut reasons = Reasons::default();
        let none = || "no window has scores yet".to_owned();
        Self {
            age_ms: reasons.explain("age_ms", age_ms, none),
            is_stale,
            policy: situation.policy.name().into(),
            window: reasons.explain("window", situation.field.window, none),
            span: situation.policy.scores.window,
            turn_ms: situation.policy.start(situation.turn),
            reasons,
        }
    }
}

/// The orchestrators that are listed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteList {
    /// How many orchestrators could do the work, whatever their scores.
    able: u64,
    /// How many are left out; `/v1/route/excluded` says why.
    excluded: usize,
    /// What the list is based on.
    basis: RouteBasis,
    /// The list, best first.
    items: Vec<RouteItem>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// One orchestrator that is listed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteItem {
    /// Its place; the first is 1.
    place: u64,
    /// Its on-chain address.
    #[schema(value_type = schema::Address)]
    operator: Address,
    /// Its service URL; null if unknown.
    #[schema(value_type = Option<schema::ServiceUrl>)]
    url: Option<ServiceUrl>,
    /// Why it is listed.
    #[schema(value_type = schema::Listed)]
    listed: Listed,
    /// The tier it reaches; null if it reaches none.
    tier: Option<String>,
    /// The score that decided, in parts per million; null if there is too little evidence.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// What the score would be if every component were at its upper bound, in parts per million.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// The evidence grade.
    #[schema(value_type = schema::Grade)]
    grade: Grade,
    /// The kinds of work whose scores decided; empty for a newcomer.
    rests_on: Vec<String>,
    /// Its value in `/v1/route/perf-stats`, in parts per million.
    #[schema(value_type = u32)]
    value_ppm: Ppm,
    /// The name of its cluster, the addresses it is taken to be one party with; its own address if it is in none.
    #[schema(value_type = schema::Address)]
    party: Address,
    /// Why it would be left out if the policy did not limit how many may be; empty for all others.
    despite: Vec<RouteReason>,
    /// Why a member is null.
    reasons: Reasons,
}

/// Why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteReason {
    /// For programs.
    #[schema(value_type = schema::RouteCode)]
    code: Code,
    /// For people, with the numbers.
    sentence: String,
}

impl From<Reason> for RouteReason {
    fn from(Reason { code, sentence }: Reason) -> Self {
        Self { code, sentence }
    }
}

fn no_score() -> String {
    "there is too little evidence for a score".to_owned()
}

impl From<Entry> for RouteItem {
    fn from(entry: Entry) -> Self {
        let mut reasons = Reasons::default();
        let unknown = || "no service URL of it is known".to_owned();
        let no_tier = || "it reaches none".to_owned();
        Self {
            place: entry.place,
            operator: entry.operator,
            url: reasons.explain("url", entry.url, unknown),
            listed: entry.listed,
            tier: reasons.explain("tier", entry.tier, no_tier),
            score_ppm: reasons.explain("score_ppm", entry.score, no_score),
            upper_ppm: reasons.explain("upper_ppm", entry.upper, no_score),
            grade: entry.grade,
            rests_on: entry.rests_on.iter().map(ToString::to_string).collect(),
            value_ppm: entry.value,
            party: entry.party,
            despite: entry.despite.into_iter().map(RouteReason::from).collect(),
            reasons,
        }
    }
}

/// Orchestrators for a gateway
///
/// The orchestrators that a gateway should use by a routing policy, best first, each with why it is listed. The same in
/// the form that go-livepeer and other clients read is at `/v1/route/webhook` and `/v1/route/perf-stats`.
#[utoipa::path(
    get, path = "/v1/route/orchestrators", tag = "routing", params(RouteQuery, PolicyQuery),
    responses((status = 200, description = "The list.", body = RouteList), Problems),
)]
pub async fn orchestrators(
    Given(state): Given<State>,
    Queries(query, by): Queries<RouteQuery, PolicyQuery>,
) -> Result<Answer<RouteList>, Problem> {
    list(&state, &query, by.policy(&state)?).await
}

/// Who would be listed
///
/// Who would be listed by the policy in the body, which is used once and kept nowhere.
#[utoipa::path(
    post, path = "/v1/route/orchestrators", tag = "routing", params(RouteQuery),
    request_body(
        description = "The policy, as its file.",
        content(
            (String = "application/toml", example = json!(DEFAULT)),
            (String = "text/plain", example = json!(DEFAULT)),
        ),
    ),
    responses((status = 200, description = "The list.", body = RouteList), TriedProblems, Problems),
)]
pub async fn try_orchestrators(
    Given(state): Given<State>,
    Query(query): Query<RouteQuery>,
    Tried(policy): Tried,
) -> Result<Answer<RouteList>, Problem> {
    list(&state, &query, policy).await
}

async fn list(
    state: &State,
    query: &RouteQuery,
    policy: RoutingPolicy,
) -> Result<Answer<RouteList>, Problem> {
    let (situation, route) = query.answer(state, policy).await?;
    let list = RouteList {
        able: route.shares.able,
        basis: RouteBasis::of(&situation),
        excluded: route.excluded.len(),
        items: route.entries.into_iter().map(RouteItem::from).collect(),
        network: situation.network,
    };
    Ok(Answer::for_ms(A_SECOND_MS, list))
}

/// The orchestrators that are left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteExcluded {
    /// What the list is based on.
    basis: RouteBasis,
    /// The orchestrators that are left out, by address and URL.
    items: Vec<ExcludedItem>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// One orchestrator that is left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ExcludedItem {
    /// Its on-chain address.
    #[schema(value_type = schema::Address)]
    operator: Address,
    /// Its service URL; null if unknown.
    #[schema(value_type = Option<schema::ServiceUrl>)]
    url: Option<ServiceUrl>,
    /// Every reason that applies.
    why: Vec<RouteReason>,
    /// The score that decided, in parts per million; null if there is too little evidence.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// The evidence grade.
    #[schema(value_type = schema::Grade)]
    grade: Grade,
    /// The kinds of work whose scores decided; empty if there are none.
    rests_on: Vec<String>,
    /// The name of its cluster, the addresses it is taken to be one party with; its own address if it is in none.
    #[schema(value_type = schema::Address)]
    party: Address,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<Exclusion> for ExcludedItem {
    fn from(excluded: Exclusion) -> Self {
        let mut reasons = Reasons::default();
        let unknown = || "no service URL of it is known".to_owned();
        Self {
            operator: excluded.operator,
            url: reasons.explain("url", excluded.url, unknown),
            why: excluded.reasons.into_iter().map(RouteReason::from).collect(),
            score_ppm: reasons.explain("score_ppm", excluded.score, no_score),
            grade: excluded.grade,
            rests_on: excluded.rests_on.iter().map(ToString::to_string).collect(),
            party: excluded.party,
            reasons,
        }
    }
}

/// Orchestrators that are left out
///
/// Every orchestrator that `/v1/route/orchestrators` with the same parameters leaves out, each with every reason that
/// applies.
#[utoipa::path(
    get, path = "/v1/route/excluded", tag = "routing", params(RouteQuery, PolicyQuery),
    responses((status = 200, description = "The orchestrators that are left out.", body = RouteExcluded), Problems),
)]
pub async fn excluded(
    Given(state): Given<State>,
    Queries(query, by): Queries<RouteQuery, PolicyQuery>,
) -> Result<Answer<RouteExcluded>, Problem> {
    list_excluded(&state, &query, by.policy(&state)?).await
}

/// Who would be left out
///
/// Everybody whom the policy in the body would leave out; it is used once and kept nowhere.
#[utoipa::path(
    post, path = "/v1/route/excluded", tag = "routing", params(RouteQuery),
    request_body(
        description = "The policy, as its file.",
        content(
            (String = "application/toml", example = json!(DEFAULT)),
            (String = "text/plain", example = json!(DEFAULT)),
        ),
    ),
    responses((status = 200, description = "Those who would be left out.", body = RouteExcluded), TriedProblems, Problems),
)]
pub async fn try_excluded(
    Given(state): Given<State>,
    Query(query): Query<RouteQuery>,
    Tried(policy): Tried,
) -> Result<Answer<RouteExcluded>, Problem> {
    list_excluded(&state, &query, policy).await
}

async fn list_excluded(
    state: &State,
    query: &RouteQuery,
    policy: RoutingPolicy,
) -> Result<Answer<RouteExcluded>, Problem> {
    let (situation, route) = query.answer(state, policy).await?;
    let (basis, network) = (RouteBasis::of(&situation), situation.network);
    let items = route.excluded.into_iter().map(ExcludedItem::from).collect();
    Ok(Answer::for_ms(A_SECOND_MS, RouteExcluded { basis, items, network }))
}

/// One orchestrator, at all its service URLs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RouteOne {
    /// What the list is based on.
    basis: RouteBasis,
    /// Where it is left out, and why.
    excluded: Vec<ExcludedItem>,
    /// Where it is listed, and why.
    listed: Vec<RouteItem>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// Why one is listed or left out
///
/// Whether `/v1/route/orchestrators` with the same parameters lists one orchestrator, and why, for each of its service
/// URLs.
#[utoipa::path(
    get, path = "/v1/route/orchestrators/{operator}", tag = "routing",
    params(("operator" = inline(schema::Address), Path, description = "The operator."), RouteQuery, PolicyQuery),
    responses((status = 200, description = "Whether it is listed, and why.", body = RouteOne), Problems),
)]
pub async fn orchestrator(
    Given(state): Given<State>,
    segments: Segments,
    Queries(query, by): Queries<RouteQuery, PolicyQuery>,
) -> Result<Answer<RouteOne>, Problem> {
    let operator: Address = segments.parse("operator", "Send 0x and 40 lower-case hex digits.")?;
    let (situation, route) = query.answer(&state, by.policy(&state)?).await?;
    let (basis, network) = (RouteBasis::of(&situation), situation.network);
    let listed: Vec<RouteItem> = route
        .entries
        .into_iter()
        .filter(|entry| entry.operator == operator)
        .map(RouteItem::from)
        .collect();
    let excluded: Vec<ExcludedItem> = route
        .excluded
        .into_iter()
        .filter(|excluded| excluded.operator == operator)
        .map(ExcludedItem::from)
        .collect();
    if listed.is_empty() && excluded.is_empty() {
        let detail = format!("nothing is known of {operator} on {network}");
        let instead = "GET /v1/route/orchestrators and /v1/route/excluded list every orchestrator.";
        return Err(Problem::absent(detail, instead).about("operator"));
    }
    Ok(Answer::for_ms(A_SECOND_MS, RouteOne { basis, excluded, listed, network }))
}
