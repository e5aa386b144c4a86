//! What is understood: the captured bytes of real clients, and every form records come in.

use super::*;

/// What go-livepeer's producer (kafka-go 0.4.47, acks all, CRC32 balancer) sent for two events.
const GATEWAY_PRODUCE: &str = "00000003 00000002 0000 ffff ffff 00001387 00000001 0002 6777 00000001 00000000 00000117
    0000000000000000 0000010b ffffffff 02 a373aec2 0000 00000001 000001a2035b9ac4 000001a2035b9ac4 ffffffffffffffff ffff ffffffff 00000002
    d601 00 00 00 12 676f2d303030303030 b601 7b226964223a22676f2d303030303030222c2274797065223a2273747265616d5f7472616365222c2274696d
    657374616d70223a2231373935333532363633373630222c2267617465776179223a22222c2264617461223a7b7d7d 00
    d601 00 00 02 12 676f2d303030303031 b601 7b226964223a22676f2d303030303031222c2274797065223a2273747265616d5f7472616365222c2274696d
    657374616d70223a2231373935333532363633373630222c2267617465776179223a22222c2264617461223a7b7d7d 00";

/// What librdkafka 2.16.1 sends to a broker it takes for a 0.9: Produce 1 with a message set of magic 0.
const OLD_PRODUCE: &str = "00000001 00000001 0007 72646b61666b61 ffff 00007530 00000001 0002 6777 00000001 00000000 0000010c
    0000000000000000 0000007a 30c672f6 00 00 00000010 636f6e666c75656e742d303030303030 0000005c 7b226964223a2022636f6e666c75656e742d30
    3030303030222c202274797065223a202273747265616d5f7472616365222c202274696d657374616d70223a202231373935333532363635303535222c20226461
    7461223a207b7d7d
    0000000000000001 0000007a 9076ab9b 00 00 00000010 636f6e666c75656e742d303030303031 0000005c 7b226964223a2022636f6e666c75656e742d30
    3030303031222c202274797065223a202273747265616d5f7472616365222c202274696d657374616d70223a202231373935333532363635303535222c20226461
    7461223a207b7d7d";

#[tokio::test]
async fn a_stock_gateway_is_answered_byte_for_byte() {
    let running = start().await;
    let mut stream = running.connect().await;
    let offered = ask(&mut stream, &unhex("0012 0000 00000001 0000")).await.unwrap();
    let expected = "00000001 0000 00000005 0000 0000 0003  0001 0004 0004  0003 0000 0001  0012 0000 0000  0016 0000 0001";
    assert_eq!(offered, unhex(expected), "kafka-go pins to ApiVersions 0, Metadata 1, Produce 3");
    let metadata = ask(&mut stream, &unhex("0003 0001 00000002 0000 ffffffff")).await.unwrap();
    let port = format!("{:08x}", running.address.port());
    let host = "0009 3132372e302e302e31";
    let topic = "00000001 0000 0002 6777 00 00000001  0000 00000000 00000000 00000001 00000000 00000001 00000000";
    assert_eq!(
        metadata,
        unhex(&format!("00000002 00000001 00000000 {host} {port} ffff 00000000 {topic}"))
    );
    for base in ["0000000000000000", "0000000000000002"] {
        let kept = ask(&mut stream, &unhex(GATEWAY_PRODUCE)).await.unwrap();
        let partition = format!("00000000 0000 {base} ffffffffffffffff");
        assert_eq!(
            kept,
            unhex(&format!("00000002 00000001 0002 6777 00000001 {partition} 00000000"))
        );
    }
    let kept = running.kept().await;
    assert_eq!(kept.len(), 4);
    assert_eq!(kept[1].key.as_deref(), Some("go-000001"));
    assert_eq!(kept[1].source, spool::Source::Kafka);
    assert_eq!(kept[1].received_ms, 1_767_908_945_298);
    let value = br#"{"id":"go-000001","type":"stream_trace","timestamp":"1795352663760","gateway":"","data":{}}"#;
    assert_eq!(kept[1].value, value);
    assert_eq!(running.counts.snapshot().kept["kafka"], 4);
    assert!(running.counts.snapshot().refused.is_empty());
}

#[tokio::test]
async fn a_client_that_asks_in_a_newer_form_is_told_to_ask_again() {
    let running = start().await;
    let mut stream = running.connect().await;
    // librdkafka's ApiVersions 3: a flexible header and body.
    let asked = "0012 0003 00000001 0007 72646b61666b61 00 05 74657374 05 312e3030 00";
    let answer = ask(&mut stream, &unhex(asked)).await.unwrap();
    assert_eq!(answer[..6], unhex("00000001 0023"), "UNSUPPORTED_VERSION, in version 0's form");
    assert!(ask(&mut stream, &unhex("0012 0000 00000002 0000")).await.is_some());
}

