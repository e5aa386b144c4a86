//! Payments: tickets a gateway sends, tickets a remote signer signs, and BYOC's balances.

use events::body::payment::{Sent, Signed};
use events::body::{Body, Orchestrator, Price};
use events::event::Workload;
use events::identity::ServiceUrl;
use events::job;
use events::refusal::Refusal;
use events::unit::{Millis, Wei};

use super::decimal::Decimal;
use super::json::Object;
use super::live::{counter, job_of};
use super::names::{Work, address, is_pipeline, orchestrator, orchestrator_info};
use super::{Draft, Envelope, Page, refuse_data, unknown_subtype};

/// Wei in one ether, as a power of ten.
const ETHER_PLACES: i32 = 18;

/// Wei in one gwei, as a power of ten.
const GWEI_PLACES: i32 = 9;

/// `create_new_payment`: tickets went out. The request it may name is not the stream, so it names no job of ours.
pub(super) fn create_new_payment(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let url = data.text("orchestrator").and_then(|url| ServiceUrl::normalise(&url).ok());
    let orchestrator =
        Orchestrator { recipient: address(data.text("recipient").as_deref()), signer: None, url };
    let body = Sent {
        face_value_wei: data
            .text("faceValue")
            .and_then(|text| amount(&text))
            .or_else(|| wei(&data, "faceValue")),
        price: data.text("price").and_then(|text| price(&text)),
        sender: address(data.text("sender").as_deref()),
        tickets: data.small("numTickets"),
        win_probability_ppb: data
            .decimal("winProb")
            .and_then(|share| share.count(9))
            .filter(|ppb| *ppb <= 1_000_000_000),
        ..bare_sent(named(orchestrator)?)
    };
    page.say(Draft::new(envelope.at_ms, Body::PaymentSent(body)).about(None, &paid_for(&data)));
    Ok(())
}

fn bare_sent(orchestrator: Orchestrator) -> Sent {
    Sent {
        balance_wei: None,
        face_value_wei: None,
        orchestrator,
        price: None,
        sender: None,
        success: None,
        tickets: None,
        win_probability_ppb: None,
    }
}

fn named(orchestrator: Orchestrator) -> Result<Orchestrator, Refusal> {
    if orchestrator.is_nobody() {
        Err(refuse_data("a payment to nobody"))
    } else {
        Ok(orchestrator)
    }
}

fn wei(data: &Object<'_>, field: &str) -> Option<Wei> {
    data.decimal(field)?.wei()
}

/// `2402400000000000 WEI`, `0.0024 ETH`; a bare whole number is wei, a bare fraction ether.
fn amount(text: &str) -> Option<Wei> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number = Decimal::parse(number)?;
    let places = match unit.trim().to_ascii_lowercase().as_str() {
        "wei" => 0,
        "gwei" => GWEI_PLACES,
        "eth" | "ether" => ETHER_PLACES,
        "" if number.is_whole() => 0,
        "" => ETHER_PLACES,
        _ => return None,
    };
    number.floor(places).map(Wei)
}

/// `1635.021 wei/pixel`; other units of work are priced the same way.
fn price(text: &str) -> Option<Price> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "wei"));
    let is_wei = unit.trim_start().to_ascii_lowercase().starts_with("wei");
    if is_wei { Decimal::parse(number)?.price() } else { None }
}

/// The first payment of an AI session names its capability and model: `35_streamdiffusion-sdxl-faceid`.
fn paid_for(data: &Object<'_>) -> Work {
    let manifest = data.text("manifestID").unwrap_or_default();
    if let Some((capability, constraint)) = manifest.split_once('_')
        && let Ok(capability) = capability.parse()
    {
        return Work::of_capability(capability, constraint);
    }
    let pipeline = data.text("capability").filter(|name| is_pipeline(name));
    Work {
        pipeline: pipeline.and_then(|name| name.to_ascii_lowercase().parse().ok()),
        ..Work::default()
    }
}

/// `create_signed_ticket`: a remote signer signed for work.
pub(super) fn create_signed_ticket(
    envelope: &Envelope<'_>,
    page: &mut Page,
) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let orchestrator =
        orchestrator(data.text("orch_address").as_deref(), data.text("orch_url").as_deref());
    let status =
        data.text("session_status").filter(|word| matches!(word.as_ref(), "new" | "continuing"));
    let body = Signed {
        billable_ms: data.decimal("billable_secs").and_then(|seconds| seconds.count(3)).map(Millis),
        fee_wei: wei(&data, "computed_fee"),
        orchestrator: named(orchestrator)?,
        pixels: data.count("pixels"),
        sequence: data.count("sequence_number"),
        status: status.and_then(|word| word.parse().ok()),
        tickets: data.small("num_tickets"),
    };
    let pipeline = data.text("pipeline");
    let work = match pipeline.as_deref() {
        Some("live") => Work::of(Workload::LiveRunner, data.text("app").as_deref(), None),
        Some(name) if is_pipeline(name) => Work::of_live(&data),
        _ => Work::default(),
    };
    page.say(Draft::new(envelope.at_ms, Body::PaymentSigned(body)).about(None, &work));
    Ok(())
}

/// `job_payment`: BYOC's balance with an orchestrator, before and after tickets.
pub(super) fn job_payment(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    if matches!(subtype.as_ref(), "payment_stream_cycle" | "stream_cycle") {
        return stream_cycle(envelope, page, &data);
    }
    let is_ours = matches!(
        subtype.as_ref(),
        "payment_balance_sync" | "balance_sync" | "payment_created" | "created"
    );
    if !is_ours && data.get("balance").is_none() {
        return Err(unknown_subtype(&subtype));
    }
    let recipient = address(data.text("orchestrator_addr").as_deref());
    let orchestrator = Orchestrator { recipient, ..orchestrator_info(&data) };
    let body = Sent {
        balance_wei: data.decimal("balance").and_then(|balance| balance.floor(0)).map(Wei),
        sender: address(data.text("sender").as_deref()),
        success: data.flag("success"),
        tickets: data.small("num_tickets"),
        ..bare_sent(named(orchestrator)?)
    };
    let work = Work::of(Workload::Byoc, data.text("capability").as_deref(), None);
    let job = data.text("request_id").map(|request| job::request(Workload::Byoc, &request));
    let at_ms = envelope.spoken_ms(&data, "timestamp");
    page.say(Draft::new(at_ms, Body::PaymentSent(body)).about(job, &work));
    Ok(())
}

/// The payment of a running BYOC stream, about every 50 s: only whether it went through is told.
fn stream_cycle(
    envelope: &Envelope<'_>,
    page: &mut Page,
    data: &Object<'_>,
) -> Result<(), Refusal> {
    let is_failed = data.flag("success") == Some(false);
    let name = if is_failed { "payment_cycle_failures" } else { "payment_cycles" };
    let body = counter(name, orchestrator_info(data), 1)?;
    page.say(Draft::new(envelope.at_ms, body).about(job_of(data).ok(), &Work::of_live(data)));
    Ok(())
}
