//! Signing in with messages that a real key signs, and what is there for whoever is signed in.

mod subscriptions;
mod views;

use api::Private;
use api::sign_in::{Settings, SignIn};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use events::delegation::address_of;
use events::sign_in::{checksummed, signed};
use events::unit::Millis;
use k256::ecdsa::SigningKey;
use serde_json::json;

use crate::world::{Answer, World};

const ORIGIN: &str = "https://naap.example";

pub fn secret(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        chain_id: 42_161,
        domain: "naap.example".to_owned(),
        session: Millis(3_600_000),
        sessions_max: 4,
        statement: None,
        uri: ORIGIN.to_owned(),
    }
}

fn world() -> World {
    let sign_in = Some(SignIn::new(settings()).unwrap());
    World::with_private(Private { sign_in, ..Private::default() })
}

/// A message of the address of `secret` with this nonce, made when the world's clock says it is.
fn message(secret: &SigningKey, nonce: &str) -> String {
    let address = checksummed(&address_of(secret.verifying_key()));
    format!(
        "naap.example wants you to sign in with your Ethereum account:\n{address}\n\n\n\
         URI: {ORIGIN}\nVersion: 1\nChain ID: 42161\nNonce: {nonce}\nIssued At: 2026-01-08T22:10:00.000Z"
    )
}

pub fn post(path: &str) -> axum::http::request::Builder {
    Request::post(path).header("content-type", "application/json").header("origin", ORIGIN)
}

pub async fn nonce(world: &World) -> String {
    world.json("/v1/private/nonce").await["nonce"].as_str().unwrap().to_owned()
}

async fn present(world: &World, text: &str, secret: &SigningKey) -> Answer {
    let body = json!({ "message": text, "signature": signed(text, secret) });
    let request = post("/v1/private/sign-in").body(Body::from(body.to_string())).unwrap();
    world.ask(request).await
}

