//! Any event, any kind: what proptest draws from.
//!
//! Numbers go to the limits of their units, names to odd but allowed letters. No event is drawn that has no bytes.

use events::body::{Body, Kind, Orchestrator, Price, Reason, Witness};
use events::delegation::Delegation;
use events::event::{Event, Network, Origin, Role, Workload};
use events::identity::{
    Address, AddressSignature, Digest, JobId, Label, Model, Pipeline, PublisherKey, ServiceUrl,
};
use events::unit::{MAX_JSON_INTEGER, Millis, UnixMillis, Wei};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// A struct from a strategy for each of its fields.
macro_rules! record {
    ($($name:ident)::+ { $($field:ident: $strategy:expr),+ $(,)? }) => {
        ($($strategy,)+).prop_map(|($($field,)+)| $($name)::+ { $($field),+ })
    };
}

#[path = "strategies/bodies.rs"]
mod bodies;

fn integer() -> impl Strategy<Value = u64> {
    prop_oneof![0..=MAX_JSON_INTEGER, 0..1000u64, Just(MAX_JSON_INTEGER)]
}

fn span() -> impl Strategy<Value = Millis> {
    integer().prop_map(Millis)
}

fn moment() -> impl Strategy<Value = UnixMillis> {
    integer().prop_map(UnixMillis)
}

fn wei() -> impl Strategy<Value = Wei> {
    prop_oneof![any::<u128>(), 0..10u128, Just(u128::MAX)].prop_map(Wei)
}

/// Names with letters of one to four bytes, quotes, backslashes and inner spaces, cut to `most` bytes.
fn name<T: std::str::FromStr + std::fmt::Debug>(most: usize) -> impl Strategy<Value = T> {
    let letters =
        prop_oneof!["[a-z0-9/_.-]{1,20}", "[ -~é模\u{7ff}\u{feff}😀\"\\\\/]{0,40}", "[a-z]{128}",];
    letters.prop_filter_map("no name is left", move |text| {
        let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end))?;
        text[..end].trim().parse().ok()
    })
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn key() -> impl Strategy<Value = PublisherKey> {
    any::<[u8; 32]>().prop_map(PublisherKey)
}

fn job_id() -> impl Strategy<Value = JobId> {
    any::<[u8; 16]>().prop_map(JobId)
}

/// Places in their normal form.
pub fn url() -> impl Strategy<Value = ServiceUrl> {
    let host = prop_oneof![
        "[a-z0-9_-]{1,12}(\\.[a-z0-9-]{1,9}){0,3}",
        "\\[[0-9a-f]{0,4}::[0-9a-f]{1,4}\\]"
    ];
    (select(vec!["http", "https"]), host, 1..=u16::MAX)
        .prop_map(|(scheme, host, port)| format!("{scheme}://{host}:{port}").parse().unwrap())
}

fn signature() -> impl Strategy<Value = AddressSignature> {
    vec(any::<u8>(), 65).prop_map(|bytes| AddressSignature(bytes.try_into().unwrap()))
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn orchestrator() -> impl Strategy<Value = Orchestrator> {
    record!(Orchestrator { recipient: of(address()), signer: of(address()), url: of(url()) })
}

fn price() -> impl Strategy<Value = Price> {
    record!(Price { units: integer(), wei: wei() })
}

fn witness() -> impl Strategy<Value = Witness> {
    word(Witness::ALL)
}

fn reason() -> impl Strategy<Value = Reason> {
    word(Reason::ALL)
}

fn label() -> impl Strategy<Value = Label> {
    name(Label::MAX_BYTES)
}

fn model() -> impl Strategy<Value = Model> {
    name(Model::MAX_BYTES)
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    name(Pipeline::MAX_BYTES)
}

fn counter() -> impl Strategy<Value = i64> {
    let most = i64::try_from(MAX_JSON_INTEGER).unwrap();
    prop_oneof![-most..=most, Just(-most), Just(most)]
}

/// Any delegation.
pub fn delegation() -> impl Strategy<Value = Delegation> {
    record!(Delegation {
        expiry_ms: moment(),
        key: key(),
        network: word(Network::ALL),
        node: name(36),
        operator: address(),
        role: word(Role::ALL),
        serial: integer(),
    })
}

/// Any data of this kind.
pub fn body(kind: Kind) -> BoxedStrategy<Body> {
    bodies::body(kind).unwrap_or_else(|| panic!("write a strategy for {kind}"))
}

/// Any event of this kind.
pub fn event_of(kind: Kind) -> impl Strategy<Value = Event> {
    let who = (name(80), name(36), address(), word(Role::ALL), word(Network::ALL), moment());
    let what = (
        of(name(128)),
        of(job_id()),
        of(model()),
        of(word(Origin::ALL)),
        of(pipeline()),
        of(name(16)),
        of(word(Workload::ALL)),
    );
    (body(kind), who, what).prop_map(|(body, who, what)| {
        let (id, node, reporter, role, network, at_ms) = who;
        let (gateway, job_id, model, origin, pipeline, region, workload) = what;
        Event {
            at_ms,
            body,
            gateway,
            id,
            job_id,
            model,
            network,
            node,
            origin,
            pipeline,
            region,
            reporter,
            role,
            workload,
        }
    })
}

/// Any event.
pub fn event() -> impl Strategy<Value = Event> {
    select(Kind::ALL).prop_flat_map(event_of)
}
