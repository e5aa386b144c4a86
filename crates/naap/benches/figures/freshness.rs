//! From Kafka's acknowledgement to an answer of the API, while other gateways' events keep coming.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::node::{Node, Producer, get};
use crate::{Measured, machine};

/// How many jobs are watched.
const JOBS: usize = 300;

/// How many other events a second come meanwhile.
const OTHERS_PER_S: u64 = 500;

pub fn measure(directory: &Path) -> Measured {
    let node = Node::start(directory);
    let done = AtomicBool::new(false);
    let mut waits: Vec<f64> = std::thread::scope(|scope| {
        scope.spawn(|| others(&node, &done));
        let waits = (0..JOBS).map(|number| watch(&node, number)).collect();
        done.store(true, Ordering::Relaxed);
        waits
    });
    waits.sort_by(f64::total_cmp);
    let at =
        |percent: usize| waits[(waits.len() * percent).div_ceil(100).clamp(1, waits.len()) - 1];
    let note = format!(
        "{JOBS} jobs one after the other, {OTHERS_PER_S} other events/s meanwhile, polled each 2 ms"
    );
    Measured { note, ..Measured::default() }
        .with("p50_ms", at(50))
        .with("p99_ms", at(99))
        .with("peak_mib", machine::peak_mib(&node.process()))
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis()
}

fn envelope(id: &str, stream: &str, request: &str, kind: &str) -> Vec<u8> {
    let now = now_ms();
    format!(
        r#"{{"id":"{id}","type":"stream_trace","timestamp":"{now}","gateway":"","data":{{"type":"{kind}","timestamp":{now},"stream_id":"{stream}","request_id":"{request}","pipeline_id":"","orchestrator_info":{{"address":"0x52cf000000000000000000000000000000000001","url":"https://one.example:8935"}}}}}}"#
    )
    .into_bytes()
}

/// Sends the first event of a job and waits until the API knows the job; milliseconds from the acknowledgement.
fn watch(node: &Node, number: usize) -> f64 {
    let (stream, request) = (format!("watched-{number}"), format!("{number:08x}"));
    let job = events::job::live_video(&stream, &request);
    let id = format!("watched-{number}");
    let mut producer = Producer::connect(node.kafka);
    producer.produce(&[(
        id.clone(),
        envelope(&id, &stream, &request, "gateway_send_first_ingest_segment"),
    )]);
    let acknowledged = Instant::now();
    loop {
        if get(node.api, &format!("/v1/jobs/{job}")).is_some_and(|(status, _)| status == 200) {
            return acknowledged.elapsed().as_secs_f64() * 1000.0;
        }
        assert!(acknowledged.elapsed() < Duration::from_secs(30), "job {job} never appeared");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Everybody else's events, ten times a second.
fn others(node: &Node, done: &AtomicBool) {
    let mut producer = Producer::connect(node.kafka);
    let mut number = 0u64;
    while !done.load(Ordering::Relaxed) {
        let batch: Vec<(String, Vec<u8>)> = (0..OTHERS_PER_S / 10)
            .map(|_| {
                number += 1;
                let (id, stream) = (format!("other-{number}"), format!("other-{}", number / 20));
                let said = envelope(&id, &stream, "0", "gateway_receive_first_processed_segment");
                (id, said)
            })
            .collect();
        producer.produce(&batch);
        std::thread::sleep(Duration::from_millis(100));
    }
}
