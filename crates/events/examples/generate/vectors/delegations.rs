//! Delegations: typed data, the hash that is signed, signatures good and bad, and when a delegation holds.

use events::delegation::{Delegation, MAX_LIFETIME, address_of};
use events::event::{Network, Role};
use events::identity::{Address, AddressSignature, PublisherKey};
use events::refusal::Defect;
use events::unit::{MAX_JSON_INTEGER, Millis, UnixMillis};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

/// The order of secp256k1's group (SEC 2 section 2.4.1).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// `schemas/vectors/delegations.json`.
pub fn vectors() -> Value {
    json!({
        "about": "Delegations with the typed data a wallet is shown, the hash it signs and its signature; `covers` says at which sealing times one holds.",
        "good": good(),
        "bad": bads(),
        "covers": covers(),
    })
}

/// The secret of the operator; published here, so it protects nothing.
fn secret(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).expect("the bytes are below the group's order")
}

fn delegation(secret: &SigningKey) -> Delegation {
    Delegation {
        expiry_ms: UnixMillis(1_775_000_000_000),
        key: PublisherKey([0x8a; 32]),
        network: Network::Livepeer,
        node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().expect("a UUID is a node id"),
        operator: address_of(secret.verifying_key()),
        role: Role::Gateway,
        serial: 1,
    }
}

fn good() -> Vec<Value> {
    let case = |name: &str, secret: SigningKey, change: fn(&mut Delegation)| {
        let mut delegation = delegation(&secret);
        change(&mut delegation);
        json!({
            "name": name,
            "delegation": delegation,
            "typed_data": delegation.typed_data(),
            "signing_hash": hex::encode(delegation.signing_hash()),
            "signature": delegation.sign(&secret),
        })
    };
    vec![
        case("a gateway", secret(7), |_| ()),
        case("an orchestrator of another operator", secret(8), |d| d.role = Role::Orchestrator),
        case("a simulated worker", secret(7), |d| {
            (d.network, d.role) = (Network::Simulation, Role::Worker);
        }),
        case("the largest numbers", secret(7), |d| {
            (d.serial, d.expiry_ms) = (MAX_JSON_INTEGER, UnixMillis(MAX_JSON_INTEGER));
        }),
        case("a node outside ASCII", secret(7), |d| d.node = "nœud".parse().expect("a short name")),
    ]
}

fn bads() -> Vec<Value> {
    let secret = secret(7);
    let good = delegation(&secret);
    let AddressSignature(signed) = good.sign(&secret);
    let case = |name: &str, delegation: &Delegation, signature: [u8; 65]| {
        let code = Defect::DelegationSignature.code();
        json!({ "name": name, "delegation": delegation, "signature": AddressSignature(signature), "code": code })
    };
    let changed = |change: fn(&mut Delegation)| {
        let mut other = good.clone();
        change(&mut other);
        other
    };
    let v = |to: fn(u8) -> u8| {
        let mut other = signed;
        other[64] = to(other[64]);
        other
    };
    let part = |from: usize, value: [u8; 32]| {
        let mut other = signed;
        for (to, byte) in other.iter_mut().skip(from).zip(value) {
            *to = byte;
        }
        other
    };
    vec![
        case("for another key", &changed(|d| d.key = PublisherKey([0x8b; 32])), signed),
        case("for another node", &changed(|d| d.node = "n".parse().expect("a short name")), signed),
        case("on another network", &changed(|d| d.network = Network::Simulation), signed),
        case("in another role", &changed(|d| d.role = Role::Tester), signed),
        case("with another serial", &changed(|d| d.serial = 2), signed),
        case("with a later end", &changed(|d| d.expiry_ms.0 += 1), signed),
        case(
            "for an address that did not sign",
            &changed(|d| d.operator = Address([1; 20])),
            signed,
        ),
        case("v of 0 or 1", &good, v(|v| v - 27)),
        case("v of 29 or 30", &good, v(|v| v + 2)),
        case("the other v", &good, v(|v| 55 - v)),
        case("s in the upper half", &good, upper_half(signed)),
        case("r of zero", &good, part(0, [0; 32])),
        case("s of zero", &good, part(32, [0; 32])),
        case("r of the group's order", &good, part(0, ORDER)),
        case("s of the group's order", &good, part(32, ORDER)),
        case("zeros", &good, [0; 65]),
    ]
}

/// The same signature by the curve's symmetry: the order less `s`, and the other `v`.
fn upper_half(mut signature: [u8; 65]) -> [u8; 65] {
    let mut borrow = false;
    for (byte, order) in signature.iter_mut().skip(32).take(32).rev().zip(ORDER.iter().rev()) {
        let (difference, under) = order.overflowing_sub(*byte);
        let (difference, under_too) = difference.overflowing_sub(u8::from(borrow));
        (*byte, borrow) = (difference, under || under_too);
    }
    signature[64] = 55 - signature[64];
    signature
}

fn covers() -> Vec<Value> {
    let good = delegation(&secret(7));
    let first = good.expiry_ms.minus(MAX_LIFETIME);
    let case = |name: &str, sealed: UnixMillis, covers: bool| json!({ "name": name, "expiry_ms": good.expiry_ms, "sealed_ms": sealed, "covers": covers });
    vec![
        case("the last moment", good.expiry_ms, true),
        case("after it", good.expiry_ms.plus(Millis(1)), false),
        case("90 days before", first, true),
        case("before that", first.minus(Millis(1)), false),
    ]
}
