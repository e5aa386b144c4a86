//! What came of a job in each hour: its tenures, what they owed and what came of that.

use events::body::{self, Reason};
use events::event::Origin;
use events::identity::{Address, Region, ServiceUrl};
use events::unit::{MilliFps, UnixMillis};
use serde::Serialize;
use sla::hour::fact::{State, TenureFact};
use sla::join::obligation::Owed;
use sla::tally::outcome::{Excuse, Obligation, Outcome};
use sla::window::Hour;
use warehouse::view::JobRow;

use crate::answer::{Reasons, Work};
use crate::schema;

/// A job as one hour knows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JobHour)]
pub struct HourFact {
    /// The hour.
    #[schema(value_type = schema::Hour)]
    window: Hour,
    /// Whether the hour may still change.
    provisional: bool,
    /// The hour's latest revision; null where it is provisional.
    revision: Option<u32>,
    /// The state of the job at the end of the hour.
    #[schema(value_type = schema::JobState)]
    state: State,
    /// The kind of work that was requested.
    work: Work,
    /// Whether users asked for it (`organic`) or it was a test (`probe`).
    #[schema(value_type = schema::Origin)]
    origin: Origin,
    /// The region in which it was requested; null if nobody reported it.
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// The time of the first claim that the hour counts, in Unix milliseconds.
    #[schema(value_type = u64)]
    first_ms: UnixMillis,
    /// The time of the last one, in Unix milliseconds.
    #[schema(value_type = u64)]
    last_ms: UnixMillis,
    /// When it was requested, in Unix milliseconds; null if nobody reported it.
    #[schema(value_type = Option<u64>)]
    requested_ms: Option<UnixMillis>,
    /// How many claims were read.
    claims: u64,
    /// Everyone who reported on it.
    #[schema(value_type = Vec<schema::Address>)]
    reporters: Vec<Address>,
    /// The orchestrators that held it, in order.
    tenures: Vec<Tenure>,
    /// Why a member is null.
    reasons: Reasons,
}

/// One orchestrator's time with a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tenure {
    /// The operator responsible for it; null if no capability offer names one.
    #[schema(value_type = Option<schema::Address>)]
    operator: Option<Address>,
    /// The names under which it was seen.
    seen_as: SeenAs,
    /// When it began, in Unix milliseconds.
    #[schema(value_type = u64)]
    start_ms: UnixMillis,
    /// When the first output came, in Unix milliseconds; null if none was reported.
    #[schema(value_type = Option<u64>)]
    first_output_ms: Option<UnixMillis>,
    /// When lasting output began, or the answer was complete, in Unix milliseconds; null if that was not reported.
    #[schema(value_type = Option<u64>)]
    output_ms: Option<UnixMillis>,
    /// When it ended, in Unix milliseconds; null if it has not.
    #[schema(value_type = Option<u64>)]
    end_ms: Option<UnixMillis>,
    /// How it ended: `completed`, `failed`, `swapped` or `silent`; null if it has not.
    ended: Option<String>,
    /// The reason given for a bad or early end; null if there was none.
    #[schema(value_type = Option<schema::Reason>)]
    end_reason: Option<Reason>,
    /// Mean input frame rate, in thousandths of a frame per second, rounded down; null if unknown.
    #[schema(value_type = Option<u32>)]
    fps_in_milli_fps: Option<MilliFps>,
    /// Mean output frame rate, in thousandths of a frame per second, rounded down; null if unknown.
    #[schema(value_type = Option<u32>)]
    fps_out_milli_fps: Option<MilliFps>,
    /// How many status reports there were.
    statuses: u64,
    /// Whether only the orchestrator's own side reported it; if so, it has no obligations that count.
    self_told: bool,
    /// Its obligations in the hour, with their outcomes.
    obligations: Vec<JudgedObligation>,
    /// Why a member is null.
    reasons: Reasons,
}

/// The names under which an orchestrator was seen.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SeenAs {
    /// The on-chain address; null if nobody named it.
    #[schema(value_type = Option<schema::Address>)]
    recipient: Option<Address>,
    /// The signing address; null if nobody named it.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Address>,
    /// The service URL; null if nobody named it.
    #[schema(value_type = Option<schema::ServiceUrl>)]
    url: Option<ServiceUrl>,
    /// Why a member is null.
    reasons: Reasons,
}

