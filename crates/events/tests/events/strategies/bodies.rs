//! Any data of each kind, family by family.

use events::body::{Body, Kind, capability, job, node, payment, probe, record, stream};
use events::event::Role;
use events::identity::Pseudonym;
use events::unit::{Micros, MilliFps, Ppm};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{
    address, counter, delegation, digest, integer, job_id, key, label, model, moment, orchestrator,
    pipeline, price, reason, signature, span, url, wei, witness, word,
};

/// Any data of this kind; nothing where no family has it.
pub fn body(kind: Kind) -> Option<BoxedStrategy<Body>> {
    let families = [job_body, market_body, machine_body, record_body];
    families.iter().find_map(|family| family(kind))
}

fn tokens() -> impl Strategy<Value = job::Tokens> {
    record!(job::Tokens {
        completion: of(integer()),
        prompt: of(integer()),
        rate_milli: of(integer()),
        ttft_ms: of(span()),
    })
}

fn fault() -> impl Strategy<Value = probe::Fault> {
    record!(probe::Fault { code: label(), count: any::<u32>() })
}

fn measured() -> impl Strategy<Value = probe::Measured> {
    let micros = || of(integer().prop_map(Micros));
    record!(probe::Measured {
        download_us: micros(),
        faults: vec(fault(), 0..3),
        round_trip_us: micros(),
        segment_us: micros(),
        segments_received: of(any::<u32>()),
        segments_sent: of(any::<u32>()),
        success_ppm: of(any::<u32>().prop_map(Ppm)),
        transcode_us: micros(),
        upload_us: micros(),
        warm: of(any::<bool>()),
    })
}

fn offer() -> impl Strategy<Value = capability::Offer> {
    record!(capability::Offer {
        capacity: of(any::<u32>()),
        in_use: of(any::<u32>()),
        model: of(model()),
        pipeline: pipeline(),
        price: of(price()),
        runner_version: of(label()),
        warm: of(any::<bool>()),
    })
}

fn gpu() -> impl Strategy<Value = capability::Gpu> {
    record!(capability::Gpu {
        id: of(label()),
        memory_free_bytes: of(integer()),
        memory_total_bytes: of(integer()),
        model: of(model()),
        name: of(label()),
        pipeline: of(pipeline()),
    })
}

fn track() -> impl Strategy<Value = stream::Track> {
    record!(stream::Track {
        jitter_us: of(integer()),
        loss: of(any::<u32>().prop_map(Ppm)),
        media: word(stream::Media::ALL),
        packets_lost: of(integer()),
        packets_received: of(integer()),
        rtt_us: of(integer()),
    })
}

/// What happened to a job.
fn job_body(kind: Kind) -> Option<BoxedStrategy<Body>> {
    let body = match kind {
        Kind::JobRequested => record!(job::Requested { streaming: of(any::<bool>()) })
            .prop_map(Body::JobRequested)
            .boxed(),
        Kind::JobAssigned => record!(job::Assigned {
            attempt: of(any::<u32>()),
            orchestrator: orchestrator(),
            said_ms: of(moment()),
            witness: witness(),
        })
        .prop_map(Body::JobAssigned)
        .boxed(),
        Kind::JobFirstOutput => record!(job::FirstOutput {
            orchestrator: orchestrator(),
            output: word(job::Output::ALL),
            said_ms: of(moment()),
            witness: witness(),
        })
        .prop_map(Body::JobFirstOutput)
        .boxed(),
        Kind::JobPlayable => record!(job::Playable { orchestrator: orchestrator() })
            .prop_map(Body::JobPlayable)
            .boxed(),
        Kind::JobSwapped => {
            record!(job::Swapped { orchestrator: orchestrator(), reason: reason() })
                .prop_map(Body::JobSwapped)
                .boxed()
        }
        Kind::JobUnserved => {
            record!(job::Unserved { reason: reason() }).prop_map(Body::JobUnserved).boxed()
        }
        Kind::JobFailed | Kind::JobCompleted => return Some(ending(kind)),
        Kind::SegmentAttempted => record!(job::SegmentAttempted {
            attempt: any::<u32>(),
            attempts: any::<u32>(),
            duration_ms: of(span()),
            latency_ms: of(span()),
            orchestrator: orchestrator(),
            reason: of(reason()),
            size_bytes: of(integer()),
            success: any::<bool>(),
        })
        .prop_map(Body::SegmentAttempted)
        .boxed(),
        _ => return None,
    };
    Some(body)
}

fn ending(kind: Kind) -> BoxedStrategy<Body> {
    if kind == Kind::JobFailed {
        return record!(job::Failed {
            duration_ms: of(span()),
            http_status: of(any::<u16>()),
            orchestrator: orchestrator(),
            reason: reason(),
            tries: of(any::<u32>()),
            witness: witness(),
        })
        .prop_map(Body::JobFailed)
        .boxed();
    }
    record!(job::Completed {
        duration_ms: of(span()),
        http_status: of(any::<u16>()),
        orchestrator: orchestrator(),
        price_wei: of(wei()),
        reason: of(reason()),
        tokens: of(tokens()),
        tries: of(any::<u32>()),
        witness: witness(),
    })
    .prop_map(Body::JobCompleted)
    .boxed()
}

