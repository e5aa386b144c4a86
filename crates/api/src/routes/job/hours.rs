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
    /// How the job stood at the hour's end.
    #[schema(value_type = schema::JobState)]
    state: State,
    /// What was asked for.
    work: Work,
    /// Whether it was wanted or a test.
    #[schema(value_type = schema::Origin)]
    origin: Origin,
    /// Where it was asked for; null where nobody said.
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// When the first claim read for the hour counts.
    #[schema(value_type = u64)]
    first_ms: UnixMillis,
    /// When the last one counts.
    #[schema(value_type = u64)]
    last_ms: UnixMillis,
    /// When it was asked for; null where that was not heard.
    #[schema(value_type = Option<u64>)]
    requested_ms: Option<UnixMillis>,
    /// How many claims were read.
    claims: u64,
    /// Everybody who spoke of it.
    #[schema(value_type = Vec<schema::Address>)]
    reporters: Vec<Address>,
    /// Who had it, in order.
    tenures: Vec<Tenure>,
    /// Why a member is null.
    reasons: Reasons,
}

/// One orchestrator's time with a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tenure {
    /// Who answers for it; null where no capability offer tells.
    #[schema(value_type = Option<schema::Address>)]
    operator: Option<Address>,
    /// The names it was seen by.
    seen_as: SeenAs,
    /// When it began.
    #[schema(value_type = u64)]
    start_ms: UnixMillis,
    /// When the first output came; null where none was heard of.
    #[schema(value_type = Option<u64>)]
    first_output_ms: Option<UnixMillis>,
    /// When output was enough to watch, or the answer whole; null where that was not heard of.
    #[schema(value_type = Option<u64>)]
    output_ms: Option<UnixMillis>,
    /// When it ended; null where it has not.
    #[schema(value_type = Option<u64>)]
    end_ms: Option<UnixMillis>,
    /// How it ended: `completed`, `failed`, `swapped`, `silent`; null where it has not.
    ended: Option<String>,
    /// The reason given for a bad or early end; null where there was none.
    #[schema(value_type = Option<schema::Reason>)]
    end_reason: Option<Reason>,
    /// Mean frames in, thousandths of a frame per second, rounded down; null where none were told.
    #[schema(value_type = Option<u32>)]
    fps_in_milli_fps: Option<MilliFps>,
    /// Mean frames out, thousandths of a frame per second, rounded down; null where none were told.
    #[schema(value_type = Option<u32>)]
    fps_out_milli_fps: Option<MilliFps>,
    /// How many statuses were heard.
    statuses: u64,
    /// Whether nobody but the orchestrator's own side told of it; then it owes nothing that counts.
    self_told: bool,
    /// What it owed in the hour, and what came of it.
    obligations: Vec<JudgedObligation>,
    /// Why a member is null.
    reasons: Reasons,
}

/// The names an orchestrator was seen by.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SeenAs {
    /// The on-chain address; null where no party named it.
    #[schema(value_type = Option<schema::Address>)]
    recipient: Option<Address>,
    /// The signing address; null where no party named it.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Address>,
    /// Where it answered; null where no party named it.
    #[schema(value_type = Option<schema::ServiceUrl>)]
    url: Option<ServiceUrl>,
    /// Why a member is null.
    reasons: Reasons,
}

/// One obligation and what came of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JudgedObligation {
    /// What was owed.
    #[schema(value_type = schema::Obligation)]
    obligation: Obligation,
    /// When it was due.
    #[schema(value_type = u64)]
    due_ms: UnixMillis,
    /// `good`, `bad`, `missing`, `declined`, `disputed` or `excused`.
    #[schema(example = "good")]
    outcome: &'static str,
    /// Why it was excused; null where it was not.
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
