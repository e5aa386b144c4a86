//! The collector that tells of tests which others post, with its door on the API's listener.
//!
//! It is a node of its own with a key of its own, so that what came in on a shared secret can be told from everything else
//! and trusted less, or not at all. Without a secret there is no such node, and the door says that it is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use channel::Publish;
use events::event::Role;
use events::identity::PublisherKey;
use pace::{Spent, Visitors};
use pipeline::Clock;
use publisher::intake::posted;
use publisher::pump::Way;
use publisher::translate::Speaker;
use serde_json::json;
use sla::trust::Member;

use crate::config::Config;
use crate::instance::Instance;
use crate::known::{RECORD, Witness};
use crate::node::{Node, Plan};
use crate::process::Failures;
use crate::web::Gifts;

/// The folder of the node that tells of posted tests.
pub const LEADERBOARD: &str = "leaderboard";

/// How long a result may take to arrive.
const REQUEST: Duration = Duration::from_secs(10);

/// How many results one client may be sending at once; testers send one after the other.
const AT_ONCE: usize = 2;

/// The door as the configuration describes it; none where it names no secret.
pub fn door(config: &Config) -> anyhow::Result<Option<posted::Config>> {
    let settings = &config.leaderboard;
    let mut regions: BTreeSet<_> = api::regions::ids().collect();
    for name in &settings.regions {
        let region = name.parse().ok().filter(|_| name.to_ascii_uppercase() == *name);
        let why = || format!("leaderboard.regions: {name:?} is no upper-case name of a region");
        regions.insert(region.with_context(why)?);
    }
    Ok(settings.secret_file.clone().map(|secret| posted::Config {
        secret,
        regions,
        body_bytes_max: settings.body_bytes_max,
        requests_max: settings.requests_max,
        request: REQUEST,
    }))
}

/// Sees to it that the trust file names the collector, where there is to be one; its key.
pub fn trust(instance: &Instance, config: &Config) -> anyhow::Result<Option<PublisherKey>> {
    if config.leaderboard.secret_file.is_none() {
        return Ok(None);
    }
    let (address, key) = (instance.operator()?.address, instance.node(LEADERBOARD)?.key());
    let member = Member { address, key: Some(key), role: Role::Collector };
    instance.trust_with(config.instance.network, &[member])?;
    Ok(Some(key))
}

/// Starts the collector and gives the API its door, where there is a secret.
pub async fn start(
    instance: &Instance,
    config: &Config,
    publish: Arc<dyn Publish>,
    witness: Witness,
    clock: &Clock,
    failures: &Failures,
) -> anyhow::Result<Option<(Node, Gifts)>> {
    let Some(door) = door(config)? else { return Ok(None) };
    let identity = instance.node(LEADERBOARD)?;
    let speaker = Speaker {
        network: config.instance.network,
        reporter: instance.operator()?.address,
        role: Role::Collector,
        node: identity.node.clone(),
        pseudonyms: identity.pseudonym_key(),
        region: None,
    };
    let plan = Plan {
        folder: instance.node_folder(LEADERBOARD),
        intake: None,
        kafka: None,
        name: LEADERBOARD.to_owned(),
        secret: identity.secret().clone(),
        speaker: speaker.clone(),
        ways: vec![Way { name: RECORD.to_owned(), channel: publish }],
        witnesses: vec![witness],
    };
    let mut node = Node::start(plan, config, clock, failures).await?;
    let mut gifts = node.gifts();
    let (counts, spool) = (node.counts.clone(), Arc::clone(&node.spool));
    let collector = posted::Collector { counts, speaker, spool };
    let now = Arc::clone(clock);
    let routes = posted::router(door, collector, Arc::new(move || now().0));
    gifts.routes = Some(routes.context("[leaderboard]")?);
    Ok(Some((node, gifts)))
}

/// The routes for clients that may call as often as `visitors` says, and that send a few results at once.
pub fn paced(routes: Router, visitors: Arc<Visitors>) -> Router {
    let gate = Arc::new(Gate { sending: Mutex::default(), visitors });
    routes.layer(from_fn_with_state(gate, pace))
}

/// Who may send.
struct Gate {
    /// How many results each client is sending.
    sending: Mutex<BTreeMap<IpAddr, usize>>,
    visitors: Arc<Visitors>,
}

/// One result on its way, until it is dropped.
struct Sending {
    client: IpAddr,
    gate: Arc<Gate>,
}

impl Sending {
    fn begin(gate: &Arc<Gate>, client: IpAddr) -> Option<Self> {
        let mut all = gate.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(client).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Self { client, gate: Arc::clone(gate) })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut all = self.gate.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.client);
            }
        }
    }
}

/// Takes a request out of what its client may send.
async fn pace(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (extensions, headers) = (request.extensions(), request.headers());
    if let Err(Spent { wait, .. }) = gate.visitors.admit(extensions, headers, 1) {
        return later("this client posts too often: try again later", wait);
    }
    let client = gate.visitors.client(extensions, headers);
    let sending = match client.map(|client| Sending::begin(&gate, client)) {
        Some(None) => {
            return later(
                "this client is sending other results: send one after the other",
                REQUEST,
            );
        }
        Some(sending) => sending,
        None => None,
    };
    let answer = next.run(request).await;
    drop(sending);
    answer
}

fn later(why: &str, wait: Duration) -> Response {
    let mut response =
        (StatusCode::TOO_MANY_REQUESTS, axum::Json(json!({ "error": why }))).into_response();
    let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use pace::Allowance;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_client_sends_a_few_results_at_once_and_holds_up_nobody_else() {
        let door =
            Router::new().route("/", axum::routing::post(|body: String| async move { body }));
        let visitors = Visitors::new(Allowance { burst: 9, per_second: 1, ..Allowance::default() });
        let door = paced(door, Arc::new(visitors));
        let post = |from: &str, body| {
            let mut request = Request::post("/").body(body).unwrap();
            let from: SocketAddr = from.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(from));
            door.clone().oneshot(request)
        };
        let slow =
            || Body::from_stream(futures_util::stream::pending::<Result<&str, axum::Error>>());
        let begin = |from| tokio::spawn(post(from, slow()));
        let under_way: Vec<_> = (0..AT_ONCE).map(|_| begin("192.0.2.1:9")).collect();
        for _ in 0..AT_ONCE {
            tokio::task::yield_now().await;
        }
        let status = |from| async move { post(from, Body::from("x")).await.unwrap().status() };
        assert_eq!(status("192.0.2.1:10").await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(status("192.0.2.2:9").await, StatusCode::OK);
        for one in under_way {
            one.abort();
            assert!(one.await.unwrap_err().is_cancelled());
        }
        assert_eq!(status("192.0.2.1:10").await, StatusCode::OK, "who hung up sends no more");
    }
}