#[tokio::test]
async fn old_message_sets_are_understood() {
    let running = start().await;
    let mut stream = running.connect().await;
    let metadata = ask(&mut stream, &unhex("0003 0000 00000001 ffff 00000000")).await.unwrap();
    assert_eq!(
        metadata[metadata.len() - 30 - 4..][..4],
        unhex("0002 6777"),
        "version 0 asks for all by an empty list"
    );
    let answer = ask(&mut stream, &unhex(OLD_PRODUCE)).await.unwrap();
    assert_eq!(
        answer,
        unhex("00000001 00000001 0002 6777 00000001 00000000 0000 0000000000000000 00000000")
    );
    assert_eq!(running.kept_keys().await, ["confluent-000000", "confluent-000001"]);
    for version in 0..=3 {
        let set = [message(1, 0, Some("a"), b"x"), message(0, 0, None, b"y")].concat();
        let squeezed = message(1, 1, None, &gzip(&set));
        let answer = ask(&mut stream, &produce(version, 1, "gw", 0, &squeezed)).await.unwrap();
        assert_eq!(outcome(&answer).0, 0);
    }
    let kept = running.kept().await;
    assert_eq!(kept.len(), 10);
    assert_eq!((kept[8].key.as_deref(), kept[8].value.as_slice()), (Some("a"), b"x".as_slice()));
    assert_eq!((kept[9].key.as_deref(), kept[9].value.as_slice()), (None, b"y".as_slice()));
    let twice = message(1, 1, None, &gzip(&message(1, 1, None, &gzip(&message(1, 0, None, b"z")))));
    let answer = ask(&mut stream, &produce(2, 1, "gw", 0, &twice)).await.unwrap();
    assert_eq!(outcome(&answer), (87, -1), "a compressed set holds no compressed set");
}

#[tokio::test]
async fn several_batches_and_compressions_are_understood_and_others_refused() {
    let running = start().await;
    let mut stream = running.connect().await;
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let sets = [
        batch(&["a", "b"]),
        batch_with(&["c"], Compression::Gzip, gzip),
        batch_with(&["d", "e"], Compression::Zstd, zstd),
    ];
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &sets.concat())).await.unwrap();
    assert_eq!(outcome(&answer), (0, 0));
    for other in [Compression::Snappy, Compression::Lz4] {
        let records = batch_with(&["f"], other, <[u8]>::to_vec);
        let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &records)).await.unwrap();
        assert_eq!(outcome(&answer), (76, -1), "UNSUPPORTED_COMPRESSION_TYPE");
    }
    assert_eq!(running.kept_keys().await, ["a", "b", "c", "d", "e"]);
    assert_eq!(running.refused("E-KAFKA-COMPRESSION"), 2);
}

#[tokio::test]
async fn acknowledgements_are_as_asked() {
    let running = start().await;
    let mut stream = running.connect().await;
    send(&mut stream, &produce(3, 0, "gw", 0, &batch(&["silent"]))).await;
    let answer = ask(&mut stream, &produce(3, 1, "gw", 0, &batch(&["loud"]))).await.unwrap();
    assert_eq!(outcome(&answer), (0, 1), "the only answer is to the second");
    let answer = ask(&mut stream, &produce(3, 2, "gw", 0, &batch(&["odd"]))).await.unwrap();
    assert_eq!(outcome(&answer), (21, -1));
    for (topic, partition) in [("other", 0), ("gw", 1)] {
        let answer =
            ask(&mut stream, &produce(3, -1, topic, partition, &batch(&["lost"]))).await.unwrap();
        assert_eq!(outcome(&answer), (3, -1), "UNKNOWN_TOPIC_OR_PARTITION");
    }
    assert_eq!(running.refused("E-KAFKA-TOPIC"), 2);
    assert_eq!(running.kept_keys().await, ["silent", "loud"]);
}

#[tokio::test]
async fn other_topics_are_unknown_and_idempotent_producers_get_an_id() {
    let running = start().await;
    let mut stream = running.connect().await;
    let asked = unhex("0003 0001 00000002 0000 00000001 0003 616263");
    let answer = ask(&mut stream, &asked).await.unwrap();
    assert_eq!(answer[answer.len() - 16..], unhex("00000001 0003 0003 616263 00 00000000"));
    let mut init = header(22, 0);
    init.put_slice(&unhex("ffff 0000ea60"));
    assert_eq!(
        ask(&mut stream, &init).await.unwrap(),
        unhex("00000007 00000000 0000 0000000000000001 0000")
    );
    let mut init = header(22, 1);
    init.put_slice(&unhex("0001 74 0000ea60"));
    assert_eq!(
        ask(&mut stream, &init).await.unwrap(),
        unhex("00000007 00000000 002a ffffffffffffffff ffff")
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A message of an old set.
fn message(magic: u8, codec: u8, key: Option<&str>, value: &[u8]) -> Vec<u8> {
    let mut body = vec![magic, codec];
    if magic == 1 {
        body.put_i64(1_767_908_945_298);
    }
    body.put_i32(key.map_or(-1, |key| i32::try_from(key.len()).unwrap()));
    body.put_slice(key.unwrap_or_default().as_bytes());
    body.put_i32(i32::try_from(value.len()).unwrap());
    body.put_slice(value);
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let mut out = Vec::new();
    out.put_i64(0);
    out.put_i32(i32::try_from(body.len() + 4).unwrap());
    out.put_u32(crc.sum());
    out.put_slice(&body);
    out
}
