//! The command line: its verbs, their flags, and what `--help` teaches. It decides nothing.

mod publish_dataset;
mod results;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use events::event::Network;
use events::unit::UnixMillis;
use sla::window::Window;

use crate::config::Flag;

pub use publish_dataset::PublishDataset;
pub use results::{Explain, RouteReport, Score};

/// Service levels of a decentralized compute network that anyone can recompute.
///
/// Nodes sign what they saw, a ledger keeps it, every hour settles to a scorecard, and `naap verify` makes any
/// scorecard again from published files.
///
/// Begin with `naap dev --simulate`, then open the address it prints.
#[derive(Debug, Parser)]
#[command(
    name = "naap",
    version,
    max_term_width = 100,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Line {
    /// The configuration file; by default ./naap.toml, if there is one. `naap config` prints what is in force.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What is written to standard error: error, warn, info, debug, trace, or directives such as warn,naap=debug.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What naap can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Runs every role in one process: hears gateways, keeps, settles, serves.
    ///
    /// The first start makes the folder, with keys for an operator, a controller and a collector, and
    /// with trust files that name them. Stop it with Ctrl-C: it finishes what is under way.
    ///
    /// Example: naap dev --data data --simulate
    ///
    /// Then start a gateway on this host with
    /// -monitor -kafkaBootstrapServers 127.0.0.1:9092 -kafkaGatewayTopic naap
    #[command(verbatim_doc_comment)]
    Dev(Dev),
    /// Runs the publisher alone, beside a gateway: hears it, signs, sends to peers, and resends what they miss.
    ///
    /// Example: naap publish --data data --to https://naap.example
    #[command(verbatim_doc_comment)]
    Publish(Publish),
    /// Takes signed batches from publishers over HTTP, keeps them, repairs gaps from peers, and settles.
    ///
    /// The API is served by the same process.
    ///
    /// Example: naap ingest --data data --listen 127.0.0.1:8090 --peer https://other.example
    #[command(verbatim_doc_comment)]
    Ingest(Ingest),
    /// Serves the API from a data folder, beside the process that writes there or alone. Writes nothing.
    ///
    /// Example: naap serve --data data --listen 127.0.0.1:8091
    #[command(verbatim_doc_comment)]
    Serve(Serve),
    /// Reads captures of gateway events, signs them as this folder's collector, and settles the hours they touch.
    ///
    /// A file is a JSON list of envelopes or of {..., "value": envelope}, or one of either per line;
    /// plain, gzip or zstd. Or it is the answer of a gateway's /getNetworkCapabilities, which carries no
    /// time: say with --at when it was taken.
    /// A bad item is counted under its refusal code and does not stop the import. Importing a file again
    /// changes nothing, except that it finishes an import that was interrupted. A data folder in which
    /// another process writes is refused.
    ///
    /// Example: naap import --data data --at 2026-01-08T21:50:00Z events.json capabilities.json
    #[command(verbatim_doc_comment)]
    Import(Import),
    /// Writes everything that a window's scorecard was computed from as plain files.
    ///
    /// manifest.json, scorecard.json, policy.toml, trust.json, context.json, register.json if the policy
    /// asks for standing, and batches.ndjson for an hour or tallies.ndjson for a longer window:
    /// everything that `naap verify` needs, and nothing that was not public.
    ///
    /// Example: naap export --data data --window 2026-01-08T21Z --out hour
    /// Example: naap export --data data --window 2026-01-08T21Z/7d --deep --out week
    #[command(verbatim_doc_comment)]
    Export(Export),
    /// Writes settled windows as Parquet files for DuckDB, pandas and others, under a signed manifest.
    ///
    /// One file per kind of rows and day, such as kind=scores/day=2026-01-08/<sha256>.parquet;
    /// docs/dataset.md explains every column. Only days that changed are written again. If it is
    /// interrupted, the manifest still describes a complete publication. `naap verify` checks the
    /// folder. It can run beside a process that writes in the data folder.
    ///
    /// Example: naap publish-dataset --data data --out dataset
    /// Example: naap publish-dataset --data data --out dataset --from 2026-01-01 --to 2026-01-31
    #[command(verbatim_doc_comment)]
    PublishDataset(PublishDataset),
    /// Recomputes a scorecard from an export and compares it to the last byte; or checks a published dataset.
    ///
    /// Exit code 0 and one line if every digest agrees, 1 and the first divergence if not, 2 if it could
    /// not be checked. A URL is that of an export on somebody's naap. An hour is recomputed from its
    /// events, a longer window from the counts of its hours; with --deep those hours are recomputed too.
    /// Of a published dataset, the signature and the hash of every file are checked.
    ///
    /// Example: naap verify hour
    /// Example: naap verify https://naap.example/v1/exports/2026-01-08T21Z
    /// Example: naap verify --deep https://naap.example/v1/exports/2026-01-08T21Z/7d
    #[command(verbatim_doc_comment)]
    Verify(Verify),
    /// Explains an operator's scores: what each part cost, the jobs behind it, what would raise it.
    ///
    /// Example: naap explain --data data --window 2026-01-08T21Z 0xd00354656922168815fcd1e51cbddb9e359e3c7f
    #[command(verbatim_doc_comment)]
    Explain(Explain),
    /// Scores a recorded window under any policy and prints the difference from the published scorecard.
    ///
    /// The policy is a file, or the id of one that comes with naap: evidence-1, leaderboard,
    /// naap-quality-benchmark-v1, reliability-1. Nothing is written.
    ///
    /// Example: naap score --data data --policy policies/reliability-1.toml --window 2026-01-08T21Z
    #[command(verbatim_doc_comment)]
    Score(Score),
    /// Says what a routing policy would have changed in the last days: failures, latency, cost, who gains and who loses.
    ///
    /// It replays recorded work, with the scores known before each day and the way each gateway shares
    /// its work. The policy is a file, or the id of one that comes with naap: standard-1, tiered-1.
    /// Nothing is written.
    ///
    /// Example: naap route-report --data data --policy policies/routing/tiered-1.toml --days 14
    #[command(verbatim_doc_comment)]
    RouteReport(RouteReport),
    /// Prints the configuration in force, each value with its source, or checks a file.
    ///
    /// Example: naap config
    /// Example: naap config --defaults > naap.toml
    /// Example: naap config --check naap.toml
    #[command(verbatim_doc_comment)]
    Config(Configuration),
}