/// How streams do, what is offered, what is paid.
fn market_body(kind: Kind) -> Option<BoxedStrategy<Body>> {
    let body = match kind {
        Kind::StreamStatus => record!(stream::Status {
            error: of(reason()),
            fps_in: of(any::<u32>().prop_map(MilliFps)),
            fps_out: of(any::<u32>().prop_map(MilliFps)),
            orchestrator: orchestrator(),
            restarts: of(any::<u32>()),
            running_ms: of(span()),
            state: of(word(stream::State::ALL)),
            witness: witness(),
        })
        .prop_map(Body::StreamStatus)
        .boxed(),
        Kind::StreamIngest => record!(stream::Ingest {
            bytes_received: of(integer()),
            quality: of(label()),
            tracks: vec(track(), 0..4),
        })
        .prop_map(Body::StreamIngest)
        .boxed(),
        Kind::CapabilityOffered => record!(capability::Offered {
            gpus: vec(gpu(), 0..4),
            offers: vec(offer(), 0..4),
            omitted: of(any::<u32>()),
            orchestrator: orchestrator(),
            price: of(price()),
            version: of(label()),
        })
        .prop_map(Body::CapabilityOffered)
        .boxed(),
        Kind::DiscoveryAnswered => record!(capability::Answered {
            capacity: of(any::<u32>()),
            http_status: of(any::<u16>()),
            latency_ms: of(span()),
            orchestrator: orchestrator(),
            success: any::<bool>(),
        })
        .prop_map(Body::DiscoveryAnswered)
        .boxed(),
        Kind::PaymentSent => record!(payment::Sent {
            balance_wei: of(wei()),
            face_value_wei: of(wei()),
            orchestrator: orchestrator(),
            price: of(price()),
            sender: of(address()),
            success: of(any::<bool>()),
            tickets: of(any::<u32>()),
            win_probability_ppb: of(integer()),
        })
        .prop_map(Body::PaymentSent)
        .boxed(),
        Kind::PaymentSigned => record!(payment::Signed {
            billable_ms: of(span()),
            fee_wei: of(wei()),
            orchestrator: orchestrator(),
            pixels: of(integer()),
            sequence: of(integer()),
            status: of(label()),
            tickets: of(any::<u32>()),
        })
        .prop_map(Body::PaymentSigned)
        .boxed(),
        _ => return None,
    };
    Some(body)
}

fn worker() -> impl Strategy<Value = node::Worker> {
    record!(node::Worker {
        capability: pipeline(),
        models: vec(model(), 0..4),
        orchestrator: orchestrator(),
        price: of(price()),
        worker: any::<[u8; 8]>().prop_map(Pseudonym),
    })
}

/// How machines do, and what testers do.
fn machine_body(kind: Kind) -> Option<BoxedStrategy<Body>> {
    let body = match kind {
        Kind::NodeHeartbeat => {
            record!(node::Heartbeat { dropped: integer(), uptime_ms: span(), version: label() })
                .prop_map(Body::NodeHeartbeat)
                .boxed()
        }
        Kind::GpuSampled => record!(node::GpuSample {
            gpu: label(),
            memory_free_bytes: of(integer()),
            memory_total_bytes: of(integer()),
            name: of(label()),
            utilisation: of(any::<u32>().prop_map(Ppm)),
        })
        .prop_map(Body::GpuSampled)
        .boxed(),
        Kind::BandwidthSampled => {
            record!(node::BandwidthSample { down_bps: of(integer()), up_bps: of(integer()) })
                .prop_map(Body::BandwidthSampled)
                .boxed()
        }
        Kind::CounterSampled => record!(node::CounterSample {
            name: label(),
            orchestrator: orchestrator(),
            value: counter(),
        })
        .prop_map(Body::CounterSampled)
        .boxed(),
        Kind::WorkerJoined => worker().prop_map(Body::WorkerJoined).boxed(),
        Kind::WorkerLeft => worker().prop_map(Body::WorkerLeft).boxed(),
        Kind::ProbeCommitted => {
            record!(probe::Committed { commitment: digest(), jobs: any::<u32>() })
                .prop_map(Body::ProbeCommitted)
                .boxed()
        }
        Kind::ProbeRevealed => record!(probe::Revealed {
            commitment: digest(),
            jobs: vec(job_id(), 0..9),
            nonce: digest(),
        })
        .prop_map(Body::ProbeRevealed)
        .boxed(),
        Kind::ProbeObserved => record!(probe::Observed {
            duration_ms: of(span()),
            first_output_ms: of(span()),
            measured: of(measured()),
            orchestrator: orchestrator(),
            reason: of(reason()),
            scenario: label(),
            success: any::<bool>(),
        })
        .prop_map(Body::ProbeObserved)
        .boxed(),
        _ => return None,
    };
    Some(body)
}

/// What the record says of itself.
fn record_body(kind: Kind) -> Option<BoxedStrategy<Body>> {
    let body = match kind {
        Kind::RosterObserved => record!(record::RosterMember {
            as_of_ms: moment(),
            count: any::<u32>(),
            member: address(),
            role: word(Role::ALL),
            urls: vec(url(), 0..8),
        })
        .prop_map(Body::RosterObserved)
        .boxed(),
        Kind::DelegationGranted => {
            record!(record::Granted { delegation: delegation(), signature: signature() })
                .prop_map(Body::DelegationGranted)
                .boxed()
        }
        Kind::DelegationRevoked => record!(record::Revoked {
            epoch: integer(),
            hash: digest(),
            key: key(),
            seq: integer(),
        })
        .prop_map(Body::DelegationRevoked)
        .boxed(),
        Kind::EventsDropped => record!(record::Dropped { count: integer(), reason: label() })
            .prop_map(Body::EventsDropped)
            .boxed(),
        Kind::ScorecardPublished => {
            record!(record::Scorecard { digest: digest(), revision: any::<u32>(), window: label() })
                .prop_map(Body::ScorecardPublished)
                .boxed()
        }
        _ => return None,
    };
    Some(body)
}
