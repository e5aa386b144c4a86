//! What orchestrators offer (`network_capabilities`, or a dump of the same) and which of them answered
//! (`discovery_results`).

use events::body::capability::{Answered, Gpu, Offer, Offered};
use events::body::{Body, Orchestrator, Price};
use events::event::MAX_EVENT_BYTES;
use events::identity::{Pipeline, ServiceUrl};
use events::refusal::Refusal;
use events::unit::{UnixMillis, Wei};

use super::json::{Json, Object};
use super::names::{self, BYOC, address, orchestrator};
use super::{Draft, Envelope, Page, refuse_data};

/// The most offers of one orchestrator that are kept.
const OFFERS_MAX: usize = 64;

/// The most GPUs of one orchestrator that are kept.
const GPUS_MAX: usize = 32;

/// What an event takes beside its body: the speaker, the id and the names of the members.
const HEAD_BYTES: usize = 1_024;

pub(super) fn discovery_results(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let Some(data) = envelope.data else { return Ok(()) };
    for entry in data.array().ok_or_else(|| refuse_data("data is no array"))? {
        match answered(entry) {
            Some(body) => page.say(Draft::new(envelope.at_ms, Body::DiscoveryAnswered(body))),
            None => page.refuse(refuse_data("a discovery result that names no orchestrator")),
        }
    }
    Ok(())
}

/// Only orchestrators that answered are listed.
fn answered(entry: Json<'_>) -> Option<Answered> {
    let data = entry.object()?;
    let orchestrator = orchestrator(data.text("address").as_deref(), data.text("url").as_deref());
    let latency_ms = data.millis("latency_ms");
    let answer =
        Answered { capacity: None, http_status: None, latency_ms, orchestrator, success: true };
    (!answer.orchestrator.is_nobody()).then_some(answer)
}

pub(super) fn network_capabilities(
    envelope: &Envelope<'_>,
    page: &mut Page,
) -> Result<(), Refusal> {
    // A gateway that knows nobody sends null.
    let Some(data) = envelope.data else { return Ok(()) };
    let entries = data.array().ok_or_else(|| refuse_data("data is no array"))?;
    orchestrators(entries, envelope.at_ms, page);
    Ok(())
}

/// The answer of a gateway's `/getNetworkCapabilities`.
pub(super) fn dump(members: &Object<'_>, at_ms: UnixMillis, page: &mut Page) {
    orchestrators(members.array("orchestrators"), at_ms, page);
}

fn orchestrators(entries: Vec<Json<'_>>, at_ms: UnixMillis, page: &mut Page) {
    for entry in entries {
        match entry.object().and_then(|data| offered(&data)) {
            Some(body) => page.say(Draft::new(at_ms, Body::CapabilityOffered(body))),
            None => page.refuse(refuse_data("a capability that names no orchestrator")),
        }
    }
}

fn offered(data: &Object<'_>) -> Option<Offered> {
    let capabilities = data.object("capabilities");
    let orchestrator = Orchestrator {
        recipient: address(data.text("address").as_deref()),
        signer: address(data.text("local_address").as_deref()),
        url: data.text("orch_uri").and_then(|url| ServiceUrl::normalise(&url).ok()),
    };
    let body = Offered {
        gpus: gpus(data),
        offers: offers(data, &capabilities),
        omitted: None,
        orchestrator,
        price: price(&data.object("price_info")),
        version: capabilities.parse("version"),
    };
    (!body.orchestrator.is_nobody()).then(|| within_limits(body))
}

fn price(data: &Object<'_>) -> Option<Price> {
    let wei = data.decimal("pricePerUnit")?.floor(0)?;
    let units = data.count("pixelsPerUnit").filter(|units| *units > 0)?;
    Some(Price { units, wei: Wei(wei) })
}

