//! Turns what a go-livepeer node says into events: the only place, with its folder, that knows go-livepeer's fields.
//!
//! A pure function of the envelope's bytes, the speaker and the arrival time: the same input gives the same output
//! bytes, so raw records can be translated again after a crash. What must not be public (prompts, parameters, client
//! addresses, logs, error texts, stream names, inner URLs) is dropped or hashed here and nowhere later. Whatever is
//! hashed is hashed with the speaker's secret, the names of jobs aside, which all parties share;
//! `docs/translation.md` is the table of what becomes what.

mod byoc;
mod capability;
mod decimal;
mod json;
mod live;
mod moment;
mod names;
mod payment;
mod posted;
mod reason;
mod request;
mod segment;
mod trace;

use std::borrow::Cow;

use events::body::Body;
use events::event::{Event, Network, Role};
use events::identity::{Address, EventId, GatewayName, JobId, NodeId, Region};
use events::refusal::{Defect, Refusal};
use events::unit::{Millis, UnixMillis};

use json::{Json, Object};
use names::{Work, plain};

pub use posted::FAMILY as POSTED;

use crate::pseudonym::PseudonymKey;

/// The most events one envelope may give, and the most refusals it may leave.
const PAGE_MAX: usize = 4_096;

/// How far a gateway's own time of an event may lie from the time it published it.
const SPOKEN_WITHIN: Millis = Millis(10 * 60_000);

/// Who speaks: what the node's configuration says and no envelope does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The network its events belong to.
    pub network: Network,
    /// The address that answers for the node.
    pub reporter: Address,
    /// The role it speaks in. A collector also passes on the gateway name that an envelope carries.
    pub role: Role,
    /// The node on disk.
    pub node: NodeId,
    /// What it hides things behind.
    pub pseudonyms: PseudonymKey,
    /// Its configured region.
    pub region: Option<Region>,
}

impl Speaker {
    /// An event of this speaker about itself, with nothing beyond the body known.
    pub fn event(&self, id: EventId, at_ms: UnixMillis, body: Body) -> Event {
        Event {
            at_ms,
            body,
            gateway: None,
            id,
            job_id: None,
            model: None,
            network: self.network,
            node: self.node.clone(),
            origin: None,
            pipeline: None,
            region: self.region.clone(),
            reporter: self.reporter,
            role: self.role,
            workload: None,
        }
    }
}

/// What an envelope gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translated {
    /// The events, in the order the envelope says them. Every one encodes.
    pub events: Vec<Event>,
    /// What was not used, and why.
    pub refusals: Vec<Refusal>,
}

/// Translates one envelope, one AMQP body of a transcoded segment, or one capability dump.
///
/// A dump (`{capabilities_names, orchestrators}`) carries no time; `received_ms` stands for it.
pub fn translate(input: &[u8], speaker: &Speaker, received_ms: UnixMillis) -> Translated {
    let mut page = Page::default();
    match heard(input, speaker, received_ms, &mut page) {
        Ok(Some(heard)) => page.close(&heard, speaker),
        Ok(None) => Translated { events: Vec::new(), refusals: page.refusals },
        Err(refusal) => Translated { events: Vec::new(), refusals: vec![refusal] },
    }
}

/// Where the events of a page come from: their name, and who an unsigned feed says spoke.
struct Heard {
    id: String,
    gateway: Option<GatewayName>,
}

