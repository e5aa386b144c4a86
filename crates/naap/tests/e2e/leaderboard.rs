//! Tests that others post: signed with a shared secret, kept before "ok", settled, and read back as the leaderboard.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::process::{Running, text, until};
use super::world::now;

const SECRET: &str = "shared by testers";

/// The golden vectors: who, how long in milliseconds, how often it went well and how often not, and the score.
const GOLDEN: &[(u8, u64, u64, u64, f64)] = &[
    (1, 8_000, 1, 0, 0.8949131045632943),
    (2, 2_000, 1, 0, 0.9701135363491284),
    (3, 1_000, 3, 1, 0.822223374926513),
    (4, 2_000, 3, 1, 0.8076135363491285),
    (6, 5_000, 11, 0, 0.65 + 0.35 * 0.8),
];

fn address(byte: u8) -> String {
    format!("0x{}", format!("{byte:02x}").repeat(20))
}

fn post(running: &Running, secret: &str, body: &Value) -> (u16, String) {
    let at = running.at("api");
    let body = serde_json::to_vec(body).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let code = hex::encode(mac.chain_update(&body).finalize().into_bytes());
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /api/post_stats HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\nauthorization: {code}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

fn result(byte: u8, took_ms: u64, number: u64, is_good: bool, seconds: u64) -> Value {
    json!({
        "region": "FRA", "orchestrator": address(byte), "success_rate": u8::from(is_good),
        "round_trip_time": f64::from(u32::try_from(took_ms).unwrap()) / 1_000.0,
        "errors": null, "timestamp": seconds - number, "model": "sd-turbo", "pipeline": "Text to image",
        "input_parameters": "{\"prompt\":\"a secret bear\"}",
    })
}

fn start(folder: &Path) -> Running {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let config = folder.join("naap.toml");
    std::fs::write(&config, format!("[leaderboard]\nsecret_file = {:?}\n", text(&secret))).unwrap();
    let data = folder.join("data");
    Running::start("dev", &data, &["--no-simulate", "--config", text(&config)])
}

const QUERY: &str = "pipeline=Text%20to%20image&model=sd-turbo";

fn scores(running: &Running) -> Value {
    let (status, answer) = running.get(&format!("/api/aggregated_stats?{QUERY}"));
    assert_eq!(status, 200, "{answer}");
    answer
}

fn are_golden(answer: &Value) -> Option<()> {
    let is_golden = |(byte, _, good, bad, score): &(u8, u64, u64, u64, f64)| {
        let found = &answer[address(*byte)]["FRA"];
        found["tests"] == json!(good + bad)
            && found["score"].as_f64().is_some_and(|found| (found - score).abs() < 1e-6)
    };
    GOLDEN.iter().all(is_golden).then_some(())
}

#[test]
fn posted_results_are_scored_survive_a_kill_and_count_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let running = start(folder.path());
    let seconds = now().0 / 1_000;
    let mut posted = Vec::new();
    for (byte, took_ms, good, bad, _) in GOLDEN {
        for number in 0..good + bad {
            let is_good = number < *good;
            posted.push(result(*byte, *took_ms, number, is_good, seconds));
        }
    }
    assert_eq!(post(&running, "another secret", &posted[0]).0, 403);
    for body in &posted {
        assert_eq!(post(&running, SECRET, body), (200, "ok".to_owned()), "{body}");
    }
    // Nothing but the disk knows by now.
    running.kill();

    let again = start(folder.path());
    until("the golden vectors", || are_golden(&scores(&again)));
    for body in &posted {
        assert_eq!(post(&again, SECRET, body).0, 200, "{body}");
    }
    until("the repeated ones to be known", || {
        let waits = again.metric("naap_spool_records{node=\"leaderboard\"}")?;
        let heard =
            again.metric("naap_heard_records_total{door=\"http\",node=\"leaderboard\"}").or_else(
                || again.metric("naap_heard_records_total{node=\"leaderboard\",door=\"http\"}"),
            )?;
        (waits == 0 && heard == u64::try_from(posted.len()).unwrap()).then_some(())
    });
    until("the golden vectors again", || are_golden(&scores(&again)));
    let (status, raw) = again.get(&format!("/api/raw_stats?orchestrator={}&{QUERY}", address(6)));
    assert_eq!((status, raw["FRA"].as_array().map(Vec::len)), (200, Some(11)), "{raw}");
    assert!(!raw.to_string().contains("bear"), "{raw}");
    let (_, none) = again.get("/v1/scores");
    assert_eq!(none["items"], json!([]), "no score rests on them");
    again.stop();
}

#[test]
fn without_a_secret_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start("dev", folder.path(), &["--no-simulate"]);
    let body = result(1, 1_000, 0, true, now().0 / 1_000);
    let (status, error) = post(&running, SECRET, &body);
    assert_eq!(status, 403);
    assert!(serde_json::from_str::<Value>(&error).unwrap()["error"].is_string(), "{error}");
    assert_eq!(running.get("/api/post_stats").0, 405);
    running.stop();
}
