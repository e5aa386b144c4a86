//! A running live session: the runner's status and events, relayed by the gateway, and the user's input.

use events::body::job::{Failed, Unserved};
use events::body::node::CounterSample;
use events::body::stream::{Ingest, Media, State, Status, Track};
use events::body::{Body, Orchestrator, Reason, Witness};
use events::identity::JobId;
use events::job;
use events::refusal::Refusal;
use events::unit::{MilliFps, Millis, Ppm};

use super::json::{Json, Object};
use super::names::{Work, orchestrator_info, plain};
use super::trace::{ended, somebody};
use super::{Draft, Envelope, Page, reason, refuse_data, unknown_subtype};

/// How often a runner reports (ai-runner's `REPORT_INTERVAL`); an older error was told before.
const REPORT_INTERVAL: Millis = Millis(10_000);

/// A status so much older than the next was not the one before it.
const STATUS_GAP_MAX: Millis = Millis(60_000);

/// What a pass-through event of a runner may carry as a reading: numbers that can only be measurements.
const READINGS: &[&str] = &[
    "latency_ms",
    "inference_latency_ms",
    "duration_ms",
    "elapsed_ms",
    "load_time_ms",
    "queue_depth",
    "frame_count",
    "frames_in",
    "frames_out",
    "frames_dropped",
];

/// The most tracks of one sample that are kept.
const TRACKS_MAX: usize = 8;

/// The job of a live session.
pub(super) fn job_of(data: &Object<'_>) -> Result<JobId, Refusal> {
    match (data.text("stream_id"), data.text("request_id")) {
        (None, None) => Err(refuse_data("neither stream_id nor request_id")),
        (stream, request) => Ok(job::live_video(
            stream.as_deref().unwrap_or_default(),
            request.as_deref().unwrap_or_default(),
        )),
    }
}

/// `ai_stream_status`: one every ten seconds.
pub(super) fn status(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let inference = data.object("inference_status");
    let said_ms = data.moment("timestamp");
    let begun_ms = data.moment("start_time").or_else(|| inference.moment("start_time"));
    let status = Status {
        error: fresh_error(&data, &inference),
        fps_in: fps(&data.object("input_status")),
        fps_out: fps(&inference),
        orchestrator: somebody(&data)?,
        restarts: inference.small("restart_count"),
        running_ms: said_ms.zip(begun_ms).and_then(|(said, begun)| said.since(begun)),
        state: data
            .text("state")
            .and_then(|state| state.to_ascii_lowercase().parse::<State>().ok()),
        witness: Witness::Runner,
    };
    let job = job_of(&data)?;
    page.say(
        Draft::new(envelope.at_ms, Body::StreamStatus(status))
            .about(Some(job), &Work::of_live(&data)),
    );
    Ok(())
}

fn fps(data: &Object<'_>) -> Option<MilliFps> {
    data.decimal("fps")?.count(3)?.try_into().ok().map(MilliFps)
}

/// The runner repeats its last error in every later status; it counts in the first one only.
fn fresh_error(data: &Object<'_>, inference: &Object<'_>) -> Option<Reason> {
    let message = inference.text("last_error")?;
    let now = data.moment("timestamp")?;
    let happened = inference.moment("last_error_time")?;
    let is_last =
        |last: &_| now.since(*last).is_some_and(|gap| gap <= STATUS_GAP_MAX && gap > Millis(0));
    let last =
        data.moment("last_status_timestamp").filter(is_last).unwrap_or(now.minus(REPORT_INTERVAL));
    (last < happened && happened <= now).then(|| reason::read_anybodys(&message))
}

/// `ai_stream_events`: errors, restarts, parameter updates, and whatever else a runner sends.
pub(super) fn events(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    // The gateway names the orchestrator in whatever it passes on, and nobody in an error of its own.
    let is_passed_on = data.get("time").is_some() || data.get("orchestrator_info").is_some();
    match subtype.as_ref() {
        "error" if is_passed_on => {
            let message = data.text("message").unwrap_or_default();
            let error = Some(reason::read_anybodys(&message));
            let status = Status { error, ..bare_status(&data)? };
            say(envelope, page, &data, Body::StreamStatus(status))
        }
        "error" => say(envelope, page, &data, gateway_error(&data)),
        "restart" => {
            let status = Status { restarts: data.small("restart_count"), ..bare_status(&data)? };
            say(envelope, page, &data, Body::StreamStatus(status))
        }
        "params_update" => {
            let at_ms = envelope.spoken_ms(&data, "timestamp");
            let body = counter("params_updates", orchestrator_info(&data), 1)?;
            page.say(Draft::new(at_ms, body).about(Some(job_of(&data)?), &Work::of_live(&data)));
            Ok(())
        }
        other => readings(envelope, page, &data, other),
    }
}

