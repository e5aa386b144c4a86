//! `/api/regions`: where tests are made. It reads nothing.

use axum::response::IntoResponse;
use serde::Serialize;

use super::KEPT;
use super::post_stats::Refusals;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::query::{Nothing, Query};
use crate::regions::ALL;

/// The regions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Regions {
    /// One item per region and what is tested there.
    regions: Vec<TestRegion>,
}

/// A region.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TestRegion {
    /// Its name in requests.
    #[schema(value_type = String, example = "FRA")]
    id: &'static str,
    /// Its display name.
    #[schema(value_type = String, example = "Frankfurt")]
    name: &'static str,
    /// What is tested there: `ai` or `transcoding`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "ai")]
    kind: &'static str,
}

/// Test regions
///
/// The regions in which tests may be made; a region is listed once for models and once for transcoding.
#[utoipa::path(
    get, path = "/api/regions", tag = "leaderboard",
    responses((status = 200, description = "The regions.", body = Regions), Refusals),
)]
pub async fn regions(Query(Nothing {}): Query<Nothing>) -> Result<impl IntoResponse, Problem> {
    let each = ALL.iter().flat_map(|place| {
        let kinds = [(place.transcoding, "transcoding"), (place.ai, "ai")];
        kinds.into_iter().filter(|(is_tested, _)| *is_tested).map(|(_, kind)| TestRegion {
            id: place.id,
            name: place.name,
            kind,
        })
    });
    Ok((KEPT, Answer::until_written(Regions { regions: each.collect() })))
}
