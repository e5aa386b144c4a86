//! `/v1/events`: what happens now, as server-sent events. A listener that cannot keep up is cut off, never waited for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Given;
use axum::http::{HeaderMap, HeaderName};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use events::event::Network;
use futures_util::stream;
use serde::{Deserialize, Deserializer, de};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::IntoParams;

use crate::live::{Message, MessageId, Topic};
use crate::problem::{Code, Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// The header by which a listener says what it heard last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often a silent stream says that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// How long a browser waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(2);

/// What to listen to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Topics, separated by commas: `batch`, `event`, `window`; all if none is named.
    #[param(value_type = String, required = false, example = "batch,window")]
    topics: Option<Topics>,
}

#[derive(Debug)]
struct Topics(Vec<Topic>);

impl<'de> Deserialize<'de> for Topics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let topics: Result<Vec<Topic>, _> = text.split(',').map(str::parse).collect();
        topics.map(Self).map_err(de::Error::custom)
    }
}

/// Live events
///
/// A `text/event-stream`. `event: batch` announces an accepted batch, `event: event` one accepted event and its
/// position, `event: window` a settled window; `data` is one line of JSON. To resume, send the last id as
/// `Last-Event-ID`, as browsers do by themselves. `event: gap` says that more was missed than is still kept: read
/// `/v1/jobs` and `/v1/windows` then. That an event was accepted means that it is stored, not that it counts. A stream
/// ends with a comment if the client is too slow or the instance stops.
#[utoipa::path(
    get, path = "/v1/events", tag = "live",
    params(
        EventsQuery,
        ("last-event-id" = Option<String>, Header, description = "The id of the last message received, to resume after it."),
    ),
    responses((status = 200, description = "The stream.", body = String, content_type = "text/event-stream"), Problems),
)]
pub async fn events(
    Given(state): Given<State>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<impl IntoResponse, Problem> {
    let after = last_heard(&headers)?;
    let permit = state.stream_permit()?;
    let listening = state.feed().listen(after);
    let mut notices = VecDeque::from([Event::default().retry(COME_BACK).comment("listening")]);
    if listening.is_gapped {
        let data = r#"{"reason":"more was missed than is still kept"}"#;
        notices.push_back(Event::default().event("gap").data(data));
    }
    let listener = Listener {
        backlog: listening.backlog,
        is_over: false,
        network: state.network(query.network),
        notices,
        receiver: listening.receiver,
        state,
        topics: query.topics.map_or_else(|| Topic::ALL.to_vec(), |topics| topics.0),
        _permit: permit,
    };
    let messages = stream::unfold(listener, |mut listener| async {
        listener.next().await.map(|event| (Ok::<_, Infallible>(event), listener))
    });
    let alive = KeepAlive::new().interval(SIGN_OF_LIFE).text("still here");
    Ok(([("x-accel-buffering", "no")], Sse::new(messages).keep_alive(alive)))
}

fn last_heard(headers: &HeaderMap) -> Result<Option<MessageId>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let read = value.to_str().ok().and_then(|text| text.parse().ok());
    read.map(Some).ok_or_else(|| {
        let instead = "Send the id of the last message as it came, or no such header.";
        Problem::new(Code::Header, "last-event-id is not an id of this path", instead)
    })
}

/// One who listens.
struct Listener {
    backlog: VecDeque<Arc<Message>>,
    is_over: bool,
    network: Network,
    notices: VecDeque<Event>,
    receiver: Receiver<Arc<Message>>,
    state: State,
    topics: Vec<Topic>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice);
        }
        while !self.is_over {
            let message = match self.backlog.pop_front() {
                Some(message) => message,
                None => match self.hear().await {
                    Ok(message) => message,
                    Err(farewell) => {
                        self.is_over = true;
                        return Some(Event::default().comment(farewell));
                    }
                },
            };
            if message.network == self.network && self.topics.contains(&message.topic) {
                let event = Event::default().event(message.topic.as_str());
                return Some(event.id(message.id.to_string()).data(&message.data));
            }
        }
        None
    }

    /// The next message, or the last words of the stream.
    async fn hear(&mut self) -> Result<Arc<Message>, String> {
        let heard = tokio::select! {
            () = self.state.stopping().cancelled() => return Err("stopping".to_owned()),
            heard = self.receiver.recv() => heard,
        };
        heard.map_err(|error| match error {
            RecvError::Lagged(behind) => {
                self.state.counters().cut_off();
                format!("cut off: {behind} messages behind")
            }
            RecvError::Closed => "over".to_owned(),
        })
    }
}
