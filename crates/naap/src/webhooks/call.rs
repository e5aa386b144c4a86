//! Calls a subscriber's URL, under the rules for addresses of `channel`: https to public hosts, judged whenever a name is
//! resolved, no redirects, bounded in time and in what is read of the answer.

use std::time::Duration;

use api::changes::Item;
use api::private::Refused;
use channel::address::{Policy, Target};
use events::unit::UnixMillis;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};

use super::signature::sign;

/// The most bytes that are read of an answer.
const ANSWER_BYTES_MAX: usize = 4_096;

/// Who calls.
const AGENT: &str = concat!("naap/", env!("CARGO_PKG_VERSION"));

/// What a URL has to give back before anything else is sent there.
pub struct Challenge(String);

impl Challenge {
    /// Another one: 256 random bits.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Whoever is there wants no more.
    #[error("status 410: it is gone for good")]
    Gone,
    /// It may be taken another time.
    #[error("{0}")]
    Passing(String),
}

/// Calls URLs.
pub struct Caller {
    base: String,
    policy: Policy,
    timeout: Duration,
}

impl Caller {
    /// A caller; `base` stands before the paths in messages.
    pub fn new(loopback: bool, timeout: Duration, base: String) -> Self {
        Self { base, policy: Policy { loopback, ..Policy::default() }, timeout }
    }

    /// Sends a challenge, and reads whether it comes back.
    pub async fn prove(&self, url: &str, challenge: &Challenge) -> Result<(), Refused> {
        let Challenge(text) = challenge;
        let body = json!({ "type": "challenge", "challenge": text }).to_string();
        // That it is not for this process to call is the asker's to know; what else the host is, is not.
        self.target(url).map_err(Refused::Url)?;
        let answer = self.post(url, &[], body).await.map_err(Refused::Challenge)?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(Refused::Challenge(format!("status {}", status.as_u16())));
        }
        let read = tokio::time::timeout(self.timeout, read(answer)).await;
        let read = read.map_err(|_| Refused::Challenge("the answer took too long".to_owned()))?;
        let echoed: Option<Value> = serde_json::from_slice(&read.map_err(Refused::Challenge)?).ok();
        let echoed = echoed.as_ref().and_then(|it| it.get("challenge")).and_then(Value::as_str);
        if echoed == Some(text) {
            return Ok(());
        }
        Err(Refused::Challenge("the answer does not hold it".to_owned()))
    }

    /// Sends a change, signed; it is taken where the answer is a success.
    pub async fn tell(
        &self,
        url: &str,
        secret: &str,
        item: &Item,
        now: UnixMillis,
    ) -> Result<(), Failure> {
        let (id, seconds) = (item.id(), now.0 / 1_000);
        let body = api::feed::message(item, &self.base);
        let signature = sign(secret, &id, seconds, &body)
            .ok_or_else(|| Failure::Passing("its secret is spoiled".to_owned()))?;
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let answer = self.post(url, &headers, body).await.map_err(Failure::Passing)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Failure::Gone),
            status => Err(Failure::Passing(format!("status {}", status.as_u16()))),
        }
    }

    /// What is called, and its whole URL. A query has no say in who that is, so it is not judged; a fragment is sent to
    /// nobody, so whoever writes one means something else.
    fn target(&self, url: &str) -> Result<(Target, Url), String> {
        let (judged, query) = match url.split_once('?') {
            Some((judged, query)) if !query.contains('#') => (judged, Some(query)),
            _ => (url, None),
        };
        let target = self.policy.target(judged).map_err(|error| error.to_string())?;
        let mut whole = target.url().clone();
        whole.set_query(query);
        Ok((target, whole))
    }

    async fn post(
        &self,
        url: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<Response, String> {
        let (target, url) = self.target(url)?;
        let client = target.client(self.timeout).map_err(|error| error.to_string())?;
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send().await.map_err(|error| reason(&error).to_owned())
    }
}

/// Why a call failed, without what a subscriber could learn about the networks around us.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection: the host cannot be reached, is none that may be called, or its certificate is not trusted"
    } else {
        "the connection broke off"
    }
}

/// The beginning of an answer.
async fn read(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error).to_owned())? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_query_and_is_judged_all_the_same() {
        let caller = Caller::new(false, Duration::from_secs(1), String::new());
        let whole = |url: &str| caller.target(url).map(|(_, whole)| whole.to_string());
        let url = "https://hooks.example/naap?token=a%20b&c=d?e";
        assert_eq!(whole(url).as_deref(), Ok(url));
        assert_eq!(whole("https://hooks.example").as_deref(), Ok("https://hooks.example/"));
        for refused in [
            "https://hooks.example/?a#b",
            "https://hooks.example/#b?a",
            "https://10.0.0.1/?a",
            "https://127.0.0.1?@hooks.example/",
            "https://user:secret@hooks.example/?a",
            "http://hooks.example/?a",
            "?a",
        ] {
            assert!(whole(refused).is_err(), "{refused}");
        }
    }
}