/// The cookie of whoever holds `secret`.
pub async fn cookie(world: &World, secret: &SigningKey) -> String {
    let answer = present(world, &message(secret, &nonce(world).await), secret).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

pub async fn with_cookie(world: &World, path: &str, cookie: &str) -> Answer {
    world.ask(Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn whoever_signs_is_signed_in_until_they_sign_out() {
    let world = world();
    let key = secret(7);
    let offered = world.json("/v1/private/nonce").await;
    assert_eq!(
        (offered["domain"].as_str(), offered["uri"].as_str(), offered["chain_id"].as_u64()),
        (Some("naap.example"), Some(ORIGIN), Some(42_161))
    );
    let text = message(&key, offered["nonce"].as_str().unwrap());
    let answer = present(&world, &text, &key).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let set = answer.header("set-cookie").to_owned();
    let (pair, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=3600");
    let token = pair.strip_prefix("__Host-naap-session=").unwrap();
    assert_eq!(token.len(), 64, "256 bits");
    assert_eq!(answer.header("cache-control"), "no-store");
    let me = with_cookie(&world, "/v1/private/me", pair).await;
    let address = address_of(key.verifying_key()).to_string();
    assert_eq!(me.json()["address"], address);

    let out = post("/v1/private/sign-out").header("cookie", pair);
    let out = world.ask(out.body(Body::from("{}")).unwrap()).await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.text());
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let me = with_cookie(&world, "/v1/private/me", pair).await;
    assert_eq!((me.status, me.problem().as_str()), (StatusCode::UNAUTHORIZED, "E-API-SIGNED-OUT"));
}

#[tokio::test]
async fn a_nonce_signs_in_once() {
    let world = world();
    let key = secret(7);
    let text = message(&key, &nonce(&world).await);
    assert_eq!(present(&world, &text, &key).await.status, StatusCode::OK);
    let again = present(&world, &text, &key).await;
    assert_eq!(again.problem(), "E-API-SIGN-IN-NONCE");
    assert!(again.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn every_part_of_a_message_is_held_to() {
    let world = world();
    let key = secret(7);
    let nonce = nonce(&world).await;
    let text = message(&key, &nonce);
    let other = checksummed(&address_of(secret(8).verifying_key()));
    let mine = checksummed(&address_of(key.verifying_key()));
    let end = "Issued At: 2026-01-08T22:10:00.000Z";
    for (from, to, code) in [
        ("naap.example wants", "other.example wants", "E-API-SIGN-IN-DOMAIN"),
        ("naap.example wants", "http://naap.example wants", "E-API-SIGN-IN-DOMAIN"),
        ("naap.example wants", "naap.example want", "E-API-SIGN-IN-MESSAGE"),
        ("URI: https://naap.example", "URI: https://naap.example/", "E-API-SIGN-IN-URI"),
        ("Version: 1", "Version: 2", "E-API-SIGN-IN-VERSION"),
        ("Chain ID: 42161", "Chain ID: 1", "E-API-SIGN-IN-CHAIN"),
        (&nonce, "0123456789abcdef", "E-API-SIGN-IN-NONCE"),
        (&mine, &mine.to_lowercase(), "E-API-SIGN-IN-ADDRESS"),
        (&mine, &other, "E-API-SIGN-IN-SIGNATURE"),
        (end, "Issued At: 2026-01-08T22:12:00Z", "E-API-SIGN-IN-TIME"),
        (end, "Issued At: 2026-01-08T22:00:00Z", "E-API-SIGN-IN-TIME"),
        (end, &format!("{end}\nExpiration Time: 2026-01-08T22:10:00Z"), "E-API-SIGN-IN-TIME"),
        (end, &format!("{end}\nNot Before: 2026-01-08T22:10:01Z"), "E-API-SIGN-IN-TIME"),
        (end, &format!("{end}\n"), "E-API-SIGN-IN-MESSAGE"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        let answer = present(&world, &changed, &key).await;
        assert!(answer.status.is_client_error(), "{to}");
        assert_eq!(answer.problem(), code, "{to}");
    }
    let signature = signed("another text", &key);
    let body = json!({ "message": text, "signature": signature }).to_string();
    let answer = world.ask(post("/v1/private/sign-in").body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.problem(), "E-API-SIGN-IN-SIGNATURE");
    assert!(answer.text().contains("ERC-1271"), "{}", answer.text());
    // None of that used the nonce up.
    assert_eq!(present(&world, &text, &key).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_nonce_and_a_session_end() {
    let world = world();
    let key = secret(7);
    let text = message(&key, &nonce(&world).await);
    let later = |ms: u64| world.now_ms.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    later(5 * 60_000);
    assert_eq!(present(&world, &text, &key).await.problem(), "E-API-SIGN-IN-NONCE");
    world.now_ms.fetch_sub(5 * 60_000, std::sync::atomic::Ordering::SeqCst);
    let cookie = cookie(&world, &key).await;
    assert_eq!(with_cookie(&world, "/v1/private/me", &cookie).await.status, StatusCode::OK);
    later(3_600_000);
    let me = with_cookie(&world, "/v1/private/me", &cookie).await;
    assert_eq!(me.problem(), "E-API-SIGNED-OUT");
}

#[tokio::test]
async fn a_cookie_is_taken_whole_or_not_at_all() {
    let world = world();
    let cookie = cookie(&world, &secret(7)).await;
    let (name, token) = cookie.split_once('=').unwrap();
    let flipped = if token.ends_with('0') { "1" } else { "0" };
    let cut = &token[..63];
    for bad in [
        format!("{name}={cut}{flipped}"),
        format!("{name}={cut}"),
        format!("{name}="),
        format!("naap-session={token}"),
        format!("{cookie}; {name}=other"),
    ] {
        let answer = with_cookie(&world, "/v1/private/me", &bad).await;
        assert_eq!(answer.problem(), "E-API-SIGNED-OUT", "{bad}");
    }
    let among = format!("theme=dark; {cookie}; x=y");
    assert_eq!(with_cookie(&world, "/v1/private/me", &among).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let world = world();
    let cookie = cookie(&world, &secret(7)).await;
    let out = |headers: &[(&'static str, &str)], body: &str| {
        let start = Request::post("/v1/private/sign-out").header("cookie", &cookie);
        let request = headers.iter().fold(start, |it, (name, value)| it.header(*name, *value));
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let json = ("content-type", "application/json");
    for (headers, body, code) in [
        (vec![json, ("origin", "https://evil.example")], "{}", "E-API-ORIGIN"),
        (vec![json, ("origin", "null")], "{}", "E-API-ORIGIN"),
        (vec![json, ("origin", "http://naap.example")], "{}", "E-API-ORIGIN"),
        (vec![json, ("sec-fetch-site", "cross-site")], "{}", "E-API-ORIGIN"),
        (vec![json, ("sec-fetch-site", "same-site")], "{}", "E-API-ORIGIN"),
        (vec![("origin", ORIGIN)], "{}", "E-API-CONTENT-TYPE"),
        (vec![("origin", ORIGIN), ("content-type", "text/plain")], "{}", "E-API-CONTENT-TYPE"),
        (vec![json, ("origin", ORIGIN)], "{\"a\":1}", "E-API-BODY-INVALID"),
        (vec![json, ("origin", ORIGIN)], "", "E-API-BODY-INVALID"),
    ] {
        let answer = world.ask(out(&headers, body)).await;
        assert_eq!(answer.problem(), code, "{headers:?}");
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
    }
    let long = format!("{{{}}}", " ".repeat(9_000));
    let answer = world.ask(out(&[json, ("origin", ORIGIN)], &long)).await;
    assert_eq!(answer.problem(), "E-API-BODY");
    assert_eq!(with_cookie(&world, "/v1/private/me", &cookie).await.status, StatusCode::OK);
    let ours = [json, ("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
    assert_eq!(world.ask(out(&ours, "{}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_crowd_keeps_nobody_out() {
    let world = world();
    let mut cookies = Vec::new();
    for number in 1..=5 {
        cookies.push(cookie(&world, &secret(number)).await);
    }
    let mut signed_in = Vec::new();
    for cookie in &cookies {
        signed_in
            .push(with_cookie(&world, "/v1/private/me", cookie).await.status == StatusCode::OK);
    }
    assert_eq!(signed_in.last(), Some(&true), "there is room for whoever comes last");
    assert_eq!(signed_in.iter().filter(|is_in| **is_in).count(), 4, "one of the others gave way");
}

#[tokio::test]
async fn nothing_private_is_there_where_sign_in_is_off() {
    let world = World::empty();
    for path in
        ["/v1/private/nonce", "/v1/private/me", "/v1/private/refusals", "/v1/private/subscriptions"]
    {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::NOT_FOUND, "E-API-SIGN-IN-OFF")
        );
    }
    let body = Body::from("{}");
    let answer = world.ask(post("/v1/private/sign-in").body(body).unwrap()).await;
    assert_eq!(answer.problem(), "E-API-SIGN-IN-OFF");
}

#[test]
fn sign_in_is_offered_over_https_or_on_this_machine() {
    let with = |domain: &str, uri: &str| {
        SignIn::new(Settings { domain: domain.to_owned(), uri: uri.to_owned(), ..settings() })
    };
    for (domain, uri) in [
        ("naap.example", "https://naap.example/app"),
        ("127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("localhost", "http://localhost"),
        ("[::1]:80", "http://[::1]:80"),
    ] {
        with(domain, uri).unwrap();
    }
    for (domain, uri) in [
        ("naap.example", "http://naap.example"),
        ("naap.example", "https://other.example"),
        ("naap.example", "naap.example"),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example"),
        ("", "https://"),
    ] {
        assert!(with(domain, uri).is_err(), "{uri}");
    }
    let settings = Settings { statement: Some("say \"yes\"".to_owned()), ..settings() };
    assert!(SignIn::new(settings).is_err());
}
