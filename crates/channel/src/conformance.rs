//! What every channel and every backfill must do, as one suite that each implementation's tests run.
//! It never asks for more than the capabilities claim, and panics with what was broken.

mod archive;

use std::any::Any;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::traits::{
    Delivery, Message, Order, Publish, Receipt, Selector, Start, Subscribe, Subscription,
};

pub use archive::{Archive, archive, backfill};

/// A new channel, empty, with whatever must live as long as it does.
pub struct Home {
    /// The sending end.
    pub publish: Arc<dyn Publish>,
    /// The receiving end.
    pub subscribe: Arc<dyn Subscribe>,
    /// Servers, directories and the like.
    pub keep: Box<dyn Any + Send>,
}

/// The longest any step may take.
const STEP: Duration = Duration::from_secs(20);

/// Runs the whole suite, each part in a home of its own.
///
/// # Panics
/// With the promise that was broken.
pub async fn channel<F: Future<Output = Home>>(make: impl Fn() -> F) {
    everything_published_is_heard_by_everyone(make().await).await;
    order_is_kept_where_claimed(make().await).await;
    what_is_not_acknowledged_comes_again(make().await).await;
    what_a_leaver_held_is_heard_by_the_next(make().await).await;
    a_subscription_resumes_after_its_position(make().await).await;
    a_selector_selects(make().await).await;
    what_is_too_long_is_not_sent(make().await).await;
    closing_drains(make().await).await;
}

/// Several publishers and subscribers at once: whatever had a receipt reaches every subscriber at least once,
/// and nothing is heard that was never published.
pub async fn everything_published_is_heard_by_everyone(home: Home) {
    let chains = ["a", "b", "c", "d"];
    let mut hearers = Vec::new();
    for _ in 0..3 {
        let expected = chains.iter().flat_map(|chain| messages(chain, 25)).collect();
        hearers.push(tokio::spawn(hear(
            open(&home, Start::Oldest).await,
            expected,
            home.subscribe.capabilities().ack,
        )));
    }
    let publishers =
        chains.map(|chain| tokio::spawn(publish_all(home.publish.clone(), messages(chain, 25))));
    for publisher in publishers {
        step("publishing", publisher).await.expect("a publisher panicked");
    }
    for hearer in hearers {
        step("hearing", hearer).await.expect("a subscriber panicked");
    }
}

/// First deliveries keep the order of each chain, if the channel claims it.
pub async fn order_is_kept_where_claimed(home: Home) {
    let claims = [home.publish.capabilities().order, home.subscribe.capabilities().order];
    if claims.contains(&Order::None) {
        return;
    }
    let subscription = open(&home, Start::Oldest).await;
    let expected: Vec<Message> = ["a", "b"].iter().flat_map(|chain| messages(chain, 40)).collect();
    let hearer = tokio::spawn(hear(subscription, expected, true));
    let other = tokio::spawn(publish_all(home.publish.clone(), messages("b", 40)));
    publish_all(home.publish.clone(), messages("a", 40)).await;
    step("publishing", other).await.expect("a publisher panicked");
    let heard = step("hearing", hearer).await.expect("the subscriber panicked");
    for chain in ["a", "b"] {
        let mut seen = BTreeSet::new();
        let first: Vec<Message> = heard
            .iter()
            .filter(|one| one.chain == chain && seen.insert(one.body.clone()))
            .cloned()
            .collect();
        assert_eq!(first, messages(chain, 40), "chain {chain} arrived out of order");
    }
}

/// A delivery dropped without an acknowledgement is delivered again to the same subscription.
pub async fn what_is_not_acknowledged_comes_again(home: Home) {
    if !home.subscribe.capabilities().ack {
        return;
    }
    let mut subscription = open(&home, Start::Oldest).await;
    let publisher = tokio::spawn(publish_all(home.publish.clone(), messages("a", 3)));
    let dropped = next(&mut subscription).await.message.clone();
    loop {
        let delivery = next(&mut subscription).await;
        let is_again = delivery.message == dropped;
        delivery.ack().await.expect("an acknowledgement failed");
        if is_again {
            break;
        }
    }
    let hearer = tokio::spawn(drain(subscription));
    step("publishing", publisher).await.expect("the publisher panicked");
    hearer.abort();
}

