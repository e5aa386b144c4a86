//! `/v1/network/capabilities`: what orchestrators offer now, by the words of all who tell of it: models, prices, room and cards.

use std::collections::BTreeSet;

use axum::extract::State as Given;
use events::body::Price;
use events::body::capability::{Gpu, Offer};
use events::event::{Network, Role};
use events::identity::{Address, Label, Model, Pipeline, Region, ServiceUrl};
use events::unit::{UnixMillis, Wei};
use serde::{Deserialize, Serialize};
use sla::supply::Supply;
use sla::window::Hour;
use utoipa::IntoParams;

use crate::answer::{A_SECOND_MS, Answer, Page, Reasons};
use crate::cursor::List;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::State;

/// Whose offers.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CapabilitiesQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// Only orchestrators with GPUs of this model.
    #[param(value_type = String, required = false)]
    hardware: Option<Label>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// Only orchestrators that offer this model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// Only orchestrators that offer this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
}

/// What one orchestrator offers at one service URL.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Capability {
    /// The operator.
    #[schema(value_type = schema::Address)]
    operator: Address,
    /// Its service URL.
    #[schema(value_type = schema::ServiceUrl)]
    url: ServiceUrl,
    /// The address it signs with; null if nobody reported one.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Address>,
    /// When anybody last reported on it, in Unix milliseconds.
    #[schema(value_type = u64)]
    told_ms: UnixMillis,
    /// Who reported it: the orchestrator itself if it did so lately, else whoever did last.
    #[schema(value_type = schema::Address)]
    reporter: Address,
    /// The reporter's role.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// How many reported on it.
    tellers: u64,
    /// Its own region, as it reports it; null if it reports none.
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// The regions of those who reported on it.
    #[schema(value_type = Vec<String>)]
    regions: BTreeSet<Region>,
    /// Its software's version.
    #[schema(value_type = Option<String>)]
    version: Option<Label>,
    /// Its general price, for transcoding; null if it gave none.
    price: Option<PriceItem>,
    /// What it offers.
    offers: Vec<OfferItem>,
    /// Its GPUs.
    gpus: Vec<GpuItem>,
    /// How many offers and GPUs were left out for length; null if none were.
    omitted: Option<u32>,
    /// Why a member is null.
    reasons: Reasons,
}

/// A price: `wei` per `units`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PriceItem {
    /// The price of that many units in wei, as decimal text.
    #[schema(value_type = String, example = "1618")]
    wei: Wei,
    /// How many units the price is for: pixels, tokens or seconds, depending on the capability.
    units: u64,
}

impl From<Price> for PriceItem {
    fn from(Price { units, wei }: Price) -> Self {
        Self { wei, units }
    }
}

/// One offered model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfferItem {
    /// The pipeline, or the BYOC capability.
    #[schema(value_type = String)]
    pipeline: Pipeline,
    /// The model; null if the whole pipeline is offered.
    #[schema(value_type = Option<String>)]
    model: Option<Model>,
    /// Whether the model is loaded; null if unknown.
    warm: Option<bool>,
    /// How many sessions it says it can hold; null if it does not say.
    capacity: Option<u32>,
    /// How many sessions it says it holds at the moment; null if it does not say.
    in_use: Option<u32>,
    /// Its price; null if it gave none.
    price: Option<PriceItem>,
    /// The version of the runner; null if unknown.
    #[schema(value_type = Option<String>)]
    runner_version: Option<Label>,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<Offer> for OfferItem {
    fn from(offer: Offer) -> Self {
        let mut reasons = Reasons::default();
        let price = offer.price.map(PriceItem::from);
        let whole = || "the whole pipeline is offered".to_owned();
        Self {
            pipeline: offer.pipeline,
            model: reasons.explain("model", offer.model, whole),
            warm: reasons.explain("warm", offer.warm, untold),
            capacity: reasons.explain("capacity", offer.capacity, untold),
            in_use: reasons.explain("in_use", offer.in_use, untold),
            price: reasons.explain("price", price, untold),
            runner_version: reasons.explain("runner_version", offer.runner_version, untold),
            reasons,
        }
    }
}

/// Why most of what is offered is unknown, where it is.
fn untold() -> String {
    "nobody said".to_owned()
}

