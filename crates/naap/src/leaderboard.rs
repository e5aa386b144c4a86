//! The collector that tells of tests which others post, with its door on the API's listener.
//!
//! It is a node of its own with a key of its own, so that what came in on a shared secret can be told from everything else
//! and trusted less, or not at all. Without a secret there is no such node, and the door says that it is closed.

use std::collections::BTreeSet;
use std::sync::Arc;
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
use pace::{Allowance, Spent, Visitors};
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

/// How long a request may take to arrive.
const REQUEST: Duration = Duration::from_secs(30);

/// The door as the configuration describes it.
pub fn door(config: &Config) -> anyhow::Result<posted::Config> {
    let settings = &config.leaderboard;
    let mut regions: BTreeSet<_> = api::regions::ids().collect();
    for name in &settings.regions {
        let region = name.parse().ok().filter(|_| name.to_ascii_uppercase() == *name);
        let why = || format!("leaderboard.regions: {name:?} is no upper-case name of a region");
        regions.insert(region.with_context(why)?);
    }
    Ok(posted::Config {
        secret: settings.secret_file.clone(),
        regions,
        body_bytes_max: settings.body_bytes_max,
        requests_max: settings.requests_max,
        request: REQUEST,
    })
}

/// The door where nobody listens behind it.
pub fn closed(config: &Config, clock: &Clock) -> anyhow::Result<Router> {
    let settings = posted::Config { secret: None, ..door(config)? };
    let clock = Arc::clone(clock);
    Ok(posted::router(settings, None, Arc::new(move || clock().0))?)
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
    if config.leaderboard.secret_file.is_none() {
        return Ok(None);
    }
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
    let routes = posted::router(door(config)?, Some(collector), Arc::new(move || now().0))
        .context("[leaderboard]")?;
    gifts.routes = Some(routes.layer(from_fn_with_state(visitors(config), pace)));
    Ok(Some((node, gifts)))
}

/// How often one client may post.
fn visitors(config: &Config) -> Arc<Visitors> {
    Arc::new(Visitors::new(Allowance {
        bounds_loopback: config.api.bounds_loopback,
        burst: config.api.requests_burst,
        per_second: config.api.requests_per_s,
        proxies: config.accept.proxies.clone(),
    }))
}

/// Takes a request out of what its client may send.
async fn pace(State(visitors): State<Arc<Visitors>>, request: Request, next: Next) -> Response {
    match visitors.admit(request.extensions(), request.headers(), 1) {
        Ok(_) => next.run(request).await,
        Err(Spent { wait, .. }) => {
            let error = json!({ "error": "this client posts too often: try again later" });
            let mut response = (StatusCode::TOO_MANY_REQUESTS, axum::Json(error)).into_response();
            let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        }
    }
}