fn say(
    envelope: &Envelope<'_>,
    page: &mut Page,
    data: &Object<'_>,
    body: Body,
) -> Result<(), Refusal> {
    page.say(Draft::new(envelope.at_ms, body).about(Some(job_of(data)?), &Work::of_live(data)));
    Ok(())
}

fn bare_status(data: &Object<'_>) -> Result<Status, Refusal> {
    Ok(Status {
        error: None,
        fps_in: None,
        fps_out: None,
        orchestrator: somebody(data)?,
        restarts: None,
        running_ms: None,
        state: None,
        witness: Witness::Runner,
    })
}

/// A gateway's error ends the session; which way depends on its words. A normal close is told as an error too.
fn gateway_error(data: &Object<'_>) -> Body {
    let reason = reason::read_own(&data.text("message").unwrap_or_default());
    match reason {
        Reason::NoOrchestrator => Body::JobUnserved(Unserved { reason }),
        Reason::UserDisconnect => Body::JobCompleted(ended(Orchestrator::default(), Some(reason))),
        _ => Body::JobFailed(Failed {
            duration_ms: None,
            http_status: None,
            orchestrator: Orchestrator::default(),
            reason,
            tries: None,
            witness: Witness::Gateway,
        }),
    }
}

fn readings(
    envelope: &Envelope<'_>,
    page: &mut Page,
    data: &Object<'_>,
    subtype: &str,
) -> Result<(), Refusal> {
    let name = plain(subtype).ok_or_else(|| unknown_subtype(subtype))?;
    let job = job_of(data)?;
    let mut is_any = false;
    for field in READINGS {
        let Some(value) = data.decimal(field).and_then(|number| number.reading()) else { continue };
        let body = counter(&format!("{name}_{field}"), orchestrator_info(data), value)?;
        page.say(Draft::new(envelope.at_ms, body).about(Some(job), &Work::of_live(data)));
        is_any = true;
    }
    if is_any { Ok(()) } else { Err(unknown_subtype(subtype)) }
}

/// A named reading.
pub(super) fn counter(name: &str, orchestrator: Orchestrator, value: i64) -> Result<Body, Refusal> {
    let name = name.parse().map_err(|_| refuse_data("a counter's name is too long"))?;
    Ok(Body::CounterSampled(CounterSample { name, orchestrator, value }))
}

/// `stream_ingest_metrics`: one every five seconds, from the gateway's own WHIP server.
pub(super) fn ingest(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let stats = data.object("stats");
    let quality =
        stats.text("conn_quality").filter(|word| word.len() <= 16 && plain(word).is_some());
    let tracks = stats.array("track_stats").into_iter().filter_map(track).take(TRACKS_MAX);
    let body = Ingest {
        bytes_received: stats.object("peer_conn_stats").count("BytesReceived"),
        quality: quality.and_then(|word| word.to_ascii_lowercase().parse().ok()),
        tracks: tracks.collect(),
    };
    let at_ms = envelope.spoken_ms(&data, "timestamp");
    let job = job_of(&data)?;
    page.say(Draft::new(at_ms, Body::StreamIngest(body)).about(Some(job), &Work::of_live(&data)));
    Ok(())
}

fn track(item: Json<'_>) -> Option<Track> {
    let data = item.object()?;
    let loss = data
        .decimal("packet_loss_pct")
        .and_then(|percent| percent.count(4))
        .map(|ppm| ppm.min(1_000_000));
    Some(Track {
        // Milliseconds, by the captures: what pion counts in clock ticks comes out near the spacing of the packets.
        jitter_us: data.decimal("jitter").and_then(|jitter| jitter.count(3)),
        loss: loss.and_then(|ppm| u32::try_from(ppm).ok()).map(Ppm),
        media: data.text("type")?.to_ascii_lowercase().parse::<Media>().ok()?,
        packets_lost: data.count("packets_lost"),
        packets_received: data.count("packets_received"),
        // A Go duration in nanoseconds; zero until the first report of the other side.
        rtt_us: data.decimal("rtt").and_then(|rtt| rtt.count(-3)).filter(|rtt| *rtt > 0),
    })
}
