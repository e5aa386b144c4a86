//! The calling side: pushes to one peer, and asks it for backfill and heads.
//! It never calls an address the policy forbids, never follows a redirect, and never reads more than its bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use crate::address::{Policy, Target, refusal};
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::http::frames::{self, OVERHEAD_BYTES};
use crate::http::{CHAIN_HEADER, Limits};
use crate::traits::{
    Backfill, BoxFuture, Capabilities, Channel, Head, Message, Order, Publish, Receipt, check,
    check_chain,
};

/// Most bytes read of a refusal.
const REFUSAL_BYTES_MAX: usize = 4096;
/// The longest wait a peer can ask of us.
const RETRY_AFTER_SECONDS_MAX: u64 = 300;

/// A peer that speaks this protocol. Clones share connections and are closed together.
#[derive(Clone)]
pub struct Peer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) target: Target,
    pub(super) client: Client,
    pub(super) limits: Limits,
    pub(super) gate: Gate,
}

impl Peer {
    /// Makes a client for the peer at this base url, if the policy permits it. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Address`] when the policy forbids it, [`Error::Foreign`] when TLS cannot be set up.
    pub fn new(url: &str, policy: &Policy, limits: Limits) -> Result<Self> {
        let target = policy.target(url)?;
        let client = target.client(Duration::from_millis(limits.request_ms))?;
        Ok(Self { inner: Arc::new(Inner { target, client, limits, gate: Gate::new() }) })
    }
}

impl Inner {
    fn unreachable(&self, reason: impl ToString) -> Error {
        Error::Unreachable { peer: self.target.url().to_string(), reason: reason.to_string() }
    }

    pub(super) fn foreign(&self, reason: impl ToString) -> Error {
        Error::Foreign { peer: self.target.url().to_string(), reason: reason.to_string() }
    }

    fn get(&self, call: &str) -> RequestBuilder {
        self.client.get(self.target.join(&["channel", "v1", call]))
    }

    /// Sends and returns the answer if it is a 200, else the error it means.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request
            .send()
            .await
            .map_err(|error| refusal(&error).unwrap_or_else(|| self.failed(&error)))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        if matches!(status.as_u16(), 408 | 429 | 503) {
            let asked = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            return Err(Error::Busy {
                retry_after_ms: asked.unwrap_or(1).min(RETRY_AFTER_SECONDS_MAX) * 1000,
            });
        }
        if status.is_client_error() {
            let body = self.read(response, REFUSAL_BYTES_MAX).await?;
            // Only the door itself gives a batch up for good: a wrong path or a proxy in between says nothing about it.
            let is_final = status == StatusCode::UNPROCESSABLE_ENTITY;
            let is_ours = |said: &str| is_final || super::code::FINAL.contains(&said);
            if let Ok(Refusal { code, detail }) = serde_json::from_slice(&body)
                && is_ours(&code)
            {
                return Err(Error::Refused { code, detail });
            }
        }
        Err(self.foreign(format!("status {status}")))
    }

    fn failed(&self, error: &reqwest::Error) -> Error {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            reason = inner.to_string();
            cause = inner.source();
        }
        self.unreachable(reason)
    }

    async fn read(&self, mut response: Response, max_bytes: usize) -> Result<Bytes> {
        let too_long = || self.foreign(format!("an answer longer than {max_bytes} bytes"));
        let announced = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > max_bytes) {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > max_bytes {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    pub(super) async fn frames(&self, response: Response, max_bytes: usize) -> Result<Vec<Bytes>> {
        let body = self.read(response, max_bytes).await?;
        frames::split(body).ok_or_else(|| self.foreign("a frame was cut short"))
    }
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Channel for Peer {
    fn capabilities(&self) -> Capabilities {
        let max_bytes = self.inner.limits.max_bytes;
        Capabilities { ack: true, replay: true, order: Order::PerChain, max_bytes, partitions: 1 }
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.inner.gate.check()?;
            self.inner.send(self.inner.get("health")).await.map(drop)
        })
    }

    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.inner.gate.close(drain))
    }
}

impl Publish for Peer {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>> {
        Box::pin(async move {
            let inner = &self.inner;
            check(&message, inner.limits.max_bytes)?;
            let _pass = inner.gate.enter()?;
            let url = inner.target.join(&["channel", "v1", "batches"]);
            let request =
                inner.client.post(url).header(CHAIN_HEADER, message.chain).body(message.body);
            tokio::select! {
                sent = inner.send(request) => sent.map(|_| Receipt::Held),
                () = inner.gate.closed() => Err(Error::Closed),
            }
        })
    }
}

impl Backfill for Peer {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            let inner = &self.inner;
            check_chain(chain)?;
            let asked = to_seq.checked_sub(from_seq).ok_or(Error::Range { from_seq, to_seq })?;
            let max_bytes = max_bytes.min(inner.limits.page_bytes);
            let url = inner.target.join(&["channel", "v1", "backfill"]);
            let query = [
                ("chain", chain.to_owned()),
                ("epoch", epoch.to_string()),
                ("from", from_seq.to_string()),
                ("to", to_seq.to_string()),
                ("max_bytes", max_bytes.to_string()),
            ];
            let url = reqwest::Url::parse_with_params(url.as_str(), query)
                .map_err(|error| inner.foreign(error))?;
            let response = inner.send(inner.client.get(url)).await?;
            let count_max =
                usize::try_from(asked.saturating_add(1).min(inner.limits.page_messages));
            let count_max = count_max.unwrap_or(usize::MAX);
            let framing = count_max.saturating_mul(OVERHEAD_BYTES);
            let bodies = inner.frames(response, max_bytes.saturating_add(framing)).await?;
            if bodies.len() > count_max || bodies.iter().map(Bytes::len).sum::<usize>() > max_bytes
            {
                return Err(inner.foreign("more messages or bytes than asked"));
            }
            Ok(bodies)
        })
    }

    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(async {
            let response = self.inner.send(self.inner.get("heads")).await?;
            let body = self.inner.read(response, self.inner.limits.page_bytes).await?;
            serde_json::from_slice(&body).map_err(|error| self.inner.foreign(error))
        })
    }
}
