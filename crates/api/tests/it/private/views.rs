//! An operator sees what was refused of the keys that its address delegated to and that speak for it, and of no others.

use api::Private;
use api::sign_in::SignIn;
use axum::http::StatusCode;
use events::batch::Position;
use events::body::Body as Said;
use events::body::record::Granted;
use events::delegation::{Delegation, address_of};
use events::event::{Event, Role};
use events::identity::PublisherKey;
use events::refusal::Defect;
use events::unit::Millis;
use warehouse::Warehouse as _;
use warehouse::contract::sample;
use warehouse::record::{BatchRow, RefusalNote};
use warehouse::view::Source;

use super::{cookie, secret, settings, with_cookie};
use crate::world::{World, claim, requested, sealed};

/// The key that signs as the publisher of this number.
fn key(publisher: u8) -> PublisherKey {
    sealed(publisher, None, &[word(7, 1)]).header.key
}

/// A word that speaks for the address of `of`.
fn word(of: u8, number: u64) -> Event {
    let reporter = address_of(secret(of).verifying_key());
    claim(reporter, Role::Gateway, sample::job_id(number), number, requested())
}

/// Has the key of a publisher speak for the address of `of`.
pub fn speaks(world: &World, publisher: u8, of: u8) {
    world.append(&sealed(publisher, None, &[word(of, u64::from(publisher))]));
}

/// A world in whose record the address of `of` delegates to a key, by a signature of `by`, as `carrier` tells it.
pub fn delegated(world: &World, of: u8, by: u8, publisher: u8, carrier: u8) {
    let (of, by) = (secret(of), secret(by));
    let now = sample::HOUR.start();
    let delegation = Delegation {
        expiry_ms: now.plus(Millis(86_400_000)),
        key: key(publisher),
        network: sample::NETWORK,
        node: "3f6c1c0e-1111-4222-8333-444455556666".parse().unwrap(),
        operator: address_of(of.verifying_key()),
        role: Role::Gateway,
        serial: 1,
    };
    let signature = delegation.sign(&by);
    let said = Said::DelegationGranted(Granted { delegation, signature });
    let reporter = address_of(of.verifying_key());
    let number = u64::from(carrier);
    let mut event = claim(reporter, Role::Controller, sample::job_id(1), number, said);
    (event.job_id, event.workload) = (None, None);
    let batch = sealed(carrier, None, &[event]);
    let position = world.append(&batch);
    let row = BatchRow {
        has_records: true,
        hash: batch.header.hash(),
        network: sample::NETWORK,
        ordinal: world.ledger.end().next - 1,
        position,
        ..sample::batch(sample::NETWORK, number)
    };
    world.warehouse.record_batches(&[row], None).unwrap();
}

fn note(publisher: u8, seq: u64) -> RefusalNote {
    RefusalNote {
        at_ms: sample::HOUR.start().plus(Millis(seq)),
        defect: Defect::BatchSignature,
        detail: format!("number {seq}"),
        event: None,
        hour: sample::HOUR,
        index: None,
        network: sample::NETWORK,
        position: Position { key: key(publisher), epoch: 4, seq },
        source: Source::Intake,
    }
}

#[tokio::test]
async fn an_operator_sees_what_was_refused_of_its_own_nodes() {
    let sign_in = Some(SignIn::new(settings()).unwrap());
    let world = World::with_private(Private { sign_in, ..Private::default() });
    for (publisher, of) in [(1, 7), (2, 8), (3, 7), (4, 7)] {
        speaks(&world, publisher, of);
    }
    delegated(&world, 7, 7, 1, 51);
    delegated(&world, 8, 8, 2, 52);
    // A delegation that somebody else signed shows nobody's right.
    delegated(&world, 7, 8, 3, 53);
    // Nor does one that names a key which speaks for somebody else: anybody can sign that.
    delegated(&world, 7, 7, 2, 54);
    let notes: Vec<_> = (1..=3)
        .flat_map(|key| [note(key, u64::from(key) * 10), note(key, u64::from(key) * 10 + 1)])
        .collect();
    world.warehouse.record_refusals(&[], &notes).unwrap();
    let mine = cookie(&world, &secret(7)).await;
    let answer = with_cookie(&world, "/v1/private/refusals", &mine).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let seen = answer.json();
    assert_eq!(seen["keys"], serde_json::json!([key(1)]));
    let items = seen["items"].as_array().unwrap();
    let seqs: Vec<u64> = items.iter().map(|item| item["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [11, 10], "newest first");
    assert_eq!(items[0]["code"], "E-BATCH-SIGNATURE");
    assert_eq!(
        (items[0]["detail"].as_str(), items[0]["epoch"].as_u64()),
        (Some("number 11"), Some(4))
    );
    assert!(items[0]["event_id"].is_null() && items[0]["reasons"]["event_id"].is_string());

    // A key that is delegated later is seen at once; another's is not there, whoever asks.
    delegated(&world, 7, 7, 4, 55);
    let again = with_cookie(&world, "/v1/private/refusals?limit=1", &mine).await.json();
    assert_eq!(again["keys"].as_array().unwrap().len(), 2);
    assert_eq!(again["items"].as_array().unwrap().len(), 1);
    // A key that named its address before it spoke for it is its own from when it does.
    delegated(&world, 7, 7, 5, 56);
    let keys = |seen: &serde_json::Value| seen["keys"].as_array().unwrap().len();
    assert_eq!(keys(&with_cookie(&world, "/v1/private/refusals", &mine).await.json()), 2);
    speaks(&world, 5, 7);
    assert_eq!(keys(&with_cookie(&world, "/v1/private/refusals", &mine).await.json()), 3);
    let other = format!("/v1/private/refusals?publisher={}", key(2));
    assert_eq!(with_cookie(&world, &other, &mine).await.problem(), "E-API-ABSENT");
    let nobody = cookie(&world, &secret(9)).await;
    let seen = with_cookie(&world, "/v1/private/refusals", &nobody).await.json();
    assert_eq!(seen["items"], serde_json::json!([]));
    assert_eq!(world.get("/v1/private/refusals").await.problem(), "E-API-SIGNED-OUT");
}