/// The folder that holds everything of an instance.
#[derive(Debug, Args)]
pub struct Data {
    /// The folder that holds everything of this instance.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// The flags of `dev`.
#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    data: Data,
    /// Where the API answers; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where gateways send their events; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    kafka: Option<SocketAddr>,
    /// Where envelopes are posted by HTTP; port 0 takes a free one, and so does --listen with port 0 if this is not given.
    #[arg(long, value_name = "ADDR")]
    intake: Option<SocketAddr>,
    /// Also runs a simulated network, under the network name `simulation`.
    #[arg(long, overrides_with = "no_simulate")]
    simulate: bool,
    /// Runs no simulated network, whatever the configuration says.
    #[arg(long, action = ArgAction::SetTrue)]
    no_simulate: bool,
    /// Which simulated network: the same seed makes the same nodes.
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// How many hours of the past to simulate, once for each seed, instead of the month that is the default.
    #[arg(long, value_name = "HOURS")]
    past_hours: Option<u16>,
}

/// The flags of `publish`.
#[derive(Debug, Args)]
pub struct Publish {
    #[command(flatten)]
    data: Data,
    /// The base URL of a peer to send to; may be given several times.
    #[arg(long, value_name = "URL")]
    to: Vec<String>,
    /// Where peers ask for batches they miss; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where gateways send their events; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    kafka: Option<SocketAddr>,
    /// Where envelopes are posted by HTTP; port 0 takes a free one, and so does --listen with port 0 if this is not given.
    #[arg(long, value_name = "ADDR")]
    intake: Option<SocketAddr>,
}

/// The flags of `ingest`.
#[derive(Debug, Args)]
pub struct Ingest {
    #[command(flatten)]
    data: Data,
    /// Where publishers send to and the API answers; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The base URL of a peer to repair gaps from; may be given several times.
    #[arg(long, value_name = "URL")]
    peer: Vec<String>,
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    data: Data,
    /// Where the API answers; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// The flags of `import`.
#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    data: Data,
    /// When capability dumps were taken, such as 2026-01-08T21:50:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<UnixMillis>,
    /// The network that the files come from; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// The flags of `export`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    data: Data,
    /// An hour, such as 2026-01-08T21Z, or a longer window that ends with it, such as 2026-01-08T21Z/7d.
    #[arg(long)]
    pub window: Window,
    /// The network; without it the configured one.
    #[arg(long)]
    pub network: Option<Network>,
    /// The revision of an hour; without it the latest.
    #[arg(long)]
    pub revision: Option<u32>,
    /// Also exports each hour of a longer window, for `naap verify --deep`.
    #[arg(long)]
    pub deep: bool,
    /// The folder to write: a new or empty one.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

/// The flags of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// A folder that `naap export` or `naap publish-dataset` wrote, or the URL of an export.
    #[arg(value_name = "FOLDER_OR_URL")]
    pub target: String,
    /// Also recomputes the hours of a longer window, each from its own export.
    #[arg(long)]
    pub deep: bool,
    /// Allows a URL on this machine, also without TLS.
    #[arg(long)]
    pub loopback: bool,
}

