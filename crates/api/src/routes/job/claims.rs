//! What each party said of a job, read back from the signed batches. It checks that the bytes are those that were
//! signed for, and decides nothing about whose word counts.

use std::collections::BTreeSet;

use events::batch::{Batch, Position};
use events::body::Kind;
use events::event::{Event, Role};
use events::identity::{Address, BatchSignature, Digest, JobId, NodeId, PublisherKey};
use events::merkle;
use events::unit::UnixMillis;
use events::wire::Frame;
use ledger::Ledger;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sla::opened::counted_ms;

use crate::cursor::List;
use crate::problem::Problem;
use crate::query::Limit;
use crate::schema;

/// Payload bytes inflated for one page; a page that reaches it ends early and says where to go on.
const PAGE_BYTES: usize = 32 * 1024 * 1024;

/// A page of claims.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Claims {
    /// The claims, sorted by the sealing time of their batch, its position in the ledger, and their position in the
    /// batch.
    items: Vec<Claim>,
    /// The maximum number of claims on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// Batches with further claims that this instance's ledger does not hold at the moment; those claims are not
    /// listed.
    batches_missing: usize,
}

/// One party's claim about a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Claim {
    /// Who made the claim.
    #[schema(value_type = schema::Address)]
    reporter: Address,
    /// The reporter's role.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// The reporter's node.
    #[schema(value_type = String)]
    node: NodeId,
    /// What kind of statement it is.
    #[schema(value_type = schema::Kind)]
    kind: Kind,
    /// When it happened, by the reporter's clock.
    #[schema(value_type = u64)]
    at_ms: UnixMillis,
    /// The time at which it counts: its own if its batch was sealed close to it, else the sealing time.
    #[schema(value_type = u64)]
    counted_ms: UnixMillis,
    /// The event, byte for byte as the batch commits to it.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
    /// The signed batch that contains it, for anyone to check.
    evidence: Evidence,
}

/// The signed batch that contains a claim.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Evidence {
    /// The key that signed the batch.
    #[schema(value_type = schema::PublisherKey)]
    publisher: PublisherKey,
    /// The publisher's epoch.
    epoch: u64,
    /// The sequence number of the batch in its epoch.
    seq: u64,
    /// The position of the event in the batch, from 0.
    index: u16,
    /// SHA-256 over the batch's header.
    #[schema(value_type = schema::Digest)]
    header_hash: Digest,
    /// The signature over the header.
    #[schema(value_type = schema::BatchSignature)]
    signature: BatchSignature,
    /// The event's leaf in the header's Merkle root (RFC 6962).
    #[schema(value_type = schema::Digest)]
    event_hash: Digest,
    /// When the batch was sealed, in Unix milliseconds.
    #[schema(value_type = u64)]
    sealed_ms: UnixMillis,
    /// When it arrived here, in Unix milliseconds.
    #[schema(value_type = u64)]
    received_ms: UnixMillis,
    /// Whether its publisher also signed a different batch with the same sequence number, in which case neither counts.
    is_equivocation: bool,
}

/// Where a claim stands in the list: its full key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    sealed_ms: UnixMillis,
    ordinal: u64,
    index: u16,
}

/// A batch to be read.
#[derive(Debug, Clone, Copy)]
struct Source {
    is_equivocation: bool,
    ordinal: u64,
    sealed_ms: UnixMillis,
}

impl Source {
    fn place(&self, index: u16) -> Place {
        Place { sealed_ms: self.sealed_ms, ordinal: self.ordinal, index }
    }
}

