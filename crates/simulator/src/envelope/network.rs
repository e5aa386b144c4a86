//! The families about the network: `discovery_results`, `network_capabilities`, payments and workers.
//!
//! Hardware is null for most, a map for some, a list or a map with null in it for a few; prices are null or not.

use super::Party;
use super::json::Json;
use crate::cast::{Cast, Orchestrator};
use crate::catalog::{CARDS, LISTINGS, RUNNER_VERSION};

/// One answer of a discovery: the latency is text.
pub(crate) fn discovered(json: &mut Json, party: Party<'_>, latency_ms: u64) {
    json.item(|json| {
        json.text("address", party.address)
            .number_text("latency_ms", latency_ms)
            .text("url", party.url);
    });
}

/// A payment, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payment<'a> {
    pub party: Party<'a>,
    pub recipient: &'a str,
    /// The address the orchestrator signs with, in mixed case.
    pub signer: &'a str,
    pub sender: &'a str,
    /// Empty on every payment but a session's first.
    pub request_id: &'a str,
    pub manifest_id: &'a str,
    pub session_id: &'a str,
    pub face_value_wei: u64,
    pub price_wei: u64,
    pub tickets: u64,
}

/// `create_new_payment`: every value is text.
pub(crate) fn payment(json: &mut Json, payment: &Payment<'_>) {
    json.text("capability", "").text("clientIP", "");
    json.text("faceValue", &format!("{} WEI", payment.face_value_wei));
    json.text("manifestID", payment.manifest_id).number_text("numTickets", payment.tickets);
    json.text("orchestrator", payment.party.url);
    json.text("price", &format!("{}.021 wei/pixel", payment.price_wei));
    json.text("recipient", payment.recipient)
        .text("requestID", payment.request_id)
        .text("sender", payment.sender);
    json.text("sessionID", payment.session_id).text("winProb", "0.0009990010");
}

/// `create_signed_ticket`, as a remote signer says it.
pub(crate) fn signed(
    json: &mut Json,
    payment: &Payment<'_>,
    at_ms: u64,
    sequence: u64,
    billable_s: u64,
) {
    let fee = payment.price_wei * billable_s * 7_864_320;
    json.text("session_id", payment.session_id);
    json.text("session_status", if sequence == 0 { "new" } else { "continuing" });
    json.text("pipeline", "live-video-to-video").text("request_id", payment.request_id);
    json.text("orch_address", payment.signer).text("orch_url", payment.party.url);
    json.text("manifest_id", payment.manifest_id).text("pm_session_id", payment.session_id);
    json.number("current_time_unix", at_ms / 1_000)
        .number("previous_time_unix", (at_ms / 1_000).saturating_sub(billable_s));
    json.number("billable_secs", billable_s).number("pixels", billable_s * 7_864_320);
    json.number_text("session_balance", fee * 2).number_text("computed_fee", fee);
    json.number_text("cost_per_pixel", payment.price_wei);
    json.number("sequence_number", sequence).number("num_tickets", payment.tickets);
}

/// `network_capabilities`: one entry an orchestrator, both its addresses in mixed case.
pub(crate) fn capabilities(json: &mut Json, cast: &Cast) {
    for orchestrator in &cast.orchestrators {
        json.item(|json| capability(json, cast, orchestrator));
    }
}

fn capability(json: &mut Json, cast: &Cast, orchestrator: &Orchestrator) {
    let written = &orchestrator.written;
    let version = cast.nodes.get(orchestrator.node).map_or("", |node| node.version.as_str());
    json.text("address", &written.recipient).text("local_address", &written.signer_mixed);
    json.text("orch_uri", &written.url);
    json.object("capabilities", |json| {
        json.array("bitstring", |json| {
            json.number_item(34_426_871_807);
        });
        json.object("capacities", |json| {
            json.number("0", 1).number("1", 1);
            for (capability, _) in sold(orchestrator) {
                json.number(&capability.to_string(), 1);
            }
        });
        json.text("version", version);
        json.object("constraints", |json| constraints(json, orchestrator, version));
    });
    if orchestrator.is_transcoding {
        json.object("price_info", |json| {
            json.number("pricePerUnit", 108_539).number("pixelsPerUnit", 500);
        });
    }
    if orchestrator.offers.is_empty() {
        json.null("capabilities_prices");
    } else {
        json.array("capabilities_prices", |json| prices(json, orchestrator));
    }
    hardware(json, orchestrator);
}

