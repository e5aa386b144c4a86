//! A small world to ask about, and a way to ask.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use api::changes::Changes;
use api::exports::{Exports, File, Unavailable, Wanted};
use api::health::{Check, Finding};
use api::live::{Bounds, Feed};
use api::routing::Policies;
use api::state::Heard;
use api::{Limits, Parts, Private, State};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload, Position, Tail};
use events::body::{self, Body as Said, Witness};
use events::event::{Event, Network, Role, Workload};
use events::identity::{Address, JobId};
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use events::wire;
use http_body_util::BodyExt as _;
use ledger::{Entry, Ledger};
use pace::{Allowance, Visitors};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use warehouse::Warehouse as _;
use warehouse::contract::sample;
use warehouse::sqlite::Sqlite;

/// The stores behind one API, and the API.
pub struct World {
    pub changes: Arc<Changes>,
    pub exports: Arc<Shelf>,
    pub feed: Arc<Feed>,
    pub is_well: Arc<AtomicU64>,
    pub ledger: Arc<Ledger>,
    pub now_ms: Arc<AtomicU64>,
    pub router: Router,
    pub stopping: CancellationToken,
    pub warehouse: Arc<Sqlite>,
    _folder: TempDir,
}

impl World {
    /// Nothing happened yet; it is ten past the hour after [`sample::HOUR`].
    pub fn empty() -> Self {
        Self::bounded(Limits::default(), Bounds::default())
    }

    pub fn bounded(limits: Limits, bounds: Bounds) -> Self {
        Self::of(limits, bounds, Visitors::default(), Private::default())
    }

    /// A world that bounds how often each client may ask.
    pub fn paced(allowance: Allowance) -> Self {
        let (limits, visitors) = (Limits::default(), Visitors::new(allowance));
        Self::of(limits, Bounds::default(), visitors, Private::default())
    }

    /// With these parts behind feeds and private views.
    pub fn with_private(private: Private) -> Self {
        Self::of(Limits::default(), Bounds::default(), Visitors::default(), private)
    }

    /// Moves the clock by as long as an answer may be given again whatever was written.
    pub fn a_second_passes(&self) {
        self.now_ms.fetch_add(1_000, Ordering::SeqCst);
    }

    fn of(limits: Limits, bounds: Bounds, visitors: Visitors, private: Private) -> Self {
        let folder = TempDir::new().unwrap();
        let (ledger, _) = Ledger::open(&folder.path().join("ledger"), Default::default()).unwrap();
        let ledger = Arc::new(ledger);
        let warehouse = Arc::new(Sqlite::in_memory().unwrap());
        let now_ms = Arc::new(AtomicU64::new(sample::HOUR.end().0 + 600_000));
        let is_well = Arc::new(AtomicU64::new(1));
        let feed = Arc::new(Feed::new(UnixMillis(1_000), bounds));
        let stopping = CancellationToken::new();
        let exports = Arc::new(Shelf::default());
        let (clock, held, well) = (now_ms.clone(), ledger.clone(), is_well.clone());
        let changes = private.changes.clone();
        let state = State::new(Parts {
            checks: vec![
                Check::new("ledger", || Finding::ok("12 batches")),
                Check::new("pipeline", move || match well.load(Ordering::SeqCst) {
                    0 => Finding::wrong("9000 ms behind"),
                    _ => Finding::ok("3 ms behind"),
                }),
            ],
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            contributors: vec![Arc::new(|exposition| {
                exposition.counter(
                    "naap_batches_accepted_total",
                    "Batches.",
                    &[("role", "intake")],
                    7,
                );
            })],
            exports: exports.clone(),
            feed: feed.clone(),
            ledger: Arc::new(move || held.clone()),
            limits,
            network: Network::Simulation,
            nodes: vec![Heard {
                network: Network::Simulation,
                publisher: sample::key(3),
                refused: Arc::new(|| {
                    [(Defect::EnvelopeTime, 4), (Defect::EventTooLarge, 2)].into()
                }),
            }],
            policies: Policies::new(None),
            private,
            stopping: stopping.clone(),
            visitors: Arc::new(visitors),
            warehouse: warehouse.clone(),
        });
        let router = api::router(state);
        Self {
            changes,
            exports,
            feed,
            is_well,
            ledger,
            now_ms,
            router,
            stopping,
            warehouse,
            _folder: folder,
        }
    }

