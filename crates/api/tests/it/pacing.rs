//! How often a client may ask: what costs how much, what it is told, and who is nobody's client.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use pace::Allowance;

use crate::world::{Answer, World};

/// A path that costs 1, and one that costs 20.
const CHEAP: &str = "/v1/jobs";
const DEAR: &str = "/v1/explain/0x0000000000000000000000000000000000000000";

async fn ask(world: &World, from: &str, path: &str) -> Answer {
    let from: SocketAddr = from.parse().unwrap();
    world.ask(Request::get(path).extension(ConnectInfo(from)).body(Body::empty()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let world = World::paced(Allowance { burst: 30, per_second: 10, ..Allowance::default() });
    let client = "192.0.2.1:4000";
    let answer = ask(&world, client, CHEAP).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("ratelimit-policy"), "\"client\";q=30;w=3");
    assert_eq!(answer.header("ratelimit"), "\"client\";r=29;t=1");
    let answer = ask(&world, "192.0.2.1:4001", DEAR).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "another port is no other client");
    assert_eq!(answer.header("ratelimit"), "\"client\";r=9;t=3", "a problem says it too");
    for _ in 0..9 {
        assert_eq!(ask(&world, client, CHEAP).await.status, StatusCode::OK);
    }
    let refused = ask(&world, client, CHEAP).await;
    assert_eq!((refused.problem().as_str(), refused.status.as_u16()), ("E-API-PACED", 429));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit"), "\"client\";r=0;t=3");
    assert_eq!(refused.header("access-control-allow-origin"), "*", "a page may read why");
    assert_eq!(ask(&world, client, "/healthz").await.status, StatusCode::OK, "it is free");
    assert_eq!(ask(&world, "192.0.2.2:4000", CHEAP).await.status, StatusCode::OK);
    let counted = ask(&world, "192.0.2.2:4000", "/metrics").await.text();
    assert!(counted.contains("naap_api_paced_requests_total 1\n"), "{counted}");
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = ask(&world, client, DEAR).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&world, client, DEAR).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn networks_are_clients_and_this_machine_is_none() {
    let world = World::paced(Allowance { burst: 1, per_second: 1, ..Allowance::default() });
    for _ in 0..5 {
        let answer = ask(&world, "127.0.0.1:4000", CHEAP).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (StatusCode::OK, ""));
    }
    assert_eq!(ask(&world, "[2001:db8::1]:1", CHEAP).await.status.as_u16(), 200);
    assert_eq!(ask(&world, "[2001:db8::2]:1", CHEAP).await.status.as_u16(), 429, "one /64");
    assert_eq!(ask(&world, "[2001:db8:0:1::2]:1", CHEAP).await.status.as_u16(), 200);
    let allowance =
        Allowance { burst: 1, per_second: 1, bounds_loopback: true, ..Allowance::default() };
    let strict = World::paced(allowance);
    assert_eq!(ask(&strict, "127.0.0.1:1", CHEAP).await.status.as_u16(), 200);
    assert_eq!(ask(&strict, "127.0.0.1:2", CHEAP).await.status.as_u16(), 429);
}