/// A family's rule: reads the envelope and writes what it says on the page.
type Family = fn(&Envelope<'_>, &mut Page) -> Result<(), Refusal>;

/// The families we know. What testers of the leaderboard post is a collector's to pass on, and no node's to say of itself.
fn family(name: &str, role: Role) -> Option<Family> {
    Some(match name {
        "stream_trace" => trace::stream_trace,
        "ai_stream_status" => live::status,
        "ai_stream_events" => live::events,
        "stream_ingest_metrics" => live::ingest,
        "discovery_results" => capability::discovery_results,
        "network_capabilities" => capability::network_capabilities,
        "create_new_payment" => payment::create_new_payment,
        "create_signed_ticket" => payment::create_signed_ticket,
        "job_payment" => payment::job_payment,
        "ai_batch_request" => request::ai_batch_request,
        "ai_llm_request" => request::ai_llm_request,
        "job_gateway" => byoc::job_gateway,
        "job_orchestrator" => byoc::job_orchestrator,
        "job_auth" => byoc::job_auth,
        "worker_lifecycle" => byoc::worker_lifecycle,
        "transcode" => segment::transcode,
        posted::FAMILY if role == Role::Collector => posted::test,
        _ => return None,
    })
}

fn heard(
    input: &[u8],
    speaker: &Speaker,
    received_ms: UnixMillis,
    page: &mut Page,
) -> Result<Option<Heard>, Refusal> {
    let pseudonyms = &speaker.pseudonyms;
    let malformed = |what: &str| Refusal::new(Defect::EnvelopeMalformed, what);
    let whole = Json::parse(input).ok_or_else(|| malformed("not JSON"))?;
    let members = whole.object().ok_or_else(|| malformed("not an object"))?;
    let Some(name) = members.text("type") else {
        if members.get("orchestrators").is_none() {
            return Err(malformed("no type"));
        }
        if !received_ms.is_plausible() {
            return Err(Refusal::new(
                Defect::EnvelopeTime,
                "a capability dump needs a time of its own",
            ));
        }
        capability::dump(&members, received_ms, page);
        let digest = pseudonyms.digest(input).to_string();
        let id = format!("dump/{}/{received_ms}", digest.get(..32).unwrap_or_default());
        return Ok(Some(Heard { id, gateway: None }));
    };
    let unknown =
        || Refusal::new(Defect::FamilyUnknown, plain(&name).unwrap_or("a name that is no word"));
    let family = family(&name, speaker.role).ok_or_else(unknown)?;
    let id = members
        .get("id")
        .and_then(name_of)
        .ok_or_else(|| Refusal::new(Defect::EnvelopeId, plain_or(&name)))?;
    let at_ms = members
        .moment("timestamp")
        .ok_or_else(|| Refusal::new(Defect::EnvelopeTime, plain_or(&name)))?;
    let envelope = Envelope { id, at_ms, data: members.get("data"), members, pseudonyms };
    family(&envelope, page)?;
    let gateway = envelope.members.parse("gateway");
    let id = page.id.take().unwrap_or_else(|| envelope.event_id(&envelope.id));
    Ok((!page.is_blank()).then_some(Heard { id, gateway }))
}

/// An id is text, or a number that stands for text.
fn name_of(id: Json<'_>) -> Option<Cow<'_, str>> {
    id.text().or_else(|| id.decimal()?.count(0).map(|number| Cow::Owned(number.to_string())))
}

fn plain_or(name: &str) -> &str {
    plain(name).unwrap_or("a name that is no word")
}

/// An envelope whose head is read.
struct Envelope<'a> {
    id: Cow<'a, str>,
    at_ms: UnixMillis,
    data: Option<Json<'a>>,
    members: Object<'a>,
    pseudonyms: &'a PseudonymKey,
}

impl<'a> Envelope<'a> {
    /// The data, which most families need to be an object.
    fn object(&self) -> Result<Object<'a>, Refusal> {
        let data = self.data.and_then(Json::object);
        data.ok_or_else(|| refuse_data("data is no object"))
    }

    /// The name events get from an id: itself where it is short and plain, else a hash that only the speaker can make.
    ///
    /// `/` separates what we add, so no plain id can be mistaken for a hash or for the part of another.
    fn event_id(&self, id: &str) -> String {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        if (1..=72).contains(&id.len()) && id.bytes().all(is_plain) {
            return id.to_owned();
        }
        format!("hidden/{}", self.pseudonyms.digest(id.as_bytes()))
    }

    /// When the gateway says it happened, where `field` is a whole number close to the time it was published.
    fn spoken_ms(&self, data: &Object<'_>, field: &str) -> UnixMillis {
        let said = data
            .decimal(field)
            .filter(|said| said.is_whole())
            .and_then(|said| said.count(0))
            .map(UnixMillis);
        let is_near = |said: &UnixMillis| said.0.abs_diff(self.at_ms.0) <= SPOKEN_WITHIN.0;
        said.filter(is_near).unwrap_or(self.at_ms)
    }
}

fn refuse_data(what: &str) -> Refusal {
    Refusal::new(Defect::EnvelopeData, what)
}

/// A subtype that no rule translates.
fn unknown_subtype(subtype: &str) -> Refusal {
    Refusal::new(Defect::SubtypeUnknown, plain_or(subtype))
}

/// One event before it gets its name and its speaker.
struct Draft {
    at_ms: UnixMillis,
    body: Body,
    job_id: Option<JobId>,
    /// Where it was seen, if not where the speaker is.
    region: Option<Region>,
    work: Work,
}

impl Draft {
    fn new(at_ms: UnixMillis, body: Body) -> Self {
        Self { at_ms, body, job_id: None, region: None, work: Work::default() }
    }

    fn about(self, job_id: Option<JobId>, work: &Work) -> Self {
        Self { job_id, work: work.clone(), ..self }
    }
}

/// What one envelope has said so far.
#[derive(Default)]
struct Page {
    drafts: Vec<Draft>,
    refusals: Vec<Refusal>,
    /// A better name than the envelope's id, where the data carries one.
    id: Option<String>,
}

impl Page {
    fn say(&mut self, draft: Draft) {
        if self.drafts.len() < PAGE_MAX {
            self.drafts.push(draft);
        } else {
            self.refuse(Refusal::new(
                Defect::InputTooLarge,
                format_args!("more than {PAGE_MAX} events"),
            ));
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.refusals.len() < PAGE_MAX {
            self.refusals.push(refusal);
        }
    }

    fn is_blank(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Names the events and puts them into the speaker's mouth.
    fn close(self, heard: &Heard, speaker: &Speaker) -> Translated {
        let Self { drafts, mut refusals, .. } = self;
        let is_one = drafts.len() == 1;
        let mut events = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let name =
                if is_one { heard.id.clone() } else { format!("{}/{}", heard.id, index + 1) };
            let Ok(id) = name.parse() else {
                refusals.push(Refusal::new(Defect::EnvelopeId, "an id that gives no event id"));
                continue;
            };
            let Work { workload, pipeline, model } = draft.work;
            let gateway =
                if speaker.role == Role::Collector { heard.gateway.clone() } else { None };
            let bare = speaker.event(id, draft.at_ms, draft.body);
            let region = draft.region.or_else(|| bare.region.clone());
            let job_id = draft.job_id;
            events.push(Event { gateway, job_id, model, pipeline, region, workload, ..bare });
        }
        Translated { events, refusals }
    }
}
