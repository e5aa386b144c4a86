//! `/api/pipelines`: which models were tested where, in the time and region asked about.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use axum::response::IntoResponse;
use events::event::Network;
use events::identity::{Model, Pipeline, Region};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::KEPT;
use super::asked::Asked;
use super::post_stats::Refusals;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::Problem;
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// Of which tests.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PipelinesQuery {
    /// The network; that of this instance if not given.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// The region, in upper or lower case.
    #[param(required = false)]
    region: Option<String>,
    /// The start of the time range, in Unix seconds; 24 hours before `until` if not given.
    #[param(required = false)]
    since: Option<String>,
    /// The end of the time range, in Unix seconds; now if not given.
    #[param(required = false)]
    until: Option<String>,
}

/// What was tested.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tests {
    /// The pipelines, by name.
    pipelines: Vec<Tested>,
}

/// A pipeline that was tested.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TestedPipeline)]
pub struct Tested {
    /// Its title.
    #[schema(example = "Text to image")]
    id: String,
    /// The models.
    #[schema(value_type = Vec<String>)]
    models: BTreeSet<Model>,
    /// The regions.
    #[schema(value_type = Vec<String>)]
    regions: BTreeSet<Region>,
}

/// Tested pipelines
///
/// The pipelines and models that were tested in the time range, and in which regions.
#[utoipa::path(
    get, path = "/api/pipelines", tag = "leaderboard", params(PipelinesQuery),
    extensions(("x-naap-cost" = json!(5))),
    responses((status = 200, description = "The pipelines.", body = Tests), Refusals),
)]
pub async fn pipelines(
    Given(state): Given<State>,
    Query(query): Query<PipelinesQuery>,
) -> Result<impl IntoResponse, Problem> {
    let PipelinesQuery { network, region, since, until } = query;
    let job_type = Some("ai".to_owned());
    let asked = Asked { job_type, network, region, since, until, ..Asked::default() };
    let found = asked.find(&state).await?;
    let mut known: BTreeMap<&Pipeline, Tested> = BTreeMap::new();
    for test in found.tests() {
        let Some(pipeline) = &test.pipeline else { continue };
        let entry = known.entry(pipeline).or_insert_with(|| Tested {
            id: pipeline.title(),
            models: BTreeSet::new(),
            regions: BTreeSet::new(),
        });
        entry.models.extend(test.model.clone());
        entry.regions.extend(test.place().map(Cow::into_owned));
    }
    let pipelines = known.into_values().collect();
    Ok((KEPT, Answer::for_ms(A_SECOND_MS, Tests { pipelines })))
}
