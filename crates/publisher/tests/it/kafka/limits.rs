//! What is refused: broken, too large, too many, too slow; always for the one client alone.

use super::*;
use proptest::prelude::*;
use publisher::spool::Position;

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_records_keeps_nothing() {
    let running = start().await;
    let whole = produce(3, -1, "gw", 0, &batch(&["a", "b"])).to_vec();
    let records = batch(&["a", "b"]).len();
    for at in whole.len() - records..whole.len() {
        let mut frame = whole.clone();
        frame[at] ^= 1 << (at % 8);
        let mut stream = running.connect().await;
        let answer = ask(&mut stream, &frame).await.unwrap();
        let offset = at - (whole.len() - records);
        match offset {
            // The client's own base offset and leader epoch are outside the checksum and mean nothing to us.
            0..8 | 12..16 => assert_eq!(outcome(&answer).0, 0, "byte {offset}"),
            8..12 | 16 => assert!([2, 87].contains(&outcome(&answer).0), "byte {offset}"),
            _ => assert_eq!(outcome(&answer), (2, -1), "byte {offset}"),
        }
    }
    assert_eq!(running.kept().await.len(), 12 * 2);
}

#[tokio::test]
async fn a_frame_cut_anywhere_ends_that_connection_only() {
    let running = start().await;
    let mut other = running.connect().await;
    let body = produce(3, -1, "gw", 0, &batch(&["a"])).to_vec();
    for cut in 0..body.len() {
        // A request that says it is shorter than it is.
        let mut stream = running.connect().await;
        if let Some(answer) = ask(&mut stream, &body[..cut]).await {
            panic!("cut at {cut} was answered {answer:?}");
        }
        // A connection that ends in the middle.
        let mut stream = running.connect().await;
        stream.write_u32(u32::try_from(body.len()).unwrap()).await.unwrap();
        stream.write_all(&body[..cut]).await.unwrap();
        drop(stream);
    }
    running.refused_at_last("E-KAFKA-FRAME", 2 * body.len() as u64).await;
    assert!(running.kept().await.is_empty());
    let answer = ask(&mut other, &body).await.unwrap();
    assert_eq!(outcome(&answer), (0, 0));
}

#[tokio::test]
async fn lengths_that_lie_are_not_believed() {
    let running = start().await;
    for (length, code) in [(u32::MAX, "E-KAFKA-FRAME"), (0x1603_0100, "E-INPUT-TOO-LARGE")] {
        let mut stream = running.connect().await;
        stream.write_u32(length).await.unwrap();
        assert!(receive(&mut stream).await.is_none());
        running.refused_at_last(code, 1).await;
    }
    // Two thousand million topics, partitions, records, headers: each asks for a reservation no machine has.
    let huge = "7fffffff";
    let mut topics = produce(3, -1, "gw", 0, &[]).to_vec();
    let at = topics.len() - 12 - 4 - 4;
    topics[at..at + 4].copy_from_slice(&unhex(huge));
    let metadata = unhex(&format!("0003 0001 00000002 0000 {huge}"));
    for frame in [topics, metadata] {
        assert!(ask(&mut running.connect().await, &frame).await.is_none());
    }
    let mut records = batch(&["a"]);
    records[57..61].copy_from_slice(&unhex(huge));
    let crc = crc32c::crc32c(&records[21..]);
    records[17..21].copy_from_slice(&crc.to_be_bytes());
    let answer =
        ask(&mut running.connect().await, &produce(3, -1, "gw", 0, &records)).await.unwrap();
    assert_eq!(outcome(&answer), (87, -1));
    assert!(running.kept().await.is_empty());
}

