//! The flags of the verbs that look at results: `explain`, `score` and `route-report`. It decides nothing.

use clap::Args;
use events::event::Network;
use events::identity::Address;
use sla::window::Window;

use super::Data;

/// The flags of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub(super) data: Data,
    /// The window, such as 2026-01-08T21Z/7d; without it the newest of seven days, or else the newest settled hour.
    #[arg(long)]
    pub window: Option<Window>,
    /// The network; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// Prints JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The operator: 0x and 40 hex digits.
    #[arg(value_name = "OPERATOR")]
    pub operator: Address,
}

/// The flags of `score`.
#[derive(Debug, Args)]
pub struct Score {
    #[command(flatten)]
    pub(super) data: Data,
    /// The policy: a file, or the id of one that comes with naap.
    #[arg(long, value_name = "FILE")]
    pub policy: String,
    /// The window, such as 2026-01-08T21Z or 2026-01-08T21Z/7d.
    #[arg(long)]
    pub window: Window,
    /// The network; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// Also prints each kind of work, not only the result over all of it.
    #[arg(long)]
    pub all: bool,
}

/// The flags of `route-report`.
#[derive(Debug, Args)]
pub struct RouteReport {
    #[command(flatten)]
    pub(super) data: Data,
    /// The routing policy: a file, or the id of one that comes with naap; without it the configured one.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<String>,
    /// How many whole days before today, in UTC.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=28))]
    pub days: u64,
    /// The network; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// Only work of this pipeline and model, as pipeline/model or pipeline; may be given several times.
    #[arg(long, value_name = "WORK")]
    pub caps: Vec<String>,
    /// Prints JSON instead of text.
    #[arg(long)]
    pub json: bool,
}
