//! `/v1/publishers`: who speaks, how far each chain is known, what is missing of it and what was refused.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::extract::State as Given;
use events::event::{Network, Role};
use events::identity::{Address, Digest, NodeId, PublisherKey};
use events::refusal::Defect;
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use warehouse::page::Paged;
use warehouse::record::PublisherRow;

use crate::answer::{A_SECOND_MS, Answer, Page, Reasons};
use crate::cursor::Sheet;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::{Sources, State};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PublishersQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// The kind of evidence that a publisher gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublisherEvidence {
    /// It signs what it saw itself.
    Signed,
    /// It signs as a collector what unsigned feeds say.
    Collected,
}

/// One epoch of one publisher.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Publisher {
    /// The key it signs with.
    #[schema(value_type = schema::PublisherKey)]
    publisher: PublisherKey,
    /// The epoch: one chain of batches.
    epoch: u64,
    /// The address it speaks for; null until a delegation names it.
    #[schema(value_type = Option<schema::Address>)]
    address: Option<Address>,
    /// The name of its node; null until an event gives it.
    #[schema(value_type = Option<String>)]
    node: Option<NodeId>,
    /// The role of its node; null until an event gives it.
    #[schema(value_type = Option<schema::Role>)]
    role: Option<Role>,
    /// `signed`: it signs what it saw itself; `collected`: it signs what unsigned feeds say.
    evidence: PublisherEvidence,
    /// The last batch received or announced; null if there is none yet.
    head: Option<ChainHead>,
    /// The last sequence number before the first gap; null if number 0 is missing.
    contiguous_seq: Option<u64>,
    /// The first sequence number that was signed twice with different content, which ends the epoch; null if there is
    /// none.
    forked_at_seq: Option<u64>,
    /// The missing ranges of sequence numbers, both ends included.
    gaps: Vec<Gap>,
    /// Batches received.
    batches: u64,
    /// Events received.
    events: u64,
    /// When its latest batch arrived, in Unix milliseconds.
    #[schema(value_type = u64)]
    last_received_ms: UnixMillis,
    /// What was refused from this key, in all its epochs, by code.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"E-SIGNER-UNKNOWN": 3}))]
    refusals: BTreeMap<&'static str, u64>,
    /// Why a member is null.
    reasons: Reasons,
}

/// The last batch of a chain.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChainHead {
    /// Its sequence number.
    seq: u64,
    /// The hash of its header.
    #[schema(value_type = schema::Digest)]
    header_hash: Digest,
    /// When it was sealed, in Unix milliseconds; null if it was only announced.
    #[schema(value_type = Option<u64>)]
    sealed_ms: Option<UnixMillis>,
    /// Why a member is null.
    reasons: Reasons,
}

/// A range of missing sequence numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Gap {
    /// The first.
    from_seq: u64,
    /// The last.
    to_seq: u64,
}

/// Publishers
///
/// One item per publisher key and epoch, in that order.
#[utoipa::path(
    get, path = "/v1/publishers", tag = "evidence",
    params(PublishersQuery),
    responses((status = 200, description = "A page.", body = Page<Publisher>), Problems),
)]
pub async fn publishers(
    Given(state): Given<State>,
    Query(query): Query<PublishersQuery>,
) -> Result<Answer<Page<Publisher>>, Problem> {
    let network = state.network(query.network);
    let (sheet, page) =
        Sheet::of("publishers", network, &(), query.cursor.as_deref(), query.limit)?;
    let paged = state.read(move |sources| {
        let paged = sources.warehouse.publishers(network, &page);
        let Paged { next, rows } = paged.map_err(Problem::warehouse)?;
        let mut refused: BTreeMap<PublisherKey, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for row in &rows {
            if let Entry::Vacant(place) = refused.entry(row.key) {
                place.insert(refusals_of(sources, network, row.key)?);
            }
        }
        let ledger = sources.ledger();
        let item = |row: PublisherRow| {
            let head = ledger.head(row.key, row.epoch);
            let refusals = refused.get(&row.key).cloned().unwrap_or_default();
            publisher(row, head, refusals)
        };
        Ok((rows.into_iter().map(item).collect(), next))
    });
    let (items, next) = paged.await?;
    Ok(Answer::for_ms(A_SECOND_MS, sheet.answer(items, next)))
}

fn refusals_of(
    sources: &Sources,
    network: Network,
    key: PublisherKey,
) -> Result<BTreeMap<&'static str, u64>, Problem> {
    let rows = sources.warehouse.refusals(network, Some(&key)).map_err(Problem::warehouse)?;
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(Defect::code(row.defect)).or_default() += row.count;
    }
    Ok(counts)
}

fn publisher(
    row: PublisherRow,
    known: Option<ledger::Head>,
    refusals: BTreeMap<&'static str, u64>,
) -> Publisher {
    let mut reasons = Reasons::default();
    let text = |why: &'static str| move || why.to_owned();
    let sealed_ms = row.sealed_ms;
    let head = row.head.map(|head| {
        let mut reasons = Reasons::default();
        let unsealed = text("it was announced and has not been received");
        ChainHead {
            seq: head.seq,
            header_hash: head.hash,
            sealed_ms: reasons.explain("sealed_ms", sealed_ms, unsealed),
            reasons,
        }
    });
    let contiguous = known.and_then(|head| head.contiguous).map(|tip| tip.seq);
    let forked = known.and_then(|head| head.forked_at);
    let gap = |(from_seq, to_seq)| Gap { from_seq, to_seq };
    Publisher {
        publisher: row.key,
        epoch: row.epoch,
        address: reasons.explain(
            "address",
            row.address,
            text("no delegation of this key is known"),
        ),
        node: reasons.explain("node", row.node, text("no event of it could be read")),
        role: reasons.explain("role", row.role, text("no event of it could be read")),
        evidence: if row.collected {
            PublisherEvidence::Collected
        } else {
            PublisherEvidence::Signed
        },
        head: reasons.explain("head", head, text("no batch was received or announced")),
        contiguous_seq: reasons.explain(
            "contiguous_seq",
            contiguous,
            text("sequence 0 is missing"),
        ),
        forked_at_seq: reasons.explain(
            "forked_at_seq",
            forked,
            text("no sequence was signed twice"),
        ),
        gaps: row.gaps.into_iter().map(gap).collect(),
        batches: row.batches,
        events: row.events,
        last_received_ms: row.last_received_ms,
        refusals,
        reasons,
    }
}