/// One GPU.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GpuItem {
    /// Its id; GPU ids are not stable.
    #[schema(value_type = Option<String>)]
    id: Option<Label>,
    /// Its product name.
    #[schema(value_type = Option<String>)]
    name: Option<Label>,
    /// Its total memory in bytes.
    memory_total_bytes: Option<u64>,
    /// Its free memory in bytes when it was reported.
    memory_free_bytes: Option<u64>,
    /// The pipeline it runs.
    #[schema(value_type = Option<String>)]
    pipeline: Option<Pipeline>,
    /// The model it runs.
    #[schema(value_type = Option<String>)]
    model: Option<Model>,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<Gpu> for GpuItem {
    fn from(gpu: Gpu) -> Self {
        let mut reasons = Reasons::default();
        let (free, total) = (gpu.memory_free_bytes, gpu.memory_total_bytes);
        Self {
            id: reasons.explain("id", gpu.id, untold),
            name: reasons.explain("name", gpu.name, untold),
            memory_total_bytes: reasons.explain("memory_total_bytes", total, untold),
            memory_free_bytes: reasons.explain("memory_free_bytes", free, untold),
            pipeline: reasons.explain("pipeline", gpu.pipeline, untold),
            model: reasons.explain("model", gpu.model, untold),
            reasons,
        }
    }
}

impl From<&Supply> for Capability {
    fn from(supply: &Supply) -> Self {
        let supply = supply.clone();
        let mut reasons = Reasons::default();
        let price = supply.price.map(PriceItem::from);
        Self {
            operator: supply.operator,
            url: supply.url,
            signer: reasons.explain("signer", supply.signer, untold),
            told_ms: supply.at_ms,
            reporter: supply.reporter,
            role: supply.role,
            tellers: supply.tellers,
            region: reasons.explain("region", supply.region, || "it reports none".into()),
            regions: supply.regions,
            version: reasons.explain("version", supply.version, untold),
            price: reasons.explain("price", price, || "it told no general price".to_owned()),
            offers: supply.offers.into_iter().map(OfferItem::from).collect(),
            gpus: supply.gpus.into_iter().map(GpuItem::from).collect(),
            omitted: reasons.explain("omitted", supply.omitted, || "none was left out".to_owned()),
            reasons,
        }
    }
}

/// Capabilities
///
/// What each orchestrator offers at each of its service URLs, by the reports of the last 24 hours: its own, or those of gateways
/// together where it reports nothing itself. An empty list is unknown.
#[utoipa::path(
    get, path = "/v1/network/capabilities", tag = "measures", params(CapabilitiesQuery),
    responses((status = 200, description = "A page.", body = Page<Capability>), Problems),
)]
pub async fn network_capabilities(
    Given(state): Given<State>,
    Query(query): Query<CapabilitiesQuery>,
) -> Result<Answer<Page<Capability>>, Problem> {
    let network = state.network(query.network);
    let limit = query.limit.unwrap_or(Limit::DEFAULT);
    let filter = CapabilitiesQuery { cursor: None, limit: None, ..query.clone() };
    let list = List::new("network_capabilities", &(network, &filter));
    let after: Option<(Address, ServiceUrl)> =
        query.cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
    let last = Hour::of(state.now());
    let supply = state.read(move |sources| sources.offers(network, last)).await?;
    let behind = |supply: &&Supply| {
        let key = (supply.operator, &supply.url);
        after.as_ref().is_none_or(|(operator, url)| key > (*operator, url))
    };
    let mut rows = supply.iter().filter(|one| passes(&filter, one)).filter(behind);
    let items: Vec<&Supply> = rows.by_ref().take(limit.count()).collect();
    let last = if rows.next().is_some() { items.last() } else { None };
    let next = last.map(|last| list.cursor(&(last.operator, &last.url)));
    let items = items.into_iter().map(Capability::from).collect();
    Ok(Answer::for_ms(A_SECOND_MS, Page { items, limit: limit.0, network, next }))
}

fn passes(filter: &CapabilitiesQuery, supply: &Supply) -> bool {
    let has = supply.offers.iter().any(|offer| {
        filter.pipeline.as_ref().is_none_or(|pipeline| offer.pipeline == *pipeline)
            && (filter.model.is_none() || offer.model == filter.model)
    });
    let is_asked = filter.pipeline.is_some() || filter.model.is_some();
    let runs = |hardware: &Label| supply.gpus.iter().any(|gpu| gpu.name.as_ref() == Some(hardware));
    filter.operator.is_none_or(|operator| supply.operator == operator)
        && filter.hardware.as_ref().is_none_or(runs)
        && (!is_asked || has)
}
