//! `/v1/datasets`: the public data that tests run with.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::Pipeline;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::answer::{Answer, Reasons};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

events::words! {
    /// What a dataset is for.
    Kind {
        /// Input that gives the same output on the same card.
        Good = "good",
        /// Good, borderline and bad input by chance.
        Random = "random",
        /// Input that is to be refused.
        Bad = "bad",
    }
}

/// Which datasets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DatasetsQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only datasets of this kind: `good`, `random` or `bad`.
    #[param(inline, value_type = schema::DatasetKind, required = false)]
    r#type: Option<Kind>,
    /// Only datasets for this pipeline.
    #[param(value_type = String, required = false)]
    workflow: Option<Pipeline>,
}

/// The datasets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Datasets {
    /// The datasets.
    items: Vec<Dataset>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// Why there are none, under `items`.
    reasons: Reasons,
}

/// One dataset.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Dataset {
    /// Its name and version.
    id: String,
    /// What it is for.
    #[schema(value_type = schema::DatasetKind)]
    r#type: Kind,
    /// The pipeline.
    workflow: String,
    /// The SHA-256 of its content.
    #[schema(value_type = schema::Digest)]
    sha256: String,
    /// Where it is.
    url: String,
}

/// Datasets
///
/// The public input data that this instance's testers use. An instance without a tester has none, and says so.
#[utoipa::path(
    get, path = "/v1/datasets", tag = "evidence", params(DatasetsQuery),
    responses((status = 200, description = "The datasets.", body = Datasets), Problems),
)]
pub async fn datasets(
    Given(state): Given<State>,
    Query(DatasetsQuery { network, r#type, workflow }): Query<DatasetsQuery>,
) -> Result<Answer<Datasets>, Problem> {
    let mut reasons = Reasons::default();
    let why = || "no tester has published a dataset to this instance".to_owned();
    // The job tester, which is to publish some, is not part of this instance.
    let published: Option<Vec<Dataset>> = reasons.explain("items", None, why);
    let is_asked = |dataset: &Dataset| {
        r#type.is_none_or(|kind| dataset.r#type == kind)
            && workflow.as_ref().is_none_or(|pipeline| dataset.workflow == pipeline.as_str())
    };
    let items = published.into_iter().flatten().filter(is_asked).collect();
    let network = state.network(network);
    Ok(Answer::until_written(Datasets { items, network, reasons }))
}
