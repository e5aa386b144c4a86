//! A change of a score as it is told: an item of the feed, and the message that webhooks carry. It compares nothing.

use events::event::{Network, Workload};
use events::identity::Address;
use events::unit::Ppm;
use serde::Serialize;
use sla::change::{MovedPart, What};
use sla::scorecard::Grade;
use sla::window::Window;

use crate::answer::Reasons;
use crate::changes::{Item, Stood};
use crate::moment::rfc3339;
use crate::schema;

/// One change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FeedItem {
    /// A unique id, the same wherever it is computed.
    id: String,
    /// The URL that explains the score.
    url: String,
    /// A short title.
    title: String,
    /// The change in words.
    content_text: String,
    /// When the window was computed, as RFC 3339 text.
    date_published: String,
    /// The length of the window, and the kind of change.
    tags: Vec<&'static str>,
    /// The same change for programs.
    #[serde(rename = "_naap")]
    naap: ScoreChange,
}

/// What became of a score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreChange {
    /// The kind of change: `appeared`, `disappeared`, `grade` or `score`.
    #[schema(value_type = schema::Change)]
    change: What,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The operator.
    #[schema(value_type = schema::Address)]
    operator: Address,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
    /// The window it is compared with.
    #[schema(value_type = schema::Window)]
    before_window: Window,
    /// The evidence grade; null if the window does not name the operator.
    #[schema(value_type = Option<schema::Grade>)]
    grade: Option<Grade>,
    /// The evidence grade before.
    #[schema(value_type = Option<schema::Grade>)]
    before_grade: Option<Grade>,
    /// The score in parts per million; null if there is none.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// The score before, in parts per million.
    #[schema(value_type = Option<u32>)]
    before_score_ppm: Option<Ppm>,
    /// The components of the score that moved, largest move first, at most eight.
    moved: Vec<ScoreMove>,
    /// Why a member is null.
    reasons: Reasons,
}

/// A component of a score that changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreMove {
    /// The name of the component, as `/v1/explain` has it.
    name: String,
    /// The workload it belongs to; null if the score has no components by workload.
    #[schema(value_type = Option<schema::Workload>)]
    workload: Option<Workload>,
    /// Its lower bound now, in parts per million; null if nothing is proved.
    #[schema(value_type = Option<u32>)]
    lower_ppm: Option<Ppm>,
    /// Its lower bound before, in parts per million; null if nothing was proved.
    #[schema(value_type = Option<u32>)]
    before_lower_ppm: Option<Ppm>,
    /// Why a member is null.
    reasons: Reasons,
}

/// An item as the feed and its webhooks tell it; `base` stands before every path.
pub fn entry(item: &Item, base: &str) -> FeedItem {
    let (network, operator) = (item.network, item.place.operator);
    let window = item.window.to_string().replace('/', "%2F");
    let length = item.window.span.as_str();
    let naap = ScoreChange::from(item);
    let mut parts: Vec<String> = naap.moved.iter().map(told).collect();
    if parts.is_empty() {
        parts.push("no part of the score moved".to_owned());
    }
    let title = title(item, length);
    FeedItem {
        id: item.id(),
        url: format!("{base}/v1/explain/{operator}?network={network}&window={window}"),
        content_text: format!("{title}. {}.", parts.join("; ")),
        title,
        date_published: rfc3339(item.made_ms),
        tags: vec![length, item.what.as_str()],
        naap,
    }
}

/// What a webhook carries.
#[derive(Serialize)]
struct Message<'a> {
    data: &'a FeedItem,
    timestamp: &'a str,
    r#type: &'a str,
}

/// A change as webhooks tell it: the feed's item, in an envelope. The same each time it is asked for.
pub fn message(item: &Item, base: &str) -> String {
    let data = entry(item, base);
    let message = Message { data: &data, timestamp: &data.date_published, r#type: "score.changed" };
    serde_json::to_string(&message).expect("items are texts and integers")
}

fn title(item: &Item, length: &str) -> String {
    let operator = item.place.operator;
    let stood = |it: &Option<Stood>| match it {
        None => "not named".to_owned(),
        Some(it) => match it.score {
            Some(score) => format!("{} {}", score.0, it.grade),
            None => it.grade.to_string(),
        },
    };
    format!("{operator} over {length}: {} → {}", stood(&item.before), stood(&item.after))
}

fn told(part: &ScoreMove) -> String {
    let value = |it: Option<Ppm>| it.map_or_else(|| "unknown".to_owned(), |ppm| ppm.0.to_string());
    let of = part.workload.map(|it| format!("{it} ")).unwrap_or_default();
    format!("{of}{} {} → {}", part.name, value(part.before_lower_ppm), value(part.lower_ppm))
}

impl From<&Item> for ScoreChange {
    fn from(item: &Item) -> Self {
        let mut reasons = Reasons::default();
        let (new, old) = (item.after.as_ref(), item.before.as_ref());
        let unnamed = || "the window does not name the operator".to_owned();
        let without = |it: Option<&Stood>| {
            let known = it.and_then(|it| it.reason.clone());
            known.unwrap_or_else(|| "the window does not name the operator".to_owned())
        };
        Self {
            change: item.what,
            network: item.network,
            operator: item.place.operator,
            window: item.window,
            before_window: item.before_window,
            grade: reasons.explain("grade", new.map(|it| it.grade), unnamed),
            before_grade: reasons.explain("before_grade", old.map(|it| it.grade), unnamed),
            score_ppm: reasons.explain("score_ppm", new.and_then(|it| it.score), || without(new)),
            before_score_ppm: reasons.explain(
                "before_score_ppm",
                old.and_then(|it| it.score),
                || without(old),
            ),
            moved: item.moved.iter().map(ScoreMove::from).collect(),
            reasons,
        }
    }
}

impl From<&MovedPart> for ScoreMove {
    fn from(part: &MovedPart) -> Self {
        let mut reasons = Reasons::default();
        let nothing = || "nothing is proved of it".to_owned();
        let whole = || "the score has no parts by workload".to_owned();
        Self {
            name: part.name.clone(),
            workload: reasons.explain("workload", part.workload, whole),
            lower_ppm: reasons.explain("lower_ppm", part.after, nothing),
            before_lower_ppm: reasons.explain("before_lower_ppm", part.before, nothing),
            reasons,
        }
    }
}
