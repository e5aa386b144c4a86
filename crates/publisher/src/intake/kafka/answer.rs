//! The answers we give, framed.
//! It never offers what the listener does not do: no fetching, no groups, no transactions.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProducerId,
    SaslAuthenticateResponse, SaslHandshakeResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::wire::Malformed;

pub const PRODUCE: i16 = 0;
pub const METADATA: i16 = 3;
pub const SASL_HANDSHAKE: i16 = 17;
pub const API_VERSIONS: i16 = 18;
pub const INIT_PRODUCER_ID: i16 = 22;
pub const SASL_AUTHENTICATE: i16 = 36;
const FETCH: i16 = 1;

/// Our only broker's id.
const BROKER: BrokerId = BrokerId(0);

/// What we say we do: key, lowest and highest version.
///
/// kafka-go takes the highest version both sides know, so these pin go-livepeer to Metadata 1 and Produce 3, the versions it was tested with.
/// InitProducerId is there for clients that are idempotent unless told otherwise. Fetch 4 is there because librdkafka sends record batches
/// only to brokers that also serve them; no producer ever calls it, and we would hang up.
const OFFERED: [(i16, i16, i16); 7] = [
    (PRODUCE, 0, 3),
    (FETCH, 4, 4),
    (METADATA, 0, 1),
    (API_VERSIONS, 0, 0),
    (INIT_PRODUCER_ID, 0, 1),
    (SASL_HANDSHAKE, 0, 1),
    (SASL_AUTHENTICATE, 0, 1),
];

/// Whether we serve this request in this version.
pub fn is_served(key: i16, version: i16) -> bool {
    key != FETCH
        && OFFERED
            .iter()
            .any(|(offered, low, high)| *offered == key && (*low..=*high).contains(&version))
}

/// What came of one partition of a Produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub index: i32,
    pub code: i16,
    pub base_offset: i64,
}

/// ApiVersions, always in version 0's form: a client that asked in a newer one finds `UNSUPPORTED_VERSION` (35) and asks again (KIP-511).
pub fn api_versions(
    correlation: i32,
    version: i16,
    with_sasl: bool,
) -> Result<BytesMut, Malformed> {
    let offered = OFFERED
        .into_iter()
        .filter(|(key, ..)| with_sasl || !matches!(*key, SASL_HANDSHAKE | SASL_AUTHENTICATE))
        .map(|(key, low, high)| {
            ApiVersion::default().with_api_key(key).with_min_version(low).with_max_version(high)
        });
    let code = if version == 0 { 0 } else { 35 };
    let body =
        ApiVersionsResponse::default().with_error_code(code).with_api_keys(offered.collect());
    frame(correlation, &body, 0)
}

/// Metadata: one broker, one topic, one partition; other topics are unknown (3).
pub fn metadata(
    correlation: i32,
    version: i16,
    host: &str,
    port: u16,
    topic: &str,
    asked: Option<Vec<&str>>,
) -> Result<BytesMut, Malformed> {
    let broker = MetadataResponseBroker::default()
        .with_node_id(BROKER)
        .with_host(StrBytes::from_string(host.to_owned()))
        .with_port(i32::from(port));
    let topics = asked.unwrap_or_else(|| vec![topic]).into_iter().map(|name| {
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BROKER)
            .with_replica_nodes(vec![BROKER])
            .with_isr_nodes(vec![BROKER]);
        let (code, partitions) = if name == topic { (0, vec![partition]) } else { (3, Vec::new()) };
        MetadataResponseTopic::default()
            .with_error_code(code)
            .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
            .with_partitions(partitions)
    });
    let body = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_controller_id(BROKER)
        .with_topics(topics.collect());
    frame(correlation, &body, version)
}

/// Produce, written by hand because the codec begins at version 3: version 1 adds the throttle time, version 2 the log-append time.
pub fn produce(
    correlation: i32,
    version: i16,
    topics: &[(&str, Vec<Outcome>)],
) -> Result<BytesMut, Malformed> {
    let mut out = begin(correlation);
    out.put_i32(length(topics.len())?);
    for (name, outcomes) in topics {
        out.put_i16(i16::try_from(name.len()).map_err(|_| Malformed)?);
        out.put_slice(name.as_bytes());
        out.put_i32(length(outcomes.len())?);
        for outcome in outcomes {
            out.put_i32(outcome.index);
            out.put_i16(outcome.code);
            out.put_i64(outcome.base_offset);
            if version >= 2 {
                out.put_i64(-1);
            }
        }
    }
    if version >= 1 {
        out.put_i32(0);
    }
    finish(out)
}

/// InitProducerId: any id will do, since repeats are told apart by event id. Transactions are refused (42, `INVALID_REQUEST`).
pub fn producer_id(
    correlation: i32,
    version: i16,
    is_transactional: bool,
) -> Result<BytesMut, Malformed> {
    let body = InitProducerIdResponse::default();
    let body = match is_transactional {
        true => body.with_error_code(42).with_producer_id(ProducerId(-1)).with_producer_epoch(-1),
        false => body.with_producer_id(ProducerId(1)).with_producer_epoch(0),
    };
    frame(correlation, &body, version)
}

/// SaslHandshake: PLAIN, or `UNSUPPORTED_SASL_MECHANISM` (33).
pub fn sasl_handshake(
    correlation: i32,
    version: i16,
    is_plain: bool,
) -> Result<BytesMut, Malformed> {
    let body = SaslHandshakeResponse::default()
        .with_error_code(if is_plain { 0 } else { 33 })
        .with_mechanisms(vec![StrBytes::from_static_str("PLAIN")]);
    frame(correlation, &body, version)
}

/// SaslAuthenticate: welcome, or `SASL_AUTHENTICATION_FAILED` (58).
pub fn sasl_authenticate(
    correlation: i32,
    version: i16,
    is_welcome: bool,
) -> Result<BytesMut, Malformed> {
    let body = SaslAuthenticateResponse::default().with_auth_bytes(Bytes::new());
    let body = match is_welcome {
        true => body.with_error_message(None),
        false => body
            .with_error_code(58)
            .with_error_message(Some(StrBytes::from_static_str("unknown user or wrong password"))),
    };
    frame(correlation, &body, version)
}

fn frame(correlation: i32, body: &impl Encodable, version: i16) -> Result<BytesMut, Malformed> {
    let mut out = begin(correlation);
    body.encode(&mut out, version).map_err(|_| Malformed)?;
    finish(out)
}

fn begin(correlation: i32) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i32(0);
    out.put_i32(correlation);
    out
}

fn finish(mut out: BytesMut) -> Result<BytesMut, Malformed> {
    let length = length(out.len().saturating_sub(4))?;
    out.get_mut(..4).ok_or(Malformed)?.copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn length(length: usize) -> Result<i32, Malformed> {
    i32::try_from(length).map_err(|_| Malformed)
}