/// The flags of `config`.
#[derive(Debug, Args)]
pub struct Configuration {
    /// Only checks whether this file can be used.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Prints the defaults with their explanations: a file to begin with.
    #[arg(long, conflicts_with = "check")]
    pub defaults: bool,
}

/// Reads a time as people write it.
fn moment(text: &str) -> Result<UnixMillis, String> {
    let time = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "not a time such as 2026-01-08T21:50:00Z".to_owned())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| "before 1970".to_owned())?;
    let moment = UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    if moment.is_plausible() { Ok(moment) } else { Err("not between 2020 and 2100".to_owned()) }
}

impl Line {
    /// What the flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let log = self.log.iter().map(|level| Flag::text("--log", "log", "level", level));
        log.chain(self.verb.flags()).collect()
    }
}

impl Verb {
    fn flags(&self) -> Vec<Flag> {
        let listen = |listen: &Option<SocketAddr>| {
            listen.map(|at| Flag::text("--listen", "api", "listen", at))
        };
        let kafka = |kafka: &Option<SocketAddr>| {
            kafka.map(|at| Flag::text("--kafka", "kafka", "listen", at))
        };
        let intake = |intake: &Option<SocketAddr>| {
            intake.map(|at| Flag::text("--intake", "intake", "listen", at))
        };
        let peers = |name, key, urls: &Vec<String>| {
            (!urls.is_empty()).then(|| Flag::value(name, "channel", key, urls.clone()))
        };
        let (data, flags) = match self {
            Self::Dev(dev) => {
                let is_simulated =
                    (dev.simulate || dev.no_simulate).then_some(dev.simulate && !dev.no_simulate);
                let simulate =
                    is_simulated.map(|is| Flag::value("--simulate", "simulation", "enabled", is));
                let seed = dev.seed.map(|seed| Flag::value("--seed", "simulation", "seed", seed));
                let past = dev.past_hours.map(|hours| {
                    Flag::value("--past-hours", "simulation", "past_hours", i64::from(hours))
                });
                let quiet = dev
                    .past_hours
                    .map(|_| Flag::value("--past-hours", "simulation", "past_days", 0));
                (
                    Some(&dev.data),
                    vec![
                        listen(&dev.listen),
                        kafka(&dev.kafka),
                        intake(&dev.intake),
                        simulate,
                        seed,
                        past,
                        quiet,
                    ],
                )
            }
            Self::Publish(publish) => {
                let to = peers("--to", "to", &publish.to);
                (
                    Some(&publish.data),
                    vec![
                        to,
                        listen(&publish.listen),
                        kafka(&publish.kafka),
                        intake(&publish.intake),
                    ],
                )
            }
            Self::Ingest(ingest) => (
                Some(&ingest.data),
                vec![listen(&ingest.listen), peers("--peer", "peers", &ingest.peer)],
            ),
            Self::Serve(serve) => (Some(&serve.data), vec![listen(&serve.listen)]),
            Self::Import(import) => (Some(&import.data), Vec::new()),
            Self::Explain(explain) => (Some(&explain.data), Vec::new()),
            Self::Score(score) => (Some(&score.data), Vec::new()),
            Self::RouteReport(report) => (Some(&report.data), Vec::new()),
            Self::Export(export) => (Some(&export.data), Vec::new()),
            Self::PublishDataset(publish) => (Some(&publish.data), Vec::new()),
            Self::Verify(_) | Self::Config(_) => (None, Vec::new()),
        };
        let data = data.and_then(|data| data.data.as_ref());
        let data = data.map(|folder| Flag::text("--data", "instance", "data", folder.display()));
        data.into_iter().chain(flags.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_verb_teaches_by_an_example() {
        for verb in Line::command().get_subcommands() {
            let about = verb.get_long_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.contains("Example: naap "), "{}: {about}", verb.get_name());
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for text in ["2026-01-08T21:50:00Z", "2026-01-08 21:50:00"] {
            assert_eq!(moment(text), Ok(UnixMillis(1_767_909_000_000)));
        }
        for text in ["yesterday", "1767909000000", "1999-01-01T00:00:00Z"] {
            moment(text).unwrap_err();
        }
    }
}
