//! Subscriptions as the API sees them: whose they are, and which answer each outcome has. What keeps them is tested where
//! it lives.

use std::sync::{Arc, Mutex};

use api::Private;
use api::private::{Keeper, Made, Refused, Status, Subscription, Wanted};
use api::sign_in::SignIn;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use events::delegation::address_of;
use events::identity::Address;
use events::unit::UnixMillis;
use futures_util::future::BoxFuture;
use serde_json::json;
use sla::rollup::{Detail, Rollup};
use sla::supply::Word;
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use super::{ORIGIN, cookie, post, secret, settings, with_cookie};
use crate::world::{Answer, World};

/// Keeps subscriptions in memory, and refuses by the name of the host.
#[derive(Default)]
struct Shelf(Mutex<Vec<(Address, Subscription)>>);

impl Keeper for Shelf {
    fn list(&self, owner: Address) -> Vec<Subscription> {
        let kept = self.0.lock().unwrap();
        kept.iter().filter(|(of, _)| *of == owner).map(|(_, it)| it.clone()).collect()
    }

    fn add(self: Arc<Self>, wanted: Wanted) -> BoxFuture<'static, Result<Made, Refused>> {
        Box::pin(async move {
            match wanted.url.as_str() {
                "https://url.example" => return Err(Refused::Url("no".to_owned())),
                "https://challenge.example" => return Err(Refused::Challenge("no".to_owned())),
                "https://many.example" => return Err(Refused::TooMany("no more".to_owned())),
                "https://busy.example" => return Err(Refused::Busy),
                "https://failed.example" => return Err(Refused::Failed("secret disk".to_owned())),
                _ => {}
            }
            let mut kept = self.0.lock().unwrap();
            let subscription = Subscription {
                created_ms: UnixMillis(1),
                delivered: 0,
                failures: 2,
                id: format!("sub-{}", kept.len()),
                last_failure: Some("status 500".to_owned()),
                network: wanted.network,
                status: Status::Active,
                url: wanted.url,
            };
            kept.push((wanted.owner, subscription.clone()));
            Ok(Made { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), subscription })
        })
    }

    fn remove(
        self: Arc<Self>,
        owner: Address,
        id: String,
    ) -> BoxFuture<'static, Result<bool, Refused>> {
        Box::pin(async move {
            let mut kept = self.0.lock().unwrap();
            let before = kept.len();
            kept.retain(|(of, it)| *of != owner || it.id != id);
            Ok(kept.len() < before)
        })
    }
}

fn world() -> World {
    let sign_in = Some(SignIn::new(settings()).unwrap());
    let keeper: Option<Arc<dyn Keeper>> = Some(Arc::new(Shelf::default()));
    let world = World::with_private(Private { keeper, sign_in, ..Private::default() });
    let offers = [7, 8].map(|number| Word {
        operator: address_of(secret(number).verifying_key()),
        ..sample::word(sample::HOUR, u64::from(number))
    });
    let (hour, rollup) = (sample::HOUR, Rollup::new(Detail::Hour));
    world.warehouse.record_rollup(sample::NETWORK, hour, &rollup, &offers, &[]).unwrap();
    world
}

async fn subscribe(world: &World, cookie: &str, url: &str) -> Answer {
    let request = post("/v1/private/subscriptions").header("cookie", cookie);
    world.ask(request.body(Body::from(json!({ "url": url }).to_string())).unwrap()).await
}

async fn remove(world: &World, cookie: &str, id: &str, origin: &str) -> Answer {
    let request = Request::delete(format!("/v1/private/subscriptions/{id}"));
    let request = request.header("cookie", cookie).header("origin", origin);
    world.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn subscriptions_are_their_owners_alone() {
    let world = world();
    let (mine, other) = (cookie(&world, &secret(7)).await, cookie(&world, &secret(8)).await);
    let made = subscribe(&world, &mine, "https://hooks.example/naap").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert!(made.json()["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = "/v1/private/subscriptions";
    let listed = with_cookie(&world, path, &mine).await;
    assert!(!listed.text().contains("whsec_"), "the secret is shown once");
    let item = &listed.json()["items"][0];
    assert_eq!((item["id"].as_str(), item["failures"].as_u64()), (Some("sub-0"), Some(2)));
    assert_eq!(with_cookie(&world, path, &other).await.json()["items"], json!([]));
    assert_eq!(remove(&world, &other, "sub-0", ORIGIN).await.problem(), "E-API-ABSENT");
    let crossed = remove(&world, &mine, "sub-0", "https://evil.example").await;
    assert_eq!(crossed.problem(), "E-API-ORIGIN");
    assert_eq!(remove(&world, &mine, "sub-0", ORIGIN).await.status, StatusCode::OK);
    assert_eq!(with_cookie(&world, path, &mine).await.json()["items"], json!([]));
    assert_eq!(subscribe(&world, "", "https://hooks.example").await.problem(), "E-API-SIGNED-OUT");
}

#[tokio::test]
async fn each_way_to_fail_has_a_code() {
    let world = world();
    let mine = cookie(&world, &secret(7)).await;
    for (host, code) in [
        ("url", "E-API-SUBSCRIPTION-URL"),
        ("challenge", "E-API-SUBSCRIPTION-CHALLENGE"),
        ("many", "E-API-SUBSCRIPTION-LIMIT"),
        ("busy", "E-API-BUSY"),
        ("failed", "E-API-SOURCE"),
    ] {
        let answer = subscribe(&world, &mine, &format!("https://{host}.example")).await;
        assert_eq!(answer.problem(), code);
        assert!(!answer.text().contains("secret disk"));
    }
    let sign_in = Some(SignIn::new(settings()).unwrap());
    let reading = World::with_private(Private { sign_in, ..Private::default() });
    let mine = cookie(&reading, &secret(7)).await;
    let answer = subscribe(&reading, &mine, "https://hooks.example").await;
    assert_eq!(answer.problem(), "E-API-SUBSCRIPTIONS-OFF");
}

#[tokio::test]
async fn whoever_the_record_does_not_know_subscribes_nothing() {
    let world = world();
    let stranger = cookie(&world, &secret(9)).await;
    let answer = subscribe(&world, &stranger, "https://hooks.example/naap").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.problem(), "E-API-SUBSCRIPTION-STRANGER");
    // A key of its own makes an address known, if that key speaks for it.
    super::views::delegated(&world, 9, 9, 1, 51);
    let answer = subscribe(&world, &stranger, "https://hooks.example/naap").await;
    assert_eq!(answer.problem(), "E-API-SUBSCRIPTION-STRANGER");
    super::views::speaks(&world, 1, 9);
    let answer = subscribe(&world, &stranger, "https://hooks.example/naap").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
}