/// What a subscription held unacknowledged when it went away is heard by the one that starts after it.
pub async fn what_a_leaver_held_is_heard_by_the_next(home: Home) {
    if !home.subscribe.capabilities().ack {
        return;
    }
    let mut leaver = open(&home, Start::Oldest).await;
    let publisher = tokio::spawn(publish_all(home.publish.clone(), messages("a", 3)));
    let held = next(&mut leaver).await;
    let position = leaver.position();
    drop(leaver);
    drop(held);
    let from = position.map_or(Start::Oldest, Start::After);
    let follower = open(&home, from).await;
    step("hearing", hear(follower, messages("a", 3), true)).await;
    step("publishing", publisher).await.expect("the publisher panicked");
}

/// A subscription that starts after a position hears what followed it, and not what was acknowledged before.
pub async fn a_subscription_resumes_after_its_position(home: Home) {
    let (sender, receiver) = (home.publish.capabilities(), home.subscribe.capabilities());
    if !receiver.replay || sender.order == Order::None || receiver.order == Order::None {
        return;
    }
    let all = messages("a", 5);
    publish_all(home.publish.clone(), all.clone()).await;
    let mut first = open(&home, Start::Oldest).await;
    for _ in 0..3 {
        next(&mut first).await.ack().await.expect("an acknowledgement failed");
    }
    let position = first.position().expect("a channel with replay has a position");
    drop(first);
    let rest: Vec<Message> = all.into_iter().skip(3).collect();
    let heard =
        step("hearing", hear(open(&home, Start::After(position)).await, rest.clone(), true)).await;
    assert_eq!(heard, rest, "it did not resume after its position");
}

/// A selector lets its chains through and nothing else.
pub async fn a_selector_selects(home: Home) {
    let only_b = Selector::Chains(["b".to_owned()].into());
    let mut narrow =
        home.subscribe.subscribe(only_b, Start::Oldest).await.expect("a subscription failed");
    let wide = tokio::spawn(drain(open(&home, Start::Oldest).await));
    let both = [messages("a", 5), messages("b", 5)].concat();
    let publisher = tokio::spawn(publish_all(home.publish.clone(), both));
    for _ in 0..if home.subscribe.capabilities().ack { 5 } else { 0 } {
        let delivery = next(&mut narrow).await;
        assert_eq!(delivery.message.chain, "b", "a chain passed that was not selected");
        delivery.ack().await.expect("an acknowledgement failed");
    }
    let narrow = tokio::spawn(drain(narrow));
    step("publishing", publisher).await.expect("the publisher panicked");
    narrow.abort();
    wide.abort();
}

/// A message over the bound, or under an unusable chain, is refused before it is sent; one at the bound passes.
pub async fn what_is_too_long_is_not_sent(home: Home) {
    let max_bytes = home.publish.capabilities().max_bytes;
    let of_length = |bytes: usize| Message { chain: "a".to_owned(), body: vec![7; bytes].into() };
    let refused = home.publish.publish(of_length(max_bytes + 1)).await;
    assert_eq!(refused, Err(Error::TooLong { bytes: max_bytes + 1, max_bytes }));
    for chain in ["", "two words", "line\nfeed", "é", &"x".repeat(129)] {
        let refused =
            home.publish.publish(Message { chain: chain.to_owned(), ..of_length(1) }).await;
        assert!(matches!(refused, Err(Error::Chain { .. })), "chain {chain:?} passed: {refused:?}");
    }
    let longest = vec![of_length(max_bytes)];
    let hearer = tokio::spawn(hear(
        open(&home, Start::Oldest).await,
        longest.clone(),
        home.subscribe.capabilities().ack,
    ));
    publish_all(home.publish.clone(), longest).await;
    step("hearing", hearer).await.expect("the subscriber panicked");
}

