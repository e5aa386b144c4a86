//! What can go wrong with the API itself, as against a request. Nothing here is ever sent to a client.

use std::io;

/// Why the API stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listening socket takes no connections any more.
    #[error("cannot accept connections: {source}")]
    Accept {
        /// What the system said.
        source: io::Error,
    },
}
