//! `/v1/clusters`: which addresses are taken to be one party, and what ties them.

use axum::extract::State as Given;
use events::identity::Address;
use serde::Serialize;
use sla::score::cluster::{Cluster, Edge};
use sla::tally::link::Tie;

use crate::answer::Answer;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;
use crate::windowed::{Listed, WindowPage, WindowQuery, page};

/// Addresses that are taken to be one party.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClusterItem {
    /// The name of the cluster: its smallest member address.
    #[schema(value_type = schema::Address)]
    cluster: Address,
    /// Its members.
    #[schema(value_type = Vec<schema::Address>)]
    members: Vec<Address>,
    /// The ties between them.
    edges: Vec<ClusterEdge>,
}

/// A tie.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClusterEdge {
    /// The address.
    #[schema(value_type = schema::Address)]
    of: Address,
    /// The kind of tie: a common payer, or a common host.
    #[schema(value_type = schema::Tie)]
    tie: Tie,
    /// What it is tied to: an address, a host, or a registrable domain.
    to: String,
    /// Whether it makes one party of the two; if not, it is only shown.
    counts: bool,
    /// How many reporters reported it.
    tellers: u64,
}

impl ClusterItem {
    /// A cluster as it is shown; one without members is none.
    fn of(cluster: &Cluster) -> Option<Self> {
        let edge = |edge: &Edge| ClusterEdge {
            of: edge.of,
            tie: edge.tie,
            to: edge.to.clone(),
            counts: edge.counts,
            tellers: edge.tellers,
        };
        Some(Self {
            cluster: cluster.members.first().copied()?,
            members: cluster.members.clone(),
            edges: cluster.edges.iter().map(edge).collect(),
        })
    }
}

/// Clusters
///
/// The addresses that a window's scorecard takes to be one party, with every reported tie between them, sorted by name.
/// An address in no cluster is a party of its own.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "evidence", params(WindowQuery),
    responses((status = 200, description = "A page.", body = WindowPage<ClusterItem>), Problems),
)]
pub async fn clusters(
    Given(state): Given<State>,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<WindowPage<ClusterItem>>, Problem> {
    let listed = Listed {
        item: ClusterItem::of,
        rows: |card| &card.clusters,
        key: |cluster: &Cluster| cluster.members.first().copied(),
        names: |cluster, operator| cluster.members.contains(&operator),
    };
    page(&state, "clusters", query, listed).await.map(Answer::until_written)
}
