//! One invented statement of every kind, once with every member and once with only those it must have.
//!
//! The data is written as text, so that the tests can hold the code's bytes against bytes that no code of ours made.

use events::body::{Body, Kind};
use events::event::{Event, Network, Origin, Role, Workload};
use events::identity::Address;
use events::unit::UnixMillis;

/// The moment all samples speak of: 2026-01-08T21:49:05.298Z.
pub const AT: UnixMillis = UnixMillis(1_767_908_945_298);

/// An orchestrator under all its names, as it stands in JSON.
const ORCHESTRATOR: &str = r#"{"recipient":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","signer":"0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","url":"https://orchestrator.example:8935"}"#;

/// Each kind with its fullest and its least data. `@` stands for [`ORCHESTRATOR`].
const DATA: &[(&str, &str, &str)] = &[
    ("job.requested", r#"{"streaming":true}"#, "{}"),
    (
        "job.assigned",
        r#"{"attempt":1,"orchestrator":@,"said_ms":1767908945583,"witness":"gateway"}"#,
        r#"{"orchestrator":@,"witness":"runner"}"#,
    ),
    (
        "job.first_output",
        r#"{"orchestrator":@,"output":"data","said_ms":1767908947583,"witness":"runner"}"#,
        r#"{"orchestrator":@,"output":"media","witness":"gateway"}"#,
    ),
    ("job.playable", r#"{"orchestrator":@}"#, r#"{"orchestrator":{}}"#),
    (
        "job.swapped",
        r#"{"orchestrator":@,"reason":"transport_disconnect"}"#,
        r#"{"orchestrator":{"url":"http://[2001:db8::1]:80"},"reason":"unknown"}"#,
    ),
    ("job.unserved", r#"{"reason":"no_orchestrator"}"#, r#"{"reason":"capacity"}"#),
    (
        "job.failed",
        r#"{"duration_ms":30000,"http_status":503,"orchestrator":@,"reason":"timeout","tries":3,"witness":"orchestrator"}"#,
        r#"{"reason":"model_error","witness":"gateway"}"#,
    ),
    (
        "job.completed",
        r#"{"duration_ms":1200,"http_status":200,"orchestrator":@,"price_wei":"340282366920938463463374607431768211455","reason":"user_disconnect","tokens":{"completion":512,"prompt":64,"rate_milli":41500,"ttft_ms":180},"tries":1,"witness":"gateway"}"#,
        r#"{"witness":"gateway"}"#,
    ),
    (
        "segment.attempted",
        r#"{"attempt":2,"attempts":2,"duration_ms":2000,"latency_ms":640,"orchestrator":@,"reason":"runner_disconnect","size_bytes":750000,"success":false}"#,
        r#"{"attempt":1,"attempts":1,"orchestrator":@,"success":true}"#,
    ),
    (
        "stream.status",
        r#"{"error":"model_error","fps_in":20480,"fps_out":17298,"orchestrator":@,"restarts":1,"running_ms":10002,"state":"degraded_inference","witness":"runner"}"#,
        r#"{"orchestrator":@,"witness":"gateway"}"#,
    ),
    (
        "stream.ingest",
        r#"{"bytes_received":477890,"quality":"good","tracks":[{"jitter_us":10130,"loss":2500,"media":"video","packets_lost":1,"packets_received":413,"rtt_us":24000},{"media":"audio"}]}"#,
        r#"{"tracks":[]}"#,
    ),
    (
        "capability.offered",
        r#"{"gpus":[{"id":"GPU-a8d1","memory_free_bytes":33595981824,"memory_total_bytes":34190917632,"model":"sd-turbo","name":"NVIDIA GeForce RTX 5090","pipeline":"live-video-to-video"}],"offers":[{"capacity":2,"in_use":1,"model":"sd-turbo","pipeline":"live-video-to-video","price":{"units":1,"wei":"1618"},"runner_version":"0.14.0","warm":true}],"omitted":3,"orchestrator":@,"price":{"units":1,"wei":"1200"},"version":"0.8.8"}"#,
        r#"{"gpus":[{}],"offers":[{"pipeline":"byoc-echo"}],"orchestrator":@}"#,
    ),
    (
        "discovery.answered",
        r#"{"capacity":4,"http_status":200,"latency_ms":77,"orchestrator":@,"success":true}"#,
        r#"{"success":false}"#,
    ),
    (
        "payment.sent",
        r#"{"balance_wei":"0","face_value_wei":"2402400000000000","orchestrator":@,"price":{"units":1000,"wei":"1635021"},"sender":"0xcccccccccccccccccccccccccccccccccccccccc","success":true,"tickets":2,"win_probability_ppb":999001}"#,
        r#"{"orchestrator":@}"#,
    ),
    (
        "payment.signed",
        r#"{"billable_ms":1000,"fee_wei":"42515","orchestrator":@,"pixels":7864320,"sequence":7,"status":"continuing","tickets":1}"#,
        r#"{"orchestrator":@}"#,
    ),
    (
        "node.heartbeat",
        r#"{"dropped":12,"uptime_ms":86400000,"version":"0.8.8"}"#,
        r#"{"dropped":0,"uptime_ms":0,"version":"0"}"#,
    ),
    (
        "gpu.sampled",
        r#"{"gpu":"GPU-a8d1","memory_free_bytes":1,"memory_total_bytes":9007199254740991,"name":"NVIDIA L4","utilisation":985000}"#,
        r#"{"gpu":"0"}"#,
    ),
    ("bandwidth.sampled", r#"{"down_bps":940000000,"up_bps":100000000}"#, "{}"),
    (
        "counter.sampled",
        r#"{"name":"inference_latency_ms","orchestrator":@,"value":-9007199254740991}"#,
        r#"{"name":"auth_webhook_failures","value":9007199254740991}"#,
    ),
    (
        "worker.joined",
        r#"{"capability":"image-to-image","models":["sd-turbo","ünïcode/模型"],"orchestrator":@,"price":{"units":1,"wei":"10"},"worker":"0123456789abcdef"}"#,
        r#"{"capability":"llm","models":[],"orchestrator":@,"worker":"0000000000000000"}"#,
    ),
    (
        "worker.left",
        r#"{"capability":"image-to-image","models":["sd-turbo"],"orchestrator":@,"price":{"units":1,"wei":"10"},"worker":"0123456789abcdef"}"#,
        r#"{"capability":"llm","models":[],"orchestrator":@,"worker":"ffffffffffffffff"}"#,
    ),
    (
        "probe.committed",
        r#"{"commitment":"51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c","jobs":2}"#,
        r#"{"commitment":"0000000000000000000000000000000000000000000000000000000000000000","jobs":0}"#,
    ),
    (
        "probe.revealed",
        r#"{"commitment":"51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c","jobs":["00112233445566778899aabbccddeeff"],"nonce":"abababababababababababababababababababababababababababababababab"}"#,
        r#"{"commitment":"0000000000000000000000000000000000000000000000000000000000000000","jobs":[],"nonce":"0000000000000000000000000000000000000000000000000000000000000000"}"#,
    ),
    (
        "probe.observed",
        r#"{"duration_ms":5000,"first_output_ms":900,"measured":{"download_us":957000,"faults":[{"code":"HTTP-STATUS-503","count":2}],"round_trip_us":1200000,"segment_us":2008900,"segments_received":28,"segments_sent":15,"success_ppm":933333,"transcode_us":214000,"upload_us":777000,"warm":true},"orchestrator":@,"reason":"model_error","scenario":"text-to-image-basic/1","success":false}"#,
        r#"{"orchestrator":@,"scenario":"text-to-image-basic/1","success":true}"#,
    ),
    (
        "roster.observed",
        r#"{"as_of_ms":1767908940000,"count":1,"member":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","role":"orchestrator","urls":["https://orchestrator.example:8935"]}"#,
        r#"{"as_of_ms":1767908940000,"count":2,"member":"0xdddddddddddddddddddddddddddddddddddddddd","role":"tester","urls":[]}"#,
    ),
    (
        "delegation.granted",
        r#"{"delegation":{"expiry_ms":1775000000000,"key":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","network":"livepeer","node":"5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11","operator":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","role":"worker","serial":1},"signature":"0x111111111111111111111111111111111111111111111111111111111111111122222222222222222222222222222222222222222222222222222222222222221b"}"#,
        r#"{"delegation":{"expiry_ms":0,"key":"0000000000000000000000000000000000000000000000000000000000000000","network":"simulation","node":"n","operator":"0x0000000000000000000000000000000000000000","role":"collector","serial":0},"signature":"0x0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}"#,
    ),
    (
        "delegation.revoked",
        r#"{"epoch":1,"hash":"51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c","key":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","seq":41}"#,
        r#"{"epoch":0,"hash":"0000000000000000000000000000000000000000000000000000000000000000","key":"0000000000000000000000000000000000000000000000000000000000000000","seq":0}"#,
    ),
    (
        "events.dropped",
        r#"{"count":17,"reason":"spool_full"}"#,
        r#"{"count":1,"reason":"gateway_send_errors"}"#,
    ),
    (
        "scorecard.published",
        r#"{"digest":"51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c51b9c6e8dd1c2fd3c4e07a5f2a2b1b3c","revision":2,"window":"2026-01-08T21Z"}"#,
        r#"{"digest":"0000000000000000000000000000000000000000000000000000000000000000","revision":0,"window":"2026-01-08T21Z/28d"}"#,
    ),
];

/// How much of the data an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every member there is.
    Full,
    /// Only what must be there.
    Least,
}

/// The data of `kind` as text; nothing when the table lacks the kind, which a test forbids.
pub fn data(kind: Kind, extent: Extent) -> Option<String> {
    let (_, full, least) = DATA.iter().find(|(name, _, _)| *name == kind.as_str())?;
    let text = if extent == Extent::Full { full } else { least };
    Some(text.replace('@', ORCHESTRATOR))
}

/// The event of `kind`, its other members as full as its data.
pub fn event(kind: Kind, extent: Extent) -> Event {
    let data = data(kind, extent).unwrap_or_else(|| panic!("{kind} has no sample"));
    let body = Body::decode(kind.as_str(), &data).unwrap_or_else(|refusal| panic!("{refusal}"));
    let id = format!("{kind}/{extent:?}").to_lowercase();
    let mut event = Event {
        at_ms: AT,
        body,
        gateway: "gateway.example".parse().ok(),
        id: id.parse().expect("a kind's name is short"),
        job_id: "00112233445566778899aabbccddeeff".parse().ok(),
        model: "stabilityai/sd-turbo".parse().ok(),
        network: Network::Livepeer,
        node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().expect("a UUID is a node id"),
        origin: Some(Origin::Organic),
        pipeline: "live-video-to-video".parse().ok(),
        region: "eu-west".parse().ok(),
        reporter: Address([0xee; 20]),
        role: Role::Gateway,
        workload: Some(Workload::LiveVideo),
    };
    if extent == Extent::Least {
        (event.gateway, event.job_id, event.model) = (None, None, None);
        (event.origin, event.pipeline, event.region, event.workload) = (None, None, None, None);
    }
    event
}
