//! Jobs and the claims about them, read back from signed batches.

use std::collections::BTreeSet;

use events::body::Witness;
use events::event::Role;
use events::identity::{Digest, PublisherKey};
use events::merkle;
use serde_json::Value;
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::reads::explained;
use crate::world::{World, claim, completed, requested, sealed};

/// A job that a gateway tells of in three batches and its orchestrator in one; gives its path.
fn told(world: &World) -> String {
    let (job_id, gateway, orchestrator) =
        (sample::job_id(7), sample::reporter(0), sample::operator(1));
    let said = |number, body| claim(gateway, Role::Gateway, job_id, number, body);
    let other = |number| claim(gateway, Role::Gateway, sample::job_id(8), number, requested());
    let first = sealed(1, None, &[other(0), said(1, requested()), said(2, requested())]);
    let second = sealed(1, Some(&first.tail()), &[other(3), said(4, requested()), other(5)]);
    let third = sealed(1, Some(&second.tail()), &[said(60, completed(Witness::Gateway))]);
    let done =
        claim(orchestrator, Role::Orchestrator, job_id, 50, completed(Witness::Orchestrator));
    let mirror = sealed(2, None, &[done]);
    let batches = [third, mirror, second, first].map(|batch| world.append(&batch));
    let mut fact = sample::fact(sample::HOUR, 7);
    fact.batches = BTreeSet::from(batches).into_iter().collect();
    let mut record = sample::record(sample::NETWORK, sample::HOUR, 0, 0);
    record.jobs = vec![fact];
    world.warehouse.record_hour(&record).unwrap();
    format!("/v1/jobs/{job_id}")
}

#[tokio::test]
async fn a_job_shows_every_partys_claims_with_their_evidence() {
    let world = World::empty();
    let path = told(&world);
    let job = world.json(&path).await;
    explained(&job);
    let claims = job["claims"]["items"].as_array().unwrap();
    let order: Vec<_> = claims.iter().map(|claim| claim["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(order, ["event-1", "event-2", "event-4", "event-50", "event-60"], "by sealing time");
    let roles: BTreeSet<_> = claims.iter().map(|claim| claim["role"].as_str().unwrap()).collect();
    assert_eq!(roles, BTreeSet::from(["gateway", "orchestrator"]));
    for claim in claims {
        check_evidence(&world, claim);
    }
    assert_eq!(
        (&job["claims"]["next"], &job["claims"]["batches_missing"]),
        (&Value::Null, &0.into())
    );
    let tenure = &job["hours"][0]["tenures"][0];
    assert_eq!(tenure["fps_out_milli_fps"], 17_298);
    let outcomes: Vec<_> =
        tenure["obligations"].as_array().unwrap().iter().map(|owed| &owed["outcome"]).collect();
    assert_eq!(outcomes, ["good", "bad", "excused"]);
    assert_eq!(tenure["obligations"][2]["excuse"], "user_left");
}

/// What a claim says of its batch is enough to check its signature and its place.
fn check_evidence(world: &World, claim: &Value) {
    let evidence = &claim["evidence"];
    let text = |member: &str| evidence[member].as_str().unwrap().to_owned();
    let key: PublisherKey = text("publisher").parse().unwrap();
    let position = events::batch::Position {
        key,
        epoch: evidence["epoch"].as_u64().unwrap(),
        seq: evidence["seq"].as_u64().unwrap(),
    };
    let sighting = world.ledger.find(&position)[0];
    let entry = world.ledger.get(sighting.ordinal).unwrap().unwrap();
    let batch = events::wire::decode(&entry.frame).unwrap();
    assert_eq!(text("header_hash"), batch.header.hash().to_string());
    assert_eq!(text("signature"), batch.signature.to_string());
    batch.header.verify(&text("signature").parse().unwrap()).unwrap();
    let index = usize::try_from(evidence["index"].as_u64().unwrap()).unwrap();
    let bytes = batch.payload.events().nth(index).unwrap();
    assert_eq!(text("event_hash").parse::<Digest>().unwrap(), merkle::leaf(bytes));
    assert_eq!(serde_json::to_vec(&claim["event"]).unwrap(), bytes, "canonical bytes");
    assert_eq!(evidence["is_equivocation"], false);
    assert_eq!(evidence["received_ms"].as_u64().unwrap(), entry.received_ms.0);
}

#[tokio::test]
async fn claims_page_over_their_full_key() {
    let world = World::empty();
    let path = told(&world);
    let whole = world.json(&path).await["claims"]["items"].as_array().unwrap().clone();
    for limit in 1..=6 {
        let mut walked = Vec::new();
        let mut next = Some(format!("{path}?limit={limit}"));
        while let Some(page) = next {
            let job = world.json(&page).await;
            let items = job["claims"]["items"].as_array().unwrap();
            assert!((1..=limit).contains(&items.len()), "no empty page");
            walked.extend(items.clone());
            assert!(walked.len() <= whole.len(), "goes round in circles");
            let cursor = job["claims"]["next"].as_str();
            next = cursor.map(|cursor| format!("{path}?limit={limit}&cursor={cursor}"));
        }
        assert_eq!(walked, whole, "limit {limit}");
    }
}

#[tokio::test]
async fn a_batch_that_is_not_there_is_counted_and_an_equivocation_is_shown() {
    let world = World::empty();
    let job_id = sample::job_id(7);
    let said = |number| claim(sample::reporter(0), Role::Gateway, job_id, number, requested());
    let (one, two) = (sealed(1, None, &[said(1)]), sealed(1, None, &[said(2)]));
    let position = world.append(&one);
    world.append(&two);
    let absent = events::batch::Position { seq: 99, ..position };
    let mut fact = sample::fact(sample::HOUR, 7);
    fact.batches = vec![position, absent];
    let mut record = sample::record(sample::NETWORK, sample::HOUR, 0, 0);
    record.jobs = vec![fact];
    world.warehouse.record_hour(&record).unwrap();
    let claims = world.json(&format!("/v1/jobs/{job_id}")).await["claims"].clone();
    assert_eq!(claims["batches_missing"], 1);
    let items = claims["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|claim| claim["evidence"]["is_equivocation"] == true));
}

#[tokio::test]
async fn job_filters_let_pass_what_they_name() {
    let world = World::settled();
    let start = sample::HOUR.start().0;
    for (query, count) in [
        ("state=completed".to_owned(), 11),
        ("workload=transcoding".to_owned(), 21),
        ("model=streamdiffusion&pipeline=live-video-to-video".to_owned(), 21),
        (format!("operator={}", sample::operator(1)), 16),
        (format!("reporter={}", sample::reporter(2)), 21),
        (format!("from_ms={start}&to_ms={}", start + 50_000), 10),
        (format!("from_ms={}", start + 3_600_000), 3),
    ] {
        let answer = world.json(&format!("/v1/jobs?limit=500&{query}")).await;
        assert_eq!(answer["items"].as_array().unwrap().len(), count, "{query}");
    }
}
