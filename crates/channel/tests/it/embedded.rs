//! The embedded channel.

use std::sync::Arc;
use std::time::Duration;

use channel::conformance::{self, Home};
use channel::embedded::{Embedded, Limits};
use channel::{Channel, Error, Message, Publish, Receipt, Selector, Start, Subscribe};

pub fn home(limits: Limits) -> Home {
    let channel = Arc::new(Embedded::new(limits));
    Home { publish: channel.clone(), subscribe: channel, keep: Box::new(()) }
}

fn message(body: &'static str) -> Message {
    Message { chain: "a".to_owned(), body: body.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    conformance::channel(async || home(Limits::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_with_room_for_one() {
    conformance::channel(async || home(Limits { messages_max: 1, ..Limits::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_for_a_subscriber_until_its_deadline_and_may_try_again() {
    let channel = Embedded::new(Limits { wait_ms: 500, ..Limits::default() });
    assert!(channel.health().await.unwrap_err().is_retryable());
    let error = channel.publish(message("early")).await.unwrap_err();
    assert_eq!(error, Error::Absent { waited_ms: 500 });
    assert!(error.is_retryable() && !error.is_refusal());

    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { channel.publish(message("again")).await }
    });
    tokio::time::advance(Duration::from_millis(100)).await;
    let mut subscription = channel.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let delivery = subscription.next().await.unwrap().unwrap();
    assert_eq!(delivery.message, message("again"), "the message given up was taken back");
    assert!(!waiting.is_finished(), "the receipt came before the acknowledgement");
    delivery.ack().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Receipt::Held));
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_present_must_hold_it_and_leaving_frees_the_publisher() {
    let channel = Embedded::new(Limits::default());
    let mut first = channel.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let second = channel.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let other =
        channel.subscribe(Selector::Chains(["b".to_owned()].into()), Start::Oldest).await.unwrap();
    let publish = channel.publish(message("one"));
    tokio::pin!(publish);
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut publish).await.is_err());
    first.next().await.unwrap().unwrap().ack().await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut publish).await.is_err());
    drop(second);
    assert_eq!(publish.await, Ok(Receipt::Held));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn closing_gives_up_after_the_drain_and_nobody_gets_a_receipt() {
    let channel = Embedded::new(Limits::default());
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { channel.publish(message("one")).await }
    });
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let channel = channel.clone();
        async move { channel.close(Duration::from_millis(50)).await }
    });
    tokio::task::yield_now().await;
    let late =
        tokio::time::timeout(Duration::from_millis(1), channel.publish(message("late"))).await;
    assert_eq!(late.expect("it is refused at once"), Err(Error::Closed));
    let drained = closing.await.unwrap();
    assert_eq!(drained, Err(Error::Undrained { left: 1, waited_ms: 50 }));
    assert_eq!(waiting.await.unwrap(), Err(Error::Closed));
}

#[tokio::test]
async fn subscriptions_are_bounded() {
    let channel = Embedded::new(Limits { subscriptions_max: 1, ..Limits::default() });
    let first = channel.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let refused = channel.subscribe(Selector::All, Start::Oldest).await.err().unwrap();
    assert!(refused.is_retryable());
    drop(first);
    assert!(channel.subscribe(Selector::All, Start::Oldest).await.is_ok());
}