/// One obligation and what came of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JudgedObligation {
    /// The obligation.
    #[schema(value_type = schema::Obligation)]
    obligation: Obligation,
    /// When it was due, in Unix milliseconds.
    #[schema(value_type = u64)]
    due_ms: UnixMillis,
    /// `good`, `bad`, `missing`, `declined`, `disputed` or `excused`.
    #[schema(example = "good")]
    outcome: &'static str,
    /// Why it was excused; null if it was not.
    #[schema(value_type = Option<schema::Excuse>)]
    excuse: Option<Excuse>,
    /// What the outcome means, in words.
    meaning: &'static str,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<JobRow> for HourFact {
    fn from(row: JobRow) -> Self {
        let JobRow { fact, hour, revision } = row;
        let mut reasons = Reasons::default();
        let text = |why: &'static str| move || why.to_owned();
        Self {
            window: hour,
            provisional: revision.is_none(),
            revision: reasons.explain("revision", revision, text("the hour has not settled")),
            state: fact.state,
            work: fact.class.into(),
            origin: fact.origin,
            region: reasons.explain("region", fact.region, text("no reporter has a region")),
            first_ms: fact.first_ms,
            last_ms: fact.last_ms,
            requested_ms: reasons.explain(
                "requested_ms",
                fact.requested_ms,
                text("no request was heard"),
            ),
            claims: fact.claims,
            reporters: fact.reporters,
            tenures: fact.tenures.into_iter().map(Tenure::from).collect(),
            reasons,
        }
    }
}

impl From<TenureFact> for Tenure {
    fn from(fact: TenureFact) -> Self {
        let mut reasons = Reasons::default();
        let text = |why: &'static str| move || why.to_owned();
        let no_end = text("it has not ended, as far as was heard");
        let untold = text("no status told frames");
        Self {
            operator: reasons.explain(
                "operator",
                fact.operator,
                text("no capability offer ties it to an on-chain address"),
            ),
            seen_as: fact.orchestrator.into(),
            start_ms: fact.start_ms,
            first_output_ms: reasons.explain(
                "first_output_ms",
                fact.first_output_ms,
                text("no output was heard of"),
            ),
            output_ms: reasons.explain(
                "output_ms",
                fact.output_ms,
                text("no lasting output or whole answer was heard of"),
            ),
            end_ms: reasons.explain("end_ms", fact.end_ms, no_end),
            ended: reasons.explain("ended", fact.ended, no_end),
            end_reason: reasons.explain("end_reason", fact.reason, text("none was given")),
            fps_in_milli_fps: reasons.explain("fps_in_milli_fps", fact.fps_in, untold),
            fps_out_milli_fps: reasons.explain("fps_out_milli_fps", fact.fps_out, untold),
            statuses: fact.samples,
            self_told: fact.self_told,
            obligations: fact.owed.into_iter().map(JudgedObligation::from).collect(),
            reasons,
        }
    }
}

impl From<body::Orchestrator> for SeenAs {
    fn from(seen: body::Orchestrator) -> Self {
        let mut reasons = Reasons::default();
        let unnamed = || "no party named it".to_owned();
        Self {
            recipient: reasons.explain("recipient", seen.recipient, unnamed),
            signer: reasons.explain("signer", seen.signer, unnamed),
            url: reasons.explain("url", seen.url, unnamed),
            reasons,
        }
    }
}

impl From<Owed> for JudgedObligation {
    fn from(owed: Owed) -> Self {
        let (outcome, excuse, meaning) = match owed.outcome {
            Outcome::Good => ("good", None, "it was met"),
            Outcome::Bad => ("bad", None, "it was not met, and the orchestrator answers for that"),
            Outcome::Missing => {
                ("missing", None, "nobody can tell, because the gateway's record has a hole")
            }
            Outcome::Declined => ("declined", None, "the orchestrator said that it had no room"),
            Outcome::Disputed => ("disputed", None, "the parties contradict each other"),
            Outcome::Excused(excuse) => {
                ("excused", Some(excuse), "it was not the orchestrator's to meet")
            }
        };
        let mut reasons = Reasons::default();
        Self {
            obligation: owed.obligation,
            due_ms: owed.due_ms,
            outcome,
            excuse: reasons.explain("excuse", excuse, || "it was not excused".to_owned()),
            meaning,
            reasons,
        }
    }
}