#[tokio::test]
async fn a_small_frame_that_inflates_too_far_is_refused() {
    let mut config = plain();
    config.limits.inflated_bytes_max = 1 << 16;
    config.limits.records_max = 5;
    let running = start_with(config, |_| {}).await;
    let mut stream = running.connect().await;
    let bomb = zstd::encode_all([0; 1 << 20].as_slice(), 3).unwrap();
    let records = batch_with(&["a"], Compression::Zstd, |_| bomb.clone());
    assert!(records.len() < 2000);
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &records)).await.unwrap();
    assert_eq!(outcome(&answer), (18, -1), "RECORD_LIST_TOO_LARGE");
    let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&["a"; 6]))).await.unwrap();
    assert_eq!(outcome(&answer), (18, -1));
    assert_eq!(running.refused("E-INPUT-TOO-LARGE"), 2);
    assert!(running.kept().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_inflates_waits_for_memory_and_nobody_for_ever() {
    let mut config = plain();
    config.limits.request_bytes_max = 4 << 10;
    config.limits.inflated_bytes_max = 1 << 20;
    config.limits.memory_bytes_max = 0;
    let place = tempfile::tempdir().unwrap();
    let bind = async |config: Config| {
        let spool = Arc::new(Spool::open(&spool::Config::at(place.path().join("spool"))).unwrap());
        Listener::bind(config, spool, Arc::new(|| 0), Counts::default()).await
    };
    let error = bind(config.clone()).await.err().unwrap().to_string();
    // One request, read: what it is, what it inflates to twice, a decoder's window and its records.
    let least: usize =
        error.split("at least ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((10 << 20..20 << 20).contains(&least), "{error}");
    config.limits.memory_bytes_max = least;
    let running = Arc::new(start_with(config, |_| {}).await);
    let clients: Vec<_> = (0..40)
        .map(|client| {
            let running = Arc::clone(&running);
            tokio::spawn(async move {
                let large = format!("{client}-{}", "0".repeat(450 << 10));
                let compress = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
                let records = batch_with(&[&large], Compression::Zstd, compress);
                assert!(records.len() < 2_000);
                let frame = produce(3, -1, "gw", 0, &records);
                outcome(&ask(&mut running.connect().await, &frame).await.unwrap()).0
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), 0);
    }
    assert_eq!(running.kept().await.len(), 40);
}

#[tokio::test]
async fn a_full_disk_is_answered_with_an_error_to_retry_until_there_is_room() {
    let small = |settings: &mut spool::Config| {
        settings.segment_bytes = 256;
        settings.quota_bytes = 1024;
    };
    let running = start_with(plain(), small).await;
    let mut stream = running.connect().await;
    let mut acknowledged = 0;
    let code = loop {
        let answer = ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&["a"]))).await.unwrap();
        match outcome(&answer).0 {
            0 => acknowledged += 1,
            code => break code,
        }
    };
    assert_eq!(code, 56, "KAFKA_STORAGE_ERROR");
    assert_eq!(running.kept().await.len(), acknowledged);
    assert_eq!((running.refused("E-SPOOL-FULL"), running.spool.refused_records()), (1, 1));
    send(&mut stream, &produce(3, 0, "gw", 0, &batch(&["a"]))).await;
    assert!(receive(&mut stream).await.is_none(), "with acks 0 only a hang-up can tell");
    running.refused_at_last("E-SPOOL-FULL", 2).await;
    running.spool.commit(running.spool.end(), 0).await.unwrap();
    let answer = ask(&mut running.connect().await, &produce(3, -1, "gw", 0, &batch(&["again"])))
        .await
        .unwrap();
    assert_eq!(outcome(&answer), (0, i64::try_from(acknowledged).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_lose_nothing_and_too_many_are_turned_away() {
    let running = Arc::new(start().await);
    let clients: Vec<_> = (0..60)
        .map(|client| {
            let running = Arc::clone(&running);
            tokio::spawn(async move {
                let mut stream = running.connect().await;
                for n in 0..20 {
                    let key = format!("{client}-{n}");
                    let answer =
                        ask(&mut stream, &produce(3, -1, "gw", 0, &batch(&[&key]))).await.unwrap();
                    assert_eq!(outcome(&answer).0, 0);
                }
                stream
            })
        })
        .collect();
    let mut open = Vec::new();
    for client in clients {
        open.push(client.await.unwrap());
    }
    let mut keys = running.kept_keys().await;
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 1200);
    while open.len() < 64 {
        open.push(running.connect().await);
        assert!(ask(open.last_mut().unwrap(), &unhex("0012 0000 00000001 0000")).await.is_some());
    }
    assert!(receive(&mut running.connect().await).await.is_none());
    running.refused_at_last("E-DOOR-BUSY", 1).await;
    open.pop();
    let again = async {
        while ask(&mut running.connect().await, &unhex("0012 0000 00000001 0000")).await.is_none() {
        }
    };
    timeout(PATIENCE, again).await.expect("a slot is free again");
}

#[tokio::test]
async fn a_silent_client_is_hung_up_on_and_a_stalled_one_counted() {
    let mut config = plain();
    config.limits.idle = Duration::from_millis(50);
    config.limits.request = Duration::from_millis(50);
    let running = start_with(config, |_| {}).await;
    assert!(receive(&mut running.connect().await).await.is_none());
    assert!(running.counts.snapshot().refused.is_empty());
    let mut stalled = running.connect().await;
    stalled.write_all(&unhex("00000010 00")).await.unwrap();
    assert!(receive(&mut stalled).await.is_none());
    running.refused_at_last("E-DOOR-SLOW", 1).await;
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_then_ends() {
    let running = start().await;
    let mut idle = running.connect().await;
    assert!(ask(&mut idle, &unhex("0012 0000 00000001 0000")).await.is_some());
    let mut busy = running.connect().await;
    let frame = produce(3, -1, "gw", 0, &batch(&["last"]));
    busy.write_u32(u32::try_from(frame.len()).unwrap()).await.unwrap();
    busy.write_all(&frame[..20]).await.unwrap();
    // Both connections are served in order of arrival, so once a third is answered the first bytes of the second have been read.
    let mut third = running.connect().await;
    assert!(ask(&mut third, &unhex("0012 0000 00000001 0000")).await.is_some());
    tokio::task::yield_now().await;
    running.stop.cancel();
    assert!(receive(&mut idle).await.is_none());
    busy.write_all(&frame[20..]).await.unwrap();
    let answer = receive(&mut busy).await;
    timeout(PATIENCE, running.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
    if let Some(answer) = answer {
        assert_eq!(outcome(&answer), (0, 0));
        assert_eq!(running.spool.end(), Position(1));
    } else {
        assert_eq!(running.spool.end(), Position(0));
    }
    drop(running.home);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn nothing_a_client_sends_hurts_another(flips in proptest::collection::vec((0_usize..400, any::<u8>()), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = start().await;
            let whole = produce(3, -1, "gw", 0, &batch_with(&["a"; 9], Compression::Zstd, |b| zstd::encode_all(b, 1).unwrap()));
            for (at, byte) in flips {
                let mut frame = whole.to_vec();
                let at = at % frame.len();
                frame[at] = byte;
                frame.truncate(frame.len() - usize::from(byte) % 3);
                let mut stream = running.connect().await;
                send(&mut stream, &frame).await;
                stream.shutdown().await.unwrap();
                receive(&mut stream).await;
            }
            let answer = ask(&mut running.connect().await, &produce(3, -1, "gw", 0, &batch(&["good"]))).await.unwrap();
            assert_eq!(outcome(&answer).0, 0);
        });
    }
}
