//! The flags of `publish-dataset`. It decides nothing.

use std::path::PathBuf;

use clap::Args;
use dataset::name::Day;
use events::event::Network;

use super::Data;

/// The flags of `publish-dataset`.
#[derive(Debug, Args)]
pub struct PublishDataset {
    #[command(flatten)]
    pub(super) data: Data,
    /// The folder to publish to: a new or empty one, or one that was published to before.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The network; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// The first day to publish, in UTC, such as 2026-01-08; without it the first that is settled.
    #[arg(long, value_name = "DAY")]
    pub from: Option<Day>,
    /// The last day to publish, that day included; without it the last that is settled.
    #[arg(long, value_name = "DAY")]
    pub to: Option<Day>,
}
