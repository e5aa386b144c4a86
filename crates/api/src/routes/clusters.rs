//! `/v1/clusters`: which addresses are taken to be one party, and what ties them.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::Address;
use serde::{Deserialize, Serialize};
use sla::score::cluster;
use sla::tally::link::Tie;
use sla::window::Window;
use utoipa::IntoParams;

use crate::answer::Answer;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;
use crate::windowed::scorecard;

/// Of which window.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ClustersQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only the cluster of this address: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// The window, such as `2026-01-08T21Z/7d`; if none is named, the newest seven-day window, or else the newest of
    /// any length.
    #[param(inline, value_type = schema::Window, required = false)]
    window: Option<Window>,
}

/// The clusters of a window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Clusters {
    /// The clusters, sorted by name. An address in no cluster is a party of its own.
    items: Vec<ClusterItem>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
}

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

impl From<&cluster::Cluster> for ClusterItem {
    fn from(cluster: &cluster::Cluster) -> Self {
        let edge = |edge: &cluster::Edge| ClusterEdge {
            of: edge.of,
            tie: edge.tie,
            to: edge.to.clone(),
            counts: edge.counts,
            tellers: edge.tellers,
        };
        Self {
            cluster: cluster.members.first().copied().unwrap_or(Address([0; 20])),
            members: cluster.members.clone(),
            edges: cluster.edges.iter().map(edge).collect(),
        }
    }
}

/// Clusters
///
/// The addresses that a window's scorecard takes to be one party, with every reported tie between them.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "evidence", params(ClustersQuery),
    responses((status = 200, description = "The clusters.", body = Clusters), Problems),
)]
pub async fn clusters(
    Given(state): Given<State>,
    Query(ClustersQuery { network, operator, window }): Query<ClustersQuery>,
) -> Result<Answer<Clusters>, Problem> {
    let network = state.network(network);
    let found = state.read(move |sources| scorecard(sources, network, window)).await?;
    let of = |cluster: &&cluster::Cluster| {
        operator.is_none_or(|operator| cluster.members.contains(&operator))
    };
    let items = found.scorecard.clusters.iter().filter(of).map(ClusterItem::from).collect();
    let window = found.scorecard.window;
    Ok(Answer::until_written(Clusters { items, network, window }))
}
