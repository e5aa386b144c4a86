//! Explain and score: a recorded hour under other policies, and why a score is what it is, from the terminal and the API.

use std::path::Path;

use serde_json::Value;

use super::process::{Running, done, http, run, text};
use super::world::{THEN, as_export, envelopes};

const HOUR: &str = "2026-01-08T20Z";

/// Imports an hour of captures and gives an operator that failed at something in it.
fn imported(folder: &Path) -> (std::path::PathBuf, String) {
    let (data, file) = (folder.join("data"), folder.join("captures.json"));
    std::fs::write(&file, as_export(&envelopes(7, THEN, 70))).unwrap();
    done(&["import", "--data", text(&data), text(&file)]);
    let table = done(&["score", "--data", text(&data), "--policy", "evidence-1", "--window", HOUR]);
    let operators = table.lines().filter(|line| line.starts_with("0x"));
    let failing = operators.map(|line| line[..42].to_owned()).find(|operator| {
        let json = done(&["explain", "--data", text(&data), "--window", HOUR, "--json", operator]);
        let explained: Value = serde_json::from_str(&json).unwrap();
        explained["moved"].as_array().is_some_and(|moved| !moved.is_empty())
    });
    (data, failing.expect("somebody fails in every simulated hour"))
}

#[test]
fn an_hour_is_scored_under_any_policy_beside_what_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let (data, operator) = imported(folder.path());
    let score = |policy: &str| {
        done(&["score", "--data", text(&data), "--policy", policy, "--window", HOUR])
    };
    let line =
        |table: String| table.lines().find(|line| line.starts_with(&operator)).unwrap().to_owned();
    // Nobody is known for long enough, so the published policy gives no score and says why.
    assert!(line(score("evidence-1")).contains("none       none"));
    let pooled = line(score("reliability-1"));
    assert!(!pooled.contains("(no "), "{pooled}");
    let own = folder.path().join("own.toml");
    let policy =
        include_str!("../../../../policies/evidence-1.toml").replace("evidence-1", "own-1");
    std::fs::write(&own, policy.replace("record_min_ms = 604800000", "record_min_ms = 0")).unwrap();
    let told =
        done(&["score", "--data", text(&data), "--policy", text(&own), "--window", HOUR, "--all"]);
    assert!(!told.contains("168 h needed"), "{told}");
    std::fs::write(&own, policy.replace("weight = 3", "weight = 4")).unwrap();
    let refused = run(&["score", "--data", text(&data), "--policy", text(&own), "--window", HOUR]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && why.contains("line ") && why.contains("sum to 17"),
        "{why}"
    );
    let absent = run(&[
        "score",
        "--data",
        text(&data),
        "--policy",
        "leaderboard",
        "--window",
        "2025-01-08T20Z",
    ]);
    assert!(String::from_utf8_lossy(&absent.stderr).contains("no settled hour"));
}

#[test]
fn a_score_is_explained_down_to_the_signed_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (data, operator) = imported(folder.path());
    let page = done(&["explain", "--data", text(&data), "--window", HOUR, &operator]);
    for word in ["known for 1 h, 168 h needed", "jobs that cost it most:", "signed by", &operator] {
        assert!(page.contains(word), "{page}");
    }
    let serving = Running::start("dev", &data, &["--no-simulate"]);
    let path = format!("/v1/explain/{operator}?window={HOUR}");
    let (status, answer) = serving.get(&path);
    assert_eq!(status, 200, "{answer}");
    let json = done(&["explain", "--data", text(&data), "--window", HOUR, "--json", &operator]);
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["explanation"], told["explanation"]);
    assert_eq!(answer["moved"], told["moved"]);
    let (status, text_page) = http(serving.at("api"), "GET", &format!("{path}&format=text"), b"");
    assert_eq!((status, String::from_utf8(text_page).unwrap()), (200, page));
    // The batches it names are those of the job.
    let job = answer["moved"][0]["job_id"].as_str().unwrap();
    let (_, known) = serving.get(&format!("/v1/jobs/{job}"));
    let key = answer["moved"][0]["batches"][0]["key"].as_str().unwrap();
    assert!(known.to_string().contains(key), "{known}");
    for (path, expected) in [
        (format!("/v1/explain/0x{}?window={HOUR}", "1".repeat(40)), 404),
        (format!("/v1/explain/{operator}?window=2025-01-08T20Z"), 404),
        (format!("/v1/explain/nobody?window={HOUR}"), 400),
        (format!("/v1/explain/{operator}?format=html"), 400),
    ] {
        assert_eq!(serving.get(&path).0, expected, "{path}");
    }
    serving.stop();
}
