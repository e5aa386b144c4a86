//! Writes go-livepeer's envelopes as JSON bytes, field by field as its gateways do, with their oddities.
//!
//! It only writes: which envelope is said when, and what is true, is the world's. Shapes are those of real captures:
//! times as text in the envelope and as numbers inside, latencies as text, `0 WEI`, sticky errors, null hardware.

pub(crate) mod json;
pub(crate) mod live;
pub(crate) mod network;
pub(crate) mod request;
pub(crate) mod segment;

use json::Json;

/// An orchestrator as envelopes about a job name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'a> {
    /// Its signer, in lower case.
    pub address: &'a str,
    /// Its URL as registered.
    pub url: &'a str,
}

impl Party<'_> {
    /// What gateways write before there is an orchestrator.
    pub const NOBODY: Party<'static> = Party { address: "", url: "" };

    /// Adds the member `orchestrator_info`.
    pub fn write(self, json: &mut Json) {
        json.object("orchestrator_info", |json| {
            json.text("address", self.address).text("url", self.url);
        });
    }
}

/// What surrounds every envelope's data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// A UUID, which is the record's key too.
    pub id: &'a str,
    /// The family.
    pub family: &'a str,
    /// The gateway's clock.
    pub at_ms: u64,
    /// What the gateway calls itself.
    pub gateway: &'a str,
}

impl Frame<'_> {
    fn open(&self, capacity: usize) -> Json {
        let mut json = Json::with_capacity(capacity);
        json.text("id", self.id).text("type", self.family);
        json.number_text("timestamp", self.at_ms).text("gateway", self.gateway);
        json
    }

    /// An envelope around an object.
    pub fn around(&self, data: impl FnOnce(&mut Json)) -> Vec<u8> {
        let mut json = self.open(640);
        json.object("data", data);
        json.finish()
    }

    /// An envelope around a list.
    pub fn around_list(&self, data: impl FnOnce(&mut Json)) -> Vec<u8> {
        let mut json = self.open(1_024);
        json.array("data", data);
        json.finish()
    }
}
