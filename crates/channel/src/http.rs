//! The channel between any two peers: push, long-poll and backfill over HTTP.
//! It never trusts the other side: sizes are checked before reading, times and counts are bounded.
//!
//! | call | meaning |
//! |---|---|
//! | `POST /channel/v1/batches` | one message; its chain in the header `channel-chain`; 200 once it is safely held |
//! | `GET /channel/v1/batches?after=&wait_ms=&chain=` | the next messages of the peer's feed, as frames |
//! | `GET /channel/v1/backfill?chain=&epoch=&from=&to=&max_bytes=` | what is held of a range of one epoch, as frames |
//! | `GET /channel/v1/heads` | the last message of every chain, as JSON |
//! | `GET /channel/v1/health` | 200 |
//!
//! Frames are a big-endian 32-bit length and that many bytes, one after another. A message of the feed is three of
//! them: cursor, chain, body. Refusals are JSON `{"code","detail"}`; 408, 429 and 503 mean later, other 4xx never.

mod client;
mod feed;
mod frames;
mod pull;
mod server;

pub use client::Peer;
pub use feed::{Feed, FeedLimits};
pub use server::{Decline, Served, Sink, router};

/// The header that carries the chain of a pushed message.
pub const CHAIN_HEADER: &str = "channel-chain";
/// The header that carries the cursor after a page of the feed.
pub const CURSOR_HEADER: &str = "channel-cursor";
/// The header that is there when messages between the asked cursor and this page are no longer held.
pub const GAP_HEADER: &str = "channel-gap";

/// Codes of this crate's own refusals; a sink adds its own.
pub mod code {
    /// The chain is missing or unusable (400).
    pub const CHAIN: &str = "E-CHANNEL-CHAIN";
    /// The body is too long (413), or one stored message passes the asked bound (413).
    pub const LENGTH: &str = "E-CHANNEL-LENGTH";
    /// The range is upside down (400).
    pub const RANGE: &str = "E-CHANNEL-RANGE";
    /// A parameter is missing or unreadable (400).
    pub const QUERY: &str = "E-CHANNEL-QUERY";
    /// The body did not arrive in time (408).
    pub const SLOW: &str = "E-CHANNEL-SLOW";
    /// Too much is under way (503), or the sender's quota is spent (429).
    pub const BUSY: &str = "E-CHANNEL-BUSY";
    /// The store behind the answer failed (503).
    pub const SOURCE: &str = "E-CHANNEL-SOURCE";

    /// The codes after which the same request will never be taken.
    pub const FINAL: [&str; 4] = [CHAIN, LENGTH, RANGE, QUERY];
}

/// The bounds of both ends of the HTTP channel.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest message.
    pub max_bytes: usize,
    /// Longest answer (of a backfill: its bodies). A single message of a feed may pass it on its own.
    pub page_bytes: usize,
    /// Most messages in an answer.
    pub page_messages: u64,
    /// How long one request may take, from its first byte to its answer's last.
    pub request_ms: u64,
    /// How long a long-poll waits for a message, within `request_ms` on top.
    pub wait_ms: u64,
    /// Requests of each kind (push, long-poll, other) that a server works on at once, until their answers are sent.
    /// Together they hold at most `requests_max * (max_bytes + 2 * page_bytes)` bytes, and what heads take.
    pub requests_max: usize,
    /// Unacknowledged messages at which a subscription stops asking for more.
    pub unacked_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024,
            page_bytes: 1024 * 1024,
            page_messages: 1024,
            request_ms: 10_000,
            wait_ms: 20_000,
            requests_max: 64,
            unacked_max: 4096,
        }
    }
}
