//! How often one address may call.

use pace::{Allowance, Visitors};

use super::*;

#[tokio::test]
async fn an_address_that_calls_too_often_is_told_when_to_come_back() {
    let proxies = ["127.0.0.1".parse().unwrap()].into();
    let allowance = Allowance { burst: 2, per_second: 1, proxies, ..Allowance::default() };
    let visitors = Arc::new(Visitors::new(allowance));
    let served = Served {
        sink: Some(sink(|_| Ok(()))),
        source: Some(Arc::new(archive())),
        visitors: Some(visitors.clone()),
        ..Served::default()
    };
    let server = serve(served, LIMITS).await;
    let ask = async |call: &str, from: &str| {
        let rest = "host: x\r\nconnection: close\r\nchannel-chain: a\r\ncontent-length: 1";
        raw(&server, &format!("{call} HTTP/1.1\r\n{rest}\r\nx-forwarded-for: {from}\r\n\r\nx"))
            .await
    };
    let push = async |from: &str| ask("POST /channel/v1/batches", from).await;
    for _ in 0..2 {
        assert!(push("192.0.2.1").await.starts_with("HTTP/1.1 200"));
    }
    let refused = push("192.0.2.1").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 1"), "{refused}");
    assert!(refused.contains(code::BUSY), "{refused}");
    let heads = ask("GET /channel/v1/heads", "192.0.2.1").await;
    assert!(heads.starts_with("HTTP/1.1 429"), "whatever it calls: {heads}");
    let health = ask("GET /channel/v1/health", "192.0.2.1").await;
    assert!(
        health.starts_with("HTTP/1.1 200"),
        "who looks whether we live costs nothing: {health}"
    );
    assert_eq!(visitors.turned_away(), 2);
    assert!(push("192.0.2.2").await.starts_with("HTTP/1.1 200"), "others are not held up");
    // Somebody on this machine is nobody's client.
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    for _ in 0..10 {
        let message = Message { chain: "a".to_owned(), body: "x".into() };
        assert_eq!(peer.publish(message).await, Ok(Receipt::Held));
    }
}