/// Reads a page of the claims about a job from the batches that hold some.
pub fn read(
    ledger: &Ledger,
    batches: &BTreeSet<Position>,
    job_id: JobId,
    after: Option<Place>,
    limit: Limit,
    list: &List,
) -> Result<Claims, Problem> {
    let (sources, batches_missing) = sources(ledger, batches);
    let page = |items, next: Option<Place>| Claims {
        items,
        limit: limit.0,
        next: next.map(|place| list.cursor(&place)),
        batches_missing,
    };
    let (mut items, mut inflated, mut reached) = (Vec::new(), 0usize, after);
    let is_ahead = |source: &&Source| after.is_none_or(|after| source.place(u16::MAX) > after);
    for source in sources.iter().filter(is_ahead) {
        if inflated > PAGE_BYTES {
            return Ok(page(items, reached));
        }
        let (batch, received_ms) = open(ledger, source.ordinal)?;
        inflated = inflated.saturating_add(batch.payload.lines().len());
        let evidence = evidence(&batch, received_ms, source.is_equivocation);
        for (index, bytes) in (0u16..).zip(batch.payload.events()) {
            let is_before = after.is_some_and(|after| source.place(index) <= after);
            if is_before || !names(bytes, job_id) {
                continue;
            }
            let Some(claim) = claim(bytes, job_id, index, &evidence) else { continue };
            if items.len() == limit.count() {
                return Ok(page(items, reached));
            }
            items.push(claim);
            reached = Some(source.place(index));
        }
        reached = Some(source.place(u16::MAX));
    }
    Ok(page(items, None))
}

/// The batches in the order of their claims, and how many are not there.
fn sources(ledger: &Ledger, batches: &BTreeSet<Position>) -> (Vec<Source>, usize) {
    let mut sources = Vec::with_capacity(batches.len());
    let mut missing = 0;
    for position in batches {
        let sightings = ledger.find(position);
        missing += usize::from(sightings.is_empty());
        let is_equivocation = sightings.len() > 1;
        sources.extend(sightings.iter().map(|sighting| Source {
            is_equivocation,
            ordinal: sighting.ordinal,
            sealed_ms: sighting.sealed_ms,
        }));
    }
    sources.sort_unstable_by_key(|source| source.place(0));
    (sources, missing)
}

fn open(ledger: &Ledger, ordinal: u64) -> Result<(Batch, UnixMillis), Problem> {
    let entry = ledger.get(ordinal).map_err(|error| Problem::source("ledger", &error))?;
    let Some(entry) = entry else {
        tracing::error!(ordinal, "the ledger lists a batch that it does not hold");
        return Err(Problem::internal());
    };
    let opened = Frame::parse(&entry.frame).and_then(Frame::open);
    let batch = opened.map_err(|refusal| Problem::source("ledger", &refusal))?;
    Ok((batch, entry.received_ms))
}

/// Whether the bytes of an event name the job at all: most events of a batch are about others.
fn names(event: &[u8], job_id: JobId) -> bool {
    memchr::memmem::find(event, job_id.to_string().as_bytes()).is_some()
}

/// The evidence of a batch's events, but for each one's index and hash.
fn evidence(batch: &Batch, received_ms: UnixMillis, is_equivocation: bool) -> Evidence {
    let header = &batch.header;
    Evidence {
        publisher: header.key,
        epoch: header.epoch,
        seq: header.seq,
        index: 0,
        header_hash: header.hash(),
        signature: batch.signature,
        event_hash: Digest::ZERO,
        sealed_ms: header.sealed_ms,
        received_ms,
        is_equivocation,
    }
}

/// The claim that these bytes are, if they are one about the job. Bytes that are no event are a refusal of their batch
/// and no claim about anything.
fn claim(bytes: &[u8], job_id: JobId, index: u16, evidence: &Evidence) -> Option<Claim> {
    let event = Event::decode(bytes).ok().filter(|event| event.job_id == Some(job_id))?;
    let raw = RawValue::from_string(String::from_utf8(bytes.to_vec()).ok()?).ok()?;
    Some(Claim {
        reporter: event.reporter,
        role: event.role,
        kind: event.kind(),
        node: event.node,
        at_ms: event.at_ms,
        counted_ms: counted_ms(event.at_ms, evidence.sealed_ms),
        event: raw,
        evidence: Evidence { index, event_hash: merkle::leaf(bytes), ..evidence.clone() },
    })
}
