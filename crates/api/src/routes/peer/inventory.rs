//! `/v1/dashboard/pipeline-catalog` and `/v1/dashboard/pricing`: what is on offer, and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use events::identity::{Address, ServiceUrl};
use events::unit::UnixMillis;
use serde::Serialize;

use super::asked::{NetworkQuery, WindowHours};
use super::offers::Offers;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// An offered pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerCatalogEntry)]
pub struct CatalogEntry {
    /// The pipeline.
    id: String,
    /// The same.
    name: String,
    /// The models offered for it.
    models: BTreeSet<String>,
    /// The regions of the orchestrators that offer it, as they state them.
    regions: BTreeSet<String>,
}

/// Pipelines on offer
///
/// What was offered in the last 24 hours.
#[utoipa::path(
    get, path = "/v1/dashboard/pipeline-catalog", tag = "peer",
    params(NetworkQuery),
    responses((status = 200, description = "The pipelines.", body = Vec<CatalogEntry>, example = json!([
        {"id": "live-video-to-video", "name": "live-video-to-video", "models": ["streamdiffusion-sdxl"], "regions": []}
    ])), Problems),
)]
pub async fn pipeline_catalog(
    Given(state): Given<State>,
    Query(query): Query<NetworkQuery>,
) -> Result<Answer<Vec<CatalogEntry>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let rows = state.read(move |sources| {
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        let mut entries: BTreeMap<&str, CatalogEntry> = BTreeMap::new();
        for place in offers.places() {
            for offer in &place.offers {
                let name = offer.pipeline.as_str();
                let entry = entries.entry(name).or_insert_with(|| CatalogEntry {
                    id: name.to_owned(),
                    name: name.to_owned(),
                    models: BTreeSet::new(),
                    regions: BTreeSet::new(),
                });
                entry.models.extend(offer.model.as_ref().map(ToString::to_string));
                entry.regions.extend(place.region.as_ref().map(ToString::to_string));
            }
        }
        Ok(entries.into_values().collect())
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

/// A price.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPricing)]
#[serde(rename_all = "camelCase")]
pub struct Pricing {
    /// The orchestrator's on-chain address.
    #[schema(value_type = schema::Address)]
    orch_address: Address,
    /// The host of its service URL.
    orch_name: String,
    /// The pipeline.
    pipeline: String,
    /// The model; absent if the price is for the whole pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The price of `pixelsPerUnit` units, in wei.
    price_wei_per_unit: u64,
    /// How many units the price is for; pixels in live video.
    pixels_per_unit: u64,
    /// Whether the model is reported to be loaded.
    is_warm: bool,
}

/// Prices
///
/// The latest price above zero of each orchestrator, pipeline and model in the last 24 hours.
#[utoipa::path(
    get, path = "/v1/dashboard/pricing", tag = "peer",
    params(NetworkQuery),
    responses((status = 200, description = "The prices.", body = Vec<Pricing>, example = json!([
        {"orchAddress": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "orchName": "orchestrator.example",
         "pipeline": "live-video-to-video", "model": "streamdiffusion-sdxl", "priceWeiPerUnit": 1618, "pixelsPerUnit": 1,
         "isWarm": true}
    ])), Problems),
)]
pub async fn pricing(
    Given(state): Given<State>,
    Query(query): Query<NetworkQuery>,
) -> Result<Answer<Vec<Pricing>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let rows = state.read(move |sources| {
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        Ok(latest_prices(&offers))
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

fn latest_prices(offers: &Offers) -> Vec<Pricing> {
    type Name<'a> = (Address, &'a str, Option<&'a str>);
    let mut latest: BTreeMap<Name<'_>, (UnixMillis, Pricing)> = BTreeMap::new();
    for place in offers.places() {
        for offer in &place.offers {
            let Some(price) = offer.price.filter(|price| price.units > 0) else { continue };
            // A price beyond 64 bits is nobody's, and the peer's clients read no larger number.
            let Some(wei) = u64::try_from(price.wei.0).ok().filter(|wei| *wei > 0) else {
                continue;
            };
            let model = offer.model.as_ref().map(|model| model.as_str());
            let row = Pricing {
                orch_address: place.operator,
                orch_name: host(&place.url),
                pipeline: offer.pipeline.to_string(),
                model: model.map(str::to_owned),
                price_wei_per_unit: wei,
                pixels_per_unit: price.units,
                is_warm: offer.warm == Some(true),
            };
            let name = (place.operator, offer.pipeline.as_str(), model);
            let known = latest.entry(name).or_insert_with(|| (place.at_ms, row.clone()));
            if place.at_ms > known.0 {
                *known = (place.at_ms, row);
            }
        }
    }
    latest.into_values().map(|(_, row)| row).collect()
}

/// The host of a URL, without its port.
fn host(url: &ServiceUrl) -> String {
    let text = url.to_string();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
    name.trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_no_port() {
        for (url, expected) in [
            ("https://orchestrator.example:8935", "orchestrator.example"),
            ("https://orchestrator.example/x", "orchestrator.example"),
            ("http://10.0.0.1:1", "10.0.0.1"),
        ] {
            assert_eq!(host(&ServiceUrl::normalise(url).unwrap()), expected);
        }
    }
}