/// Closing waits for the publishers under way, refuses new ones, then ends the subscriptions.
pub async fn closing_drains(home: Home) {
    let mut subscription = open(&home, Start::Oldest).await;
    let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let publishers: Vec<_> = messages("a", 8)
        .into_iter()
        .map(|message| {
            let publish = home.publish.clone();
            tokio::spawn(async move { (message.body.clone(), publish.publish(message).await) })
        })
        .collect();
    let is_lossless = home.subscribe.capabilities().ack;
    let under_way = if is_lossless { Some(next(&mut subscription).await) } else { None };
    let publish = home.publish.clone();
    let closing = tokio::spawn(async move { publish.close(STEP).await });
    let hearer = tokio::spawn(async move {
        let mut delivery = under_way;
        while let Some(one) = delivery {
            let body = one.message.body.clone();
            one.ack().await.expect("an acknowledgement failed");
            report.send(body).expect("the suite listens until the subscription ends");
            delivery = subscription.next().await.expect("the subscription failed");
        }
    });
    assert_eq!(
        step("closing", closing).await.expect("closing panicked"),
        Ok(()),
        "closing the sending end"
    );
    let mut held = BTreeSet::new();
    for publisher in publishers {
        match step("publishing", publisher).await.expect("a publisher panicked") {
            (body, Ok(_)) => held.extend(is_lossless.then_some(body)),
            (_, Err(error)) => assert!(
                error.is_retryable() || error == Error::Closed,
                "publishing failed: {error}"
            ),
        }
    }
    while !held.is_empty() {
        let body = step("hearing what was held", reports.recv()).await;
        held.remove(&body.expect("the subscription ended before everything held was heard"));
    }
    assert_eq!(home.subscribe.close(STEP).await, Ok(()), "closing the receiving end");
    step("ending the subscription", hearer).await.expect("the subscriber panicked");
    let refused = home.publish.publish(Message { chain: "a".to_owned(), body: Bytes::new() }).await;
    assert!(refused.is_err(), "a closed channel published");
    assert_eq!(home.publish.health().await, Err(Error::Closed));
    assert_eq!(home.publish.close(STEP).await, Ok(()), "closing twice");
}

/// The messages that one publisher of the suite sends.
fn messages(chain: &str, count: usize) -> Vec<Message> {
    let body = |number| format!("{chain}/{number:03}").into();
    (0..count).map(|number| Message { chain: chain.to_owned(), body: body(number) }).collect()
}

async fn step<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(STEP, work)
        .await
        .unwrap_or_else(|_| panic!("{what} did not end within {STEP:?}"))
}

async fn open(home: &Home, from: Start) -> Box<dyn Subscription> {
    step("subscribing", home.subscribe.subscribe(Selector::All, from))
        .await
        .expect("a subscription failed")
}

/// Sends one after the other, again while it can help, as a spool does.
async fn publish_all(publish: Arc<dyn Publish>, messages: Vec<Message>) {
    let promised = if publish.capabilities().ack { Receipt::Held } else { Receipt::Sent };
    for message in messages {
        loop {
            match step("a publish", publish.publish(message.clone())).await {
                Ok(receipt) => {
                    break assert_eq!(
                        receipt, promised,
                        "the receipt is not what the capabilities say"
                    );
                }
                Err(error) => assert!(error.is_retryable(), "publishing failed: {error}"),
            }
        }
    }
}

async fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    loop {
        match step("the next delivery", subscription.next()).await {
            Ok(delivery) => return delivery.expect("the subscription ended early"),
            Err(error) => assert!(error.is_retryable(), "the subscription failed: {error}"),
        }
    }
}

/// Acknowledges until everything expected was heard (where nothing is lost), and returns all in order of arrival.
async fn hear(
    mut subscription: Box<dyn Subscription>,
    expected: Vec<Message>,
    is_lossless: bool,
) -> Vec<Message> {
    let bodies: BTreeSet<Bytes> = expected.into_iter().map(|message| message.body).collect();
    let (mut missing, mut heard) = (bodies.clone(), Vec::new());
    if !is_lossless {
        drain(subscription).await;
        return heard;
    }
    while !missing.is_empty() {
        let delivery = next(&mut subscription).await;
        let message = delivery.message.clone();
        assert!(bodies.contains(&message.body), "heard what was never published: {message:?}");
        missing.remove(&message.body);
        delivery.ack().await.expect("an acknowledgement failed");
        heard.push(message);
    }
    heard
}

/// Acknowledges until the subscription ends.
async fn drain(mut subscription: Box<dyn Subscription>) {
    while let Some(delivery) = subscription.next().await.expect("the subscription failed") {
        delivery.ack().await.expect("an acknowledgement failed");
    }
}