/// The capabilities an orchestrator sells, each once, with the places of its offers.
fn sold(orchestrator: &Orchestrator) -> Vec<(u16, Vec<usize>)> {
    let mut sold: Vec<(u16, Vec<usize>)> = Vec::new();
    for (place, offer) in orchestrator.offers.iter().enumerate() {
        let capability = LISTINGS.get(offer.model).map_or(0, |listing| listing.capability);
        match sold.iter_mut().find(|(known, _)| *known == capability) {
            Some((_, places)) => places.push(place),
            None => sold.push((capability, vec![place])),
        }
    }
    sold.sort_unstable();
    sold
}

fn constraints(json: &mut Json, orchestrator: &Orchestrator, version: &str) {
    json.text("minVersion", version);
    let sold = sold(orchestrator);
    if sold.is_empty() {
        return;
    }
    json.object("PerCapability", |json| {
        for (capability, places) in &sold {
            json.object(&capability.to_string(), |json| {
                json.object("models", |json| models(json, orchestrator, places));
            });
        }
    });
}

fn models(json: &mut Json, orchestrator: &Orchestrator, places: &[usize]) {
    for offer in places.iter().filter_map(|place| orchestrator.offers.get(*place)) {
        let Some(listing) = LISTINGS.get(offer.model) else { continue };
        // BYOC capabilities are listed by their own name, with the model in the hardware only.
        let name = if listing.capability == 37 { listing.pipeline } else { listing.model };
        json.object(name, |json| {
            json.flag("warm", offer.is_warm).text("runnerVersion", RUNNER_VERSION);
            json.number("capacity", u64::from(offer.capacity));
            if offer.is_warm {
                json.number("capacityInUse", 1);
            }
        });
    }
}

fn prices(json: &mut Json, orchestrator: &Orchestrator) {
    for offer in &orchestrator.offers {
        let Some(listing) = LISTINGS.get(offer.model) else { continue };
        json.item(|json| {
            json.number("pricePerUnit", offer.price_wei).number("pixelsPerUnit", 1);
            json.number("capability", u64::from(listing.capability));
            let name = if listing.capability == 37 { listing.pipeline } else { listing.model };
            json.text("constraint", name);
        });
    }
}

fn hardware(json: &mut Json, orchestrator: &Orchestrator) {
    let form = orchestrator.weight % 4;
    if form == 0 || orchestrator.offers.is_empty() {
        json.null("hardware");
        return;
    }
    json.array("hardware", |json| {
        for listing in orchestrator.offers.iter().filter_map(|offer| LISTINGS.get(offer.model)) {
            json.item(|json| {
                json.text("pipeline", listing.pipeline).text("model_id", listing.model);
                match form {
                    1 => _ = json.null("gpu_info"),
                    2 => {
                        _ = json
                            .array("gpu_info", |json| _ = json.item(|json| gpu(json, orchestrator)))
                    }
                    _ => {
                        _ = json.object("gpu_info", |json| {
                            _ = json.object("0", |json| gpu(json, orchestrator))
                        })
                    }
                }
            });
        }
    });
}

fn gpu(json: &mut Json, orchestrator: &Orchestrator) {
    let Some(card) = CARDS.get(orchestrator.card) else { return };
    json.text("id", &orchestrator.gpu_id).text("name", card.name).number("major", card.major);
    if card.minor > 0 {
        json.number("minor", card.minor);
    }
    json.number("memory_free", card.memory_bytes / 5).number("memory_total", card.memory_bytes);
}

/// `worker_registered`, `worker_unregistered` or `worker_capacity_exhausted`.
pub(crate) fn worker(
    json: &mut Json,
    what: &str,
    id: &str,
    offer: (&str, &str, u64),
    party: Party<'_>,
) {
    let (capability, model, price_wei) = offer;
    json.text("type", what).text("id", id).text("capability", capability);
    json.text("worker_url", "http://10.0.0.4:8000").number("price_per_unit", price_wei);
    json.array("worker_options", |json| {
        json.item(|json| {
            json.text("model", model);
        });
    });
    party.write(json);
}
