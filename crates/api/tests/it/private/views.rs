//! An operator sees what was refused of the keys that its address delegated to, and of no others.

use api::Private;
use api::sign_in::SignIn;
use axum::http::StatusCode;
use events::batch::Position;
use events::body::Body as Said;
use events::body::record::Granted;
use events::delegation::{Delegation, address_of};
use events::event::Role;
use events::refusal::Defect;
use events::unit::Millis;
use warehouse::Warehouse as _;
use warehouse::contract::sample;
use warehouse::record::{BatchRow, RefusalNote};
use warehouse::view::Source;

use super::{cookie, secret, settings, with_cookie};
use crate::world::{World, claim, sealed};

/// A world in whose record the address of `of` delegates to a key, by a signature of `by`.
fn delegated(world: &World, of: u8, by: u8, key: u64) {
    let (of, by) = (secret(of), secret(by));
    let now = sample::HOUR.start();
    let delegation = Delegation {
        expiry_ms: now.plus(Millis(86_400_000)),
        key: sample::key(key),
        network: sample::NETWORK,
        node: "3f6c1c0e-1111-4222-8333-444455556666".parse().unwrap(),
        operator: address_of(of.verifying_key()),
        role: Role::Gateway,
        serial: 1,
    };
    let signature = delegation.sign(&by);
    let said = Said::DelegationGranted(Granted { delegation, signature });
    let reporter = address_of(of.verifying_key());
    let mut event = claim(reporter, Role::Controller, sample::job_id(1), key, said);
    (event.job_id, event.workload) = (None, None);
    let batch = sealed(u8::try_from(key).unwrap() + 50, None, &[event]);
    let position = world.append(&batch);
    let row = BatchRow {
        has_records: true,
        hash: batch.header.hash(),
        network: sample::NETWORK,
        ordinal: world.ledger.end().next - 1,
        position,
        ..sample::batch(sample::NETWORK, key)
    };
    world.warehouse.record_batches(&[row], None).unwrap();
}

fn note(key: u64, seq: u64) -> RefusalNote {
    RefusalNote {
        at_ms: sample::HOUR.start().plus(Millis(seq)),
        defect: Defect::BatchSignature,
        detail: format!("number {seq}"),
        event: None,
        hour: sample::HOUR,
        index: None,
        network: sample::NETWORK,
        position: Position { key: sample::key(key), epoch: 4, seq },
        source: Source::Intake,
    }
}

#[tokio::test]
async fn an_operator_sees_what_was_refused_of_its_own_nodes() {
    let sign_in = Some(SignIn::new(settings()).unwrap());
    let world = World::with_private(Private { sign_in, ..Private::default() });
    delegated(&world, 7, 7, 1);
    delegated(&world, 8, 8, 2);
    // A delegation that somebody else signed shows nobody's right.
    delegated(&world, 7, 8, 3);
    let notes: Vec<_> =
        (1..=3).flat_map(|key| [note(key, key * 10), note(key, key * 10 + 1)]).collect();
    world.warehouse.record_refusals(&[], &notes).unwrap();
    let mine = cookie(&world, &secret(7)).await;
    let answer = with_cookie(&world, "/v1/private/refusals", &mine).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let seen = answer.json();
    assert_eq!(seen["keys"], serde_json::json!([sample::key(1)]));
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
    delegated(&world, 7, 7, 4);
    let again = with_cookie(&world, "/v1/private/refusals?limit=1", &mine).await.json();
    assert_eq!(again["keys"].as_array().unwrap().len(), 2);
    assert_eq!(again["items"].as_array().unwrap().len(), 1);
    let other = format!("/v1/private/refusals?publisher={}", sample::key(2));
    assert_eq!(with_cookie(&world, &other, &mine).await.problem(), "E-API-ABSENT");
    let nobody = cookie(&world, &secret(9)).await;
    let seen = with_cookie(&world, "/v1/private/refusals", &nobody).await.json();
    assert_eq!(seen["items"], serde_json::json!([]));
    assert_eq!(world.get("/v1/private/refusals").await.problem(), "E-API-SIGNED-OUT");
}