/// What is offered: the models under a constraint, and containers, which are known by a price or by their options.
/// A price alone does not make an offer of a model: operators price what they do not run.
fn offers(data: &Object<'_>, capabilities: &Object<'_>) -> Vec<Offer> {
    let prices = prices(data);
    let mut offers = models(capabilities, &prices);
    for (capability, constraint, price) in &prices {
        if *capability == BYOC
            && let Ok(pipeline) = constraint.parse()
        {
            offers.push(Offer { price: Some(*price), ..bare(pipeline) });
        }
    }
    for (name, options) in data.object("capability_options").members() {
        let Ok(pipeline) = name.parse::<Pipeline>() else { continue };
        for option in options.array().unwrap_or_default() {
            let model = option
                .object()
                .and_then(|option| option.parse("model").or_else(|| option.parse("model_id")));
            let is_this = |offer: &&mut Offer| offer.pipeline == pipeline && offer.model.is_none();
            match offers.iter_mut().find(is_this) {
                Some(offer) => offer.model = model,
                None => offers.push(Offer { model, ..bare(pipeline.clone()) }),
            }
        }
    }
    offers
}

fn bare(pipeline: Pipeline) -> Offer {
    Offer {
        capacity: None,
        in_use: None,
        model: None,
        pipeline,
        price: None,
        runner_version: None,
        warm: None,
    }
}

fn models(capabilities: &Object<'_>, prices: &[(u64, String, Price)]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (id, constraint) in capabilities.object("constraints").object("PerCapability").members() {
        let (Ok(id), Some(constraint)) = (id.parse::<u64>(), constraint.object()) else { continue };
        for (name, model) in constraint.object("models").members() {
            let pipeline = names::pipeline(id).or((id == BYOC).then_some(name));
            let Some(Ok(pipeline)) = pipeline.map(str::parse) else { continue };
            let model = model.object().unwrap_or_default();
            let price = prices.iter().find(|(capability, of, _)| *capability == id && of == name);
            offers.push(Offer {
                capacity: model.small("capacity"),
                in_use: model.small("capacityInUse"),
                model: if id == BYOC { None } else { name.parse().ok() },
                pipeline,
                price: price.map(|(_, _, price)| *price),
                runner_version: model.parse("runnerVersion"),
                warm: model.flag("warm"),
            });
        }
    }
    offers
}

fn prices(data: &Object<'_>) -> Vec<(u64, String, Price)> {
    let entries = data.array("capabilities_prices").into_iter().filter_map(Json::object);
    let read = |entry: Object<'_>| {
        Some((entry.count("capability")?, entry.text("constraint")?.into(), price(&entry)?))
    };
    entries.filter_map(read).collect()
}

/// One entry for each GPU of each model, whether a runner lists them by number, in a row, or not at all.
fn gpus(data: &Object<'_>) -> Vec<Gpu> {
    let mut gpus = Vec::new();
    for hardware in data.array("hardware").into_iter().filter_map(Json::object) {
        let Some(info) = hardware.get("gpu_info") else { continue };
        let devices = match info.object() {
            Some(by_number) => {
                by_number.members().filter_map(|(_, device)| device.object()).collect()
            }
            None => info
                .array()
                .unwrap_or_default()
                .into_iter()
                .filter_map(Json::object)
                .collect::<Vec<_>>(),
        };
        gpus.extend(devices.iter().map(|device| Gpu {
            id: device.parse("id"),
            memory_free_bytes: device.count("memory_free"),
            memory_total_bytes: device.count("memory_total"),
            model: hardware.parse("model_id").or_else(|| hardware.parse("model")),
            name: device.parse("name"),
            pipeline: hardware.parse("pipeline"),
        }));
    }
    gpus
}

/// Leaves out what would not fit, GPUs before offers, and says how much that was.
fn within_limits(mut body: Offered) -> Offered {
    let whole = body.offers.len() + body.gpus.len();
    body.offers.truncate(OFFERS_MAX);
    body.gpus.truncate(GPUS_MAX);
    while bytes(&body) + HEAD_BYTES > MAX_EVENT_BYTES && body.gpus.pop().is_some() {}
    while bytes(&body) + HEAD_BYTES > MAX_EVENT_BYTES && body.offers.pop().is_some() {}
    let left_out = whole - body.offers.len() - body.gpus.len();
    body.omitted = u32::try_from(left_out).ok().filter(|count| *count > 0);
    body
}

fn bytes(body: &Offered) -> usize {
    serde_json::to_vec(body).map_or(0, |bytes| bytes.len())
}