    /// Two revisions of the sample's hour with 60 jobs, a provisional hour after it, publishers and refusals.
    pub fn settled() -> Self {
        let world = Self::empty();
        let (network, hour) = (sample::NETWORK, sample::HOUR);
        world.warehouse.record_hour(&sample::record(network, hour, 0, 50)).unwrap();
        world.warehouse.record_hour(&sample::record(network, hour, 1, 60)).unwrap();
        let week = sample::window_record(network, hour, sla::window::Span::Week, 7);
        world.warehouse.record_window(&week).unwrap();
        let open = hour.next();
        let (jobs, card) = (sample::facts(open, 60..63), sample::scorecard(network, open, 3));
        let now_ms = UnixMillis(world.now_ms.load(Ordering::SeqCst));
        let record = sample::record(network, open, 0, 3);
        let sums = Some(sample::sums(&record, &card));
        world.warehouse.record_provisional(network, open, &jobs, sums, now_ms).unwrap();
        let rows: Vec<_> = (0..5).map(|number| sample::publisher(network, number, 1)).collect();
        world.warehouse.record_publishers(&rows).unwrap();
        world
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(|body| body.to_bytes().to_vec());
        Answer { body: bytes.ok(), headers: parts.headers, status: parts.status }
    }

    /// The JSON of a path that answers 200.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    /// Appends a batch; gives where it stands.
    pub fn append(&self, batch: &Batch) -> Position {
        let frame = wire::encode(batch).unwrap();
        let received_ms = batch.header.sealed_ms.plus(Millis(40));
        self.ledger.append(vec![Entry { received_ms, frame }]).unwrap();
        batch.header.position()
    }
}

/// An answer, read whole.
pub struct Answer {
    /// Nothing where the body broke off.
    pub body: Option<Vec<u8>>,
    pub headers: HeaderMap,
    pub status: StatusCode,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or_default()).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body.as_deref().unwrap()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The code of a well-formed problem document.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(document["request_id"], self.header("x-request-id"));
        for member in ["title", "detail", "instead"] {
            assert!(!document[member].as_str().unwrap().is_empty(), "{member}: {document}");
        }
        let code = document["code"].as_str().unwrap().to_owned();
        assert_eq!(document["type"], format!("urn:naap:problem:{code}"));
        code
    }
}

/// Exports that are written down beforehand.
#[derive(Default)]
pub struct Shelf {
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How many bytes every file is announced to have beside its own.
    pub lie: AtomicU64,
}

impl Exports for Shelf {
    fn manifest(&self, wanted: &Wanted) -> Result<Vec<u8>, Unavailable> {
        match (wanted.window.last == sample::HOUR, wanted.revision) {
            (true, None | Some(0 | 1)) => {
                Ok(br#"{"format":"naap/export/1","revision":1}"#.to_vec())
            }
            (true, Some(revision)) => Err(Unavailable::Absent(format!("no revision {revision}"))),
            (false, _) => Err(Unavailable::Unsettled("has not settled".to_owned())),
        }
    }

    fn file(&self, wanted: &Wanted, name: &str) -> Result<File, Unavailable> {
        self.manifest(wanted)?;
        if name == "broken.json" {
            return Err(Unavailable::Failed("the disk is on fire".to_owned()));
        }
        let content = self.files.lock().unwrap().get(name).cloned();
        let content = content.ok_or_else(|| Unavailable::Absent(format!("no file {name}")))?;
        let bytes = u64::try_from(content.len()).unwrap() + self.lie.load(Ordering::SeqCst);
        Ok(File { bytes, content: Box::new(move |sink| sink.write_all(&content)) })
    }
}

/// An event about a job.
pub fn claim(reporter: Address, role: Role, job_id: JobId, number: u64, body: Said) -> Event {
    Event {
        at_ms: sample::HOUR.start().plus(Millis(number * 1_000)),
        body,
        gateway: None,
        id: format!("event-{number}").parse().unwrap(),
        job_id: Some(job_id),
        model: None,
        network: sample::NETWORK,
        node: "3f6c1c0e-1111-4222-8333-444455556666".parse().unwrap(),
        origin: None,
        pipeline: None,
        region: None,
        reporter,
        role,
        workload: Some(Workload::LiveVideo),
    }
}

/// A request.
pub fn requested() -> Said {
    Said::JobRequested(body::job::Requested::default())
}

/// Its good end, as this witness tells it.
pub fn completed(witness: Witness) -> Said {
    Said::JobCompleted(body::job::Completed {
        duration_ms: None,
        http_status: None,
        orchestrator: body::Orchestrator::default(),
        price_wei: None,
        reason: None,
        tokens: None,
        tries: None,
        witness,
    })
}

/// A batch of these events, after `tail` in its chain.
pub fn sealed(publisher: u8, tail: Option<&Tail>, events: &[Event]) -> Batch {
    let secret = SigningKey::from_bytes(&[publisher; 32]);
    let bytes: Vec<Vec<u8>> = events.iter().map(|event| event.encode().unwrap()).collect();
    let payload = Payload::of(bytes.iter().map(Vec::as_slice));
    let now = events.iter().map(|event| event.at_ms).max().unwrap().plus(Millis(200));
    Batch::seal(&secret, sample::NETWORK, 0, tail, now, payload).unwrap()
}
