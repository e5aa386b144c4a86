//! Exports: the manifest and the files, whole or visibly not.

use std::sync::atomic::Ordering;

use api::Limits;
use api::live::Bounds;
use axum::http::StatusCode;

use crate::world::World;

const PATH: &str = "/v1/exports/2026-01-08T21Z";

#[tokio::test]
async fn manifests_and_files_are_sent_as_they_are() {
    let world = World::empty();
    let large: Vec<u8> = (0..1_000_000u32).flat_map(|number| number.to_be_bytes()).collect();
    world.exports.files.lock().unwrap().insert("batches.ndjson".to_owned(), large.clone());
    world.exports.files.lock().unwrap().insert("policy.toml".to_owned(), b"id = 1".to_vec());
    assert_eq!(world.json(PATH).await["revision"], 1);
    let answer = world.get(&format!("{PATH}/batches.ndjson?revision=1")).await;
    assert_eq!(answer.header("content-length"), "4000000");
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    assert!(answer.body == Some(large));
    let answer = world.get(&format!("{PATH}/policy.toml")).await;
    assert_eq!(
        (answer.text().as_str(), answer.header("content-type")),
        ("id = 1", "application/toml")
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let world = World::empty();
    for (path, code) in [
        (format!("{PATH}?revision=9"), "E-API-ABSENT"),
        (format!("{PATH}/other.json"), "E-API-ABSENT"),
        (format!("{PATH}/broken.json"), "E-API-SOURCE"),
        ("/v1/exports/2026-01-08T22Z".to_owned(), "E-API-UNSETTLED"),
        (format!("{PATH}/.hidden"), "E-API-PARAMETER-INVALID"),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.problem(), code, "{path}");
        assert!(!answer.text().contains("fire"), "the reason stays in the log");
    }
}

#[tokio::test]
async fn a_file_that_is_not_as_announced_breaks_off() {
    let world = World::empty();
    world.exports.files.lock().unwrap().insert("context.json".to_owned(), vec![b' '; 100_000]);
    world.exports.lie.store(1, Ordering::SeqCst);
    let answer = world.get(&format!("{PATH}/context.json")).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, None));
}

#[tokio::test]
async fn exports_at_once_are_bounded() {
    let limits = Limits { exports: 0, ..Limits::default() };
    let world = World::bounded(limits, Bounds::default());
    assert_eq!(world.get(&format!("{PATH}/context.json")).await.problem(), "E-API-BUSY");
    assert_eq!(world.get(PATH).await.status, StatusCode::OK);
}
