//! What can go wrong on a channel, and whether trying again can help.
//! It never carries message bytes.

/// The result of every call on a channel.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of a channel. It says what was tried and with which value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message is longer than this channel takes; nothing was sent.
    #[error("a message of {bytes} bytes was not sent: this channel takes at most {max_bytes}")]
    TooLong {
        /// Length of the message.
        bytes: usize,
        /// What the channel takes.
        max_bytes: usize,
    },
    /// The partition key is unusable; nothing was sent.
    #[error("chain `{chain}` is not 1 to 128 visible ascii characters")]
    Chain {
        /// The key, cut to a printable length.
        chain: String,
    },
    /// The range asked of a backfill is empty or upside down.
    #[error("range {from_seq} to {to_seq} holds no sequence")]
    Range {
        /// First sequence asked.
        from_seq: u64,
        /// Last sequence asked, inclusive.
        to_seq: u64,
    },
    /// This end was closed by its owner.
    #[error("the channel is closed")]
    Closed,
    /// Closing gave up waiting for what was under way.
    #[error("closed with {left} publishes still under way after {waited_ms} ms")]
    Undrained {
        /// Publishes that had not ended.
        left: usize,
        /// How long closing waited.
        waited_ms: u64,
    },
    /// No subscriber acknowledged in time. The message may have been seen all the same.
    #[error("no subscriber acknowledged within {waited_ms} ms")]
    Absent {
        /// How long the publish waited.
        waited_ms: u64,
    },
    /// The receiver looked at the message and will never take it.
    #[error("refused with {code}: {detail}")]
    Refused {
        /// The receiver's stable code.
        code: String,
        /// The receiver's words.
        detail: String,
    },
    /// The receiver cannot take it now.
    #[error("busy: try again in {retry_after_ms} ms")]
    Busy {
        /// What the receiver asks the sender to wait.
        retry_after_ms: u64,
    },
    /// The peer could not be reached, or it stopped answering. The message may have been seen all the same.
    #[error("no answer from {peer}: {reason}")]
    Unreachable {
        /// The peer, without secrets.
        peer: String,
        /// What happened.
        reason: String,
    },
    /// Something answered that does not speak this protocol, so its answer says nothing about the message.
    #[error("{peer} answered outside the protocol: {reason}")]
    Foreign {
        /// The peer, without secrets.
        peer: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The channel no longer holds what followed the cursor. The subscription goes on with the oldest message it
    /// holds; ask for heads and backfill what is missing.
    #[error("messages after cursor `{after}` are no longer held")]
    Gap {
        /// The cursor that was asked.
        after: String,
    },
    /// The address policy forbids this target.
    #[error("`{target}` is not a permitted address: {reason}")]
    Address {
        /// The url, name or address.
        target: String,
        /// Which rule forbids it.
        reason: &'static str,
    },
    /// The store behind a backfill failed.
    #[error("backfill source: {detail}")]
    Source {
        /// The store's words.
        detail: String,
    },
}

impl Error {
    /// Whether the same call on the same channel can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TooLong { .. }
            | Self::Chain { .. }
            | Self::Range { .. }
            | Self::Closed
            | Self::Refused { .. }
            | Self::Address { .. } => false,
            Self::Undrained { .. }
            | Self::Absent { .. }
            | Self::Busy { .. }
            | Self::Unreachable { .. }
            | Self::Foreign { .. }
            | Self::Gap { .. }
            | Self::Source { .. } => true,
        }
    }

    /// Whether the message itself is at fault and fails the same way for ever, so that a spool sets it aside
    /// instead of blocking its chain.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::Chain { .. } | Self::Refused { .. })
    }
}
