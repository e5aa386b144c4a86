//! Changes of a score reach whoever subscribed, signed, again after a failure, and across a restart.
//!
//! Signing in, the receiver and the check of signatures are written here anew, as an operator's own would be.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use events::delegation::address_of;
use events::identity::Address;
use events::unit::Ppm;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sla::rollup::{Detail, Rollup};
use sla::supply::Word;
use sla::window::{Hour, Span};
use warehouse::Warehouse as _;
use warehouse::contract::sample;
use warehouse::sqlite::Sqlite;

use super::process::{DEADLINE, Running, naap, until};

/// A request that the receiver got.
struct Heard {
    body: String,
    headers: Vec<(String, String)>,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// A receiver on loopback that gives challenges back and answers messages by the statuses it was told, then with 204.
struct Hook {
    at: SocketAddr,
    heard: Receiver<Heard>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Hook {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, (tell, heard)) = (listener.local_addr().unwrap(), channel());
        let statuses = Arc::new(Mutex::new(VecDeque::new()));
        let held = Arc::clone(&statuses);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &held, &tell);
            }
        });
        Self { at, heard, statuses }
    }

    fn next(&self) -> Heard {
        self.heard.recv_timeout(DEADLINE).expect("a message comes in time")
    }
}

fn answer(stream: TcpStream, statuses: &Mutex<VecDeque<u16>>, tell: &Sender<Heard>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut heard = Heard { body: String::new(), headers };
    let mut body = vec![0; heard.header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    heard.body = String::from_utf8(body).unwrap();
    let said: Value = serde_json::from_str(&heard.body).unwrap();
    let (status, body) = if said["type"] == "challenge" {
        (200, json!({ "challenge": said["challenge"] }).to_string())
    } else {
        let status = statuses.lock().unwrap().pop_front().unwrap_or(204);
        tell.send(heard).ok();
        (status, String::new())
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let mut stream = stream;
    stream.write_all(format!("{head}{body}").as_bytes()).ok();
}

/// A request with headers; gives the status, the headers and the body.
fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: {length}\r\n"
    );
    stream.write_all(format!("{head}{more}\r\n{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Signs in as a wallet would, and gives the cookie.
fn signed_in(running: &Running, key: &SigningKey) -> String {
    let at = running.at("api");
    let (_, _, offered) = ask(at, "GET", "/v1/private/nonce", &[], "");
    let origin = format!("http://{at}");
    assert_eq!(
        (offered["domain"].as_str(), offered["uri"].as_str()),
        (Some(&*at.to_string()), Some(&*origin))
    );
    let address = events::sign_in::checksummed(&address_of(key.verifying_key()));
    let nonce = offered["nonce"].as_str().unwrap();
    let now = humantime::format_rfc3339_millis(SystemTime::now());
    let message = format!(
        "{at} wants you to sign in with your Ethereum account:\n{address}\n\n\nURI: {origin}\nVersion: 1\n\
         Chain ID: 42161\nNonce: {nonce}\nIssued At: {now}"
    );
    let signature = events::sign_in::signed(&message, key);
    let body = json!({ "message": message, "signature": signature }).to_string();
    let headers = [("content-type", "application/json"), ("origin", &*origin)];
    let (status, head, said) = ask(at, "POST", "/v1/private/sign-in", &headers, &body);
    assert_eq!(status, 200, "{said}");
    let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(
        set.contains("HttpOnly; SameSite=Strict; Max-Age=") && !set.contains("Secure"),
        "{set}"
    );
    set.split(';').next().unwrap().to_owned()
}

fn subscribe(running: &Running, cookie: &str, url: &str) -> (u16, Value) {
    let (at, body) =
        (running.at("api"), json!({ "network": "simulation", "url": url }).to_string());
    let headers = [("content-type", "application/json"), ("cookie", cookie)];
    let (status, _, said) = ask(at, "POST", "/v1/private/subscriptions", &headers, &body);
    (status, said)
}

/// Writes a window of 24 hours in which the operator scores as given.
fn window(data: &Path, operator: Address, after: u64, score: u32) {
    let home = Sqlite::open(&data.join("warehouse.sqlite"), Default::default()).unwrap();
    let last = Hour(sample::HOUR.0 + after);
    let mut record = sample::window_record(sample::NETWORK, last, Span::Day, after);
    for scored in &mut record.scorecard.results {
        if scored.operator == Some(sample::operator(0)) {
            (scored.operator, scored.score) = (Some(operator), Some(Ppm(score)));
        }
    }
    home.record_window(&record).unwrap();
    // Whoever never had work or offered any cannot subscribe.
    let offer = Word { operator, ..sample::word(last, 0) };
    let rollup = Rollup::new(Detail::Hour);
    home.record_rollup(sample::NETWORK, last, &rollup, &[offer], &[]).unwrap();
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// The id and the data of a message whose signature is right.
fn checked(heard: &Heard, secret: &str) -> (String, Value) {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, time) = (heard.header("webhook-id"), heard.header("webhook-timestamp"));
    let signed = hmac(&key, format!("{id}.{time}.{}", heard.body).as_bytes());
    let expected = format!("v1,{}", BASE64_STANDARD.encode(signed));
    assert_eq!(heard.header("webhook-signature"), expected);
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!(body["type"], "score.changed");
    assert_eq!(body["data"]["id"], id);
    (id.to_owned(), body["data"].clone())
}

fn start(data: &Path) -> Running {
    let command = |arguments: &[&str]| {
        let mut command = naap(arguments);
        command.env("NAAP_WEBHOOKS__LOOPBACK", "true").env("NAAP_WEBHOOKS__RETRY_MS", "20");
        command
    };
    let running = Running::begin_by(command, "dev", data, &["--no-simulate"]).answering();
    until("the feed", || (running.get("/v1/feed.json?network=simulation").0 == 200).then_some(()));
    running
}

/// Addresses that may not be called are refused, and so is whoever does not give the challenge back.
fn refuses_what_may_not_be_called(running: &Running, cookie: &str) {
    for forbidden in
        ["https://10.0.0.1/", "http://example.org/", "https://169.254.169.254/", "nonsense"]
    {
        let (status, said) = subscribe(running, cookie, forbidden);
        // An address is judged when it is about to be called, whatever name it stands behind.
        let code = said["code"].as_str().unwrap_or_default();
        let is_refused = ["E-API-SUBSCRIPTION-URL", "E-API-SUBSCRIPTION-CHALLENGE"].contains(&code);
        assert!(status == 400 && is_refused, "{forbidden}: {said}");
    }
    // Our own API does not give challenges back.
    let (status, said) = subscribe(running, cookie, &format!("http://{}/", running.at("api")));
    assert_eq!(
        (status, said["code"].as_str()),
        (400, Some("E-API-SUBSCRIPTION-CHALLENGE")),
        "{said}"
    );
}

#[test]
fn changes_reach_their_subscriber_across_failures_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let operator = address_of(key.verifying_key());
    let hook = Hook::listen();
    let url = format!("http://{}/naap", hook.at);
    let running = start(data);
    let cookie = signed_in(&running, &key);
    let (status, said) = subscribe(&running, &cookie, &url);
    let stranger = Some("E-API-SUBSCRIPTION-STRANGER");
    assert_eq!((status, said["code"].as_str()), (403, stranger), "{said}");
    window(data, operator, 0, 900_000);
    refuses_what_may_not_be_called(&running, &cookie);
    let (status, made) = subscribe(&running, &cookie, &url);
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();

    hook.statuses.lock().unwrap().extend([500, 302]);
    window(data, operator, 1, 700_000);
    let heard: Vec<Heard> = (0..3).map(|_| hook.next()).collect();
    let ids: Vec<String> = heard.iter().map(|one| checked(one, &secret).0).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "a message keeps its id: {ids:?}");
    let (_, change) = checked(&heard[2], &secret);
    assert_eq!(change["_naap"]["before_score_ppm"], 900_000);
    assert_eq!(change["_naap"]["score_ppm"], 700_000);
    let headers = [("cookie", &*cookie)];
    let listed = until("the success to be noted", || {
        let path = "/v1/private/subscriptions";
        let (_, _, listed) = ask(running.at("api"), "GET", path, &headers, "");
        (listed["items"][0]["delivered"] == 1).then_some(listed)
    });
    assert_eq!(listed["items"][0]["failures"], 0);
    assert!(!listed.to_string().contains("whsec_"));
    running.stop();

    // What happens meanwhile is told after the next start, and what was told is not told again.
    window(data, operator, 2, 500_000);
    let running = start(data);
    let (id, change) = checked(&hook.next(), &secret);
    assert_ne!(id, ids[0]);
    assert_eq!(change["_naap"]["before_score_ppm"], 700_000);

    // Whoever was signed in is not any more; the subscription is there still, until its owner deletes it.
    let me = ask(running.at("api"), "GET", "/v1/private/me", &headers, "");
    assert_eq!((me.0, me.2["code"].as_str()), (401, Some("E-API-SIGNED-OUT")));
    let cookie = signed_in(&running, &key);
    let path =
        format!("/v1/private/subscriptions/{}", made["subscription"]["id"].as_str().unwrap());
    let (status, _, said) = ask(running.at("api"), "DELETE", &path, &[("cookie", &*cookie)], "");
    assert_eq!(status, 200, "{said}");
    window(data, operator, 3, 900_000);
    until("the feed to show it", || {
        let feed = running.get("/v1/feed.json?network=simulation").1;
        feed["items"][0]["id"].as_str().is_some_and(|id| id.contains("T00Z")).then_some(())
    });
    running.stop();
    assert!(hook.heard.try_recv().is_err(), "nothing is sent to whoever unsubscribed");
}
