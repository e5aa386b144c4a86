//! The configuration: one structure, filled from `default.toml`, a file, the environment and flags, in this order.
//!
//! It is read once at the start and handed out as values; nothing else in the program reads files or variables to
//! find out how it should behave. Secrets are never in it, only the paths of files that hold them.

mod layers;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use events::event::{Network, Role};
use events::identity::{Address, Region};
use serde::{Deserialize, Deserializer, de};

pub use layers::{Error, Flag, Layers};

/// The defaults, which are the reference too.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// The file that is read where none is named, if it is there.
pub const FILE: &str = "naap.toml";

/// Declares a section: a structure without unknown keys, each of which `default.toml` explains.
macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$with:meta])* $key:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$with])* pub $key: $kind,)* }
        )*
    };
}

sections! {
    /// Everything that can be set. `default.toml` says what each key means.
    Config {
        accept: Accept,
        api: Api,
        channel: Channel,
        instance: Instance,
        intake: Intake,
        kafka: Kafka,
        leaderboard: Leaderboard,
        ledger: Ledger,
        log: Log,
        node: Node,
        outbox: Outbox,
        private: Private,
        roster: Roster,
        routing: Routing,
        settle: Settle,
        simulation: Simulation,
        spool: Spool,
        webhooks: Webhooks,
    }
    /// How gateways are routed.
    Routing {
        #[serde(deserialize_with = "path")]
        policy: Option<PathBuf>,
    }
    /// How much is taken from whom.
    Accept {
        future_max_ms: u64,
        strangers_bytes_max: u64,
        stranger_batches_max: u64,
        requests_per_s: u32,
        requests_burst: u32,
        proxies: BTreeSet<IpAddr>,
    }
    /// The API's door.
    Api {
        listen: SocketAddr,
        requests_max: usize,
        streams_max: usize,
        reads_max: usize,
        exports_max: usize,
        request_ms: u64,
        requests_per_s: u32,
        requests_burst: u32,
        bounds_loopback: bool,
        connections_max: usize,
        connections_per_client_max: usize,
        head_ms: u64,
        stall_ms: u64,
        kept_bytes_max: usize,
    }
    /// Peers.
    Channel {
        to: Vec<String>,
        peers: Vec<String>,
        repair_ms: u64,
        loopback: bool,
        private: bool,
    }
    /// What all roles share.
    Instance {
        data: PathBuf,
        network: Network,
        #[serde(deserialize_with = "path")]
        policy: Option<PathBuf>,
        stop_ms: u64,
    }
    /// The HTTP door for envelopes.
    Intake {
        #[serde(deserialize_with = "text")]
        listen: Option<SocketAddr>,
        #[serde(deserialize_with = "path")]
        token_file: Option<PathBuf>,
        body_bytes_max: usize,
        items_max: usize,
        memory_bytes_max: usize,
    }
    /// The Kafka door.
    Kafka {
        #[serde(deserialize_with = "text")]
        listen: Option<SocketAddr>,
        #[serde(deserialize_with = "text")]
        advertised: Option<HostPort>,
        topic: String,
        #[serde(deserialize_with = "path")]
        tls_certificate: Option<PathBuf>,
        #[serde(deserialize_with = "path")]
        tls_key: Option<PathBuf>,
        user: String,
        #[serde(deserialize_with = "path")]
        password_file: Option<PathBuf>,
        request_bytes_max: usize,
        inflated_bytes_max: usize,
        connections_max: usize,
        memory_bytes_max: usize,
        idle_ms: u64,
    }
    /// Tests that others post.
    Leaderboard {
        #[serde(deserialize_with = "path")]
        secret_file: Option<PathBuf>,
        regions: Vec<String>,
        body_bytes_max: usize,
        requests_max: usize,
    }
    /// The record.
    Ledger {
        segment_bytes: u64,
    }
    /// What is written to standard error.
    Log {
        level: String,
    }
    /// The node that the doors speak for.
    Node {
        name: String,
        role: Role,
        #[serde(deserialize_with = "text")]
        region: Option<Region>,
        #[serde(deserialize_with = "text")]
        operator: Option<Address>,
    }
    /// Sealed batches.
    Outbox {
        quota_bytes: u64,
        segment_bytes: u64,
        retention_ms: u64,
    }
    /// Feed and sign-in.
    Private {
        #[serde(deserialize_with = "text")]
        domain: Option<String>,
        #[serde(deserialize_with = "text")]
        uri: Option<String>,
        chain_id: u64,
        #[serde(deserialize_with = "text")]
        statement: Option<String>,
        session_ms: u64,
        sessions_max: usize,
        feed_step_ppm: u32,
    }
    /// Who may speak.
    Roster {
        gateways: Vec<Address>,
        orchestrators: Vec<Address>,
        delegation_ms: u64,
        renew_ms: u64,
    }
    /// Settling.
    Settle {
        threads: usize,
        live_events_max: usize,
        verifies: bool,
    }
    /// The simulated network.
    Simulation {
        enabled: bool,
        seed: u64,
        past_days: u64,
        past_hours: u64,
        events_per_1000_s: u64,
    }
    /// Raw events.
    Spool {
        quota_bytes: u64,
        segment_bytes: u64,
        retention_ms: u64,
    }
    /// Messages to subscribers.
    Webhooks {
        subscriptions_max: usize,
        of_address_max: usize,
        request_ms: u64,
        retry_ms: u64,
        retry_max_ms: u64,
        give_up_ms: u64,
        loopback: bool,
    }
}

impl Settle {
    /// The threads that read batches.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }
}

/// A host and a port, the host a name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort(pub String, pub u16);

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let (host, port) = parts.ok_or("not a host:port")?;
        let port = port.parse().map_err(|_| "the port is no number below 65536")?;
        Ok(Self(host.to_owned(), port))
    }
}

/// Reads a text that may be empty for none.
fn text<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
}

/// Reads a path that may be empty for none.
fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

impl Config {
    /// What cannot be seen from a key alone.
    fn check(&self) -> Result<(), String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name = &self.node.name;
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return Err(format!(
                "node.name {name:?} is not 1 to 64 letters, digits, hyphens and underscores"
            ));
        }
        if !matches!(
            self.node.role,
            Role::Gateway | Role::Orchestrator | Role::Worker | Role::Transcoder
        ) {
            return Err(format!("node.role {:?} is none a node can have", self.node.role.as_str()));
        }
        if self.kafka.tls_certificate.is_some() != self.kafka.tls_key.is_some() {
            return Err("kafka.tls_certificate and kafka.tls_key go together".to_owned());
        }
        if self.kafka.user.is_empty() != self.kafka.password_file.is_none() {
            return Err("kafka.user and kafka.password_file go together".to_owned());
        }
        if self.instance.network == Network::Simulation {
            return Err(
                "instance.network is for real nodes: the simulated one has its own section"
                    .to_owned(),
            );
        }
        if self.private.domain.is_some() != self.private.uri.is_some() {
            return Err("private.domain and private.uri go together".to_owned());
        }
        let longest = events::delegation::MAX_LIFETIME.0;
        if self.roster.delegation_ms > longest
            || self.roster.renew_ms.saturating_mul(2) > self.roster.delegation_ms
        {
            return Err(format!(
                "roster.delegation_ms is at most {longest}, and at least twice roster.renew_ms"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Config, Error> {
        let mut layers = Layers::defaults();
        layers.add_text(text, "test.toml".as_ref())?;
        layers.config()
    }

    #[test]
    fn default_toml_names_every_key_and_no_other() {
        // No field has a default of its own and unknown keys are errors, so this fails for a key too many or too few.
        Layers::defaults().config().unwrap();
        for line in DEFAULTS.lines().filter(|line| line.contains(" = ")) {
            let mut without =
                DEFAULTS.lines().filter(|other| *other != line).collect::<Vec<_>>().join("\n");
            without.push('\n');
            let table: toml::Table = without.parse().unwrap();
            assert!(toml::Value::Table(table).try_into::<Config>().is_err(), "{line} is not used");
        }
    }

    #[test]
    fn every_key_is_explained() {
        let mut is_explained = false;
        for line in DEFAULTS.lines() {
            if line.starts_with('#') {
                is_explained = true;
            } else if line.is_empty() || line.starts_with('[') {
                is_explained = false;
            } else {
                assert!(is_explained, "{line} has no comment above it");
            }
        }
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_the_key_and_the_place() {
        for (text, expected) in [
            ("[api]\nlisten_on = \"x\"", "api.listen_on"),
            ("[apis]\nlisten = \"x\"", "apis"),
            ("port = 1", "port"),
            ("[api]\nrequests_max = \"many\"", "api.requests_max"),
            ("[api]\nlisten = \"localhost\"", "api.listen"),
            ("[api]\nrequests_max = -1", "api.requests_max"),
            ("[roster]\ngateways = [1]", "roster.gateways"),
            ("[api]\nlisten = \"127.0.0.1:1\"\nlisten = 2", "line 3"),
        ] {
            let error = with_file(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("test.toml"), "{error}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for text in [
            "[kafka]\ntls_key = \"key.pem\"",
            "[kafka]\nuser = \"gateway\"",
            "[private]\ndomain = \"naap.example\"",
            "[node]\nname = \"../other\"",
            "[node]\nrole = \"controller\"",
            "[instance]\nnetwork = \"simulation\"",
            "[roster]\ndelegation_ms = 8640000000",
        ] {
            with_file(text).unwrap_err();
        }
    }

    #[test]
    fn the_environment_goes_before_the_file_and_flags_before_both() {
        let mut layers = Layers::defaults();
        layers
            .add_text("[api]\nlisten = \"127.0.0.1:1\"\nreads_max = 3", "test.toml".as_ref())
            .unwrap();
        let variables = [
            ("NAAP_API__LISTEN", "127.0.0.1:2"),
            ("NAAP_API__READS_MAX", "4"),
            ("NAAP_CHANNEL__PEERS", "[\"https://peer.example\"]"),
            ("NAAP_CAPTURES", "ignored: it has no section"),
        ];
        layers
            .add_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
            .unwrap();
        layers.add_flag(Flag::text("--listen", "api", "listen", "127.0.0.1:3")).unwrap();
        let config = layers.config().unwrap();
        assert_eq!(config.api.listen, "127.0.0.1:3".parse().unwrap());
        assert_eq!(config.api.reads_max, 4);
        assert_eq!(config.channel.peers, ["https://peer.example"]);
        let shown = layers.to_string();
        assert!(shown.contains("listen = \"127.0.0.1:3\"  # --listen"), "{shown}");
        assert!(shown.contains("reads_max = 4  # NAAP_API__READS_MAX"), "{shown}");
        assert!(shown.contains("requests_max = 512  # default"), "{shown}");
    }

    #[test]
    fn the_door_for_envelopes_takes_any_port_where_the_api_does() {
        let intake = |api: &str, file: &str| {
            let mut layers = Layers::defaults();
            layers.add_text(file, "test.toml".as_ref()).unwrap();
            layers.add_flag(Flag::text("--listen", "api", "listen", api)).unwrap();
            layers.free_intake().unwrap();
            (layers.config().unwrap().intake.listen.map(|at| at.to_string()), layers.to_string())
        };
        let (listen, shown) = intake("0.0.0.0:0", "");
        assert_eq!(listen.as_deref(), Some("127.0.0.1:0"));
        assert!(shown.contains("listen = \"127.0.0.1:0\"  # --listen"), "{shown}");
        assert_eq!(intake("127.0.0.1:80", "").0.as_deref(), Some("127.0.0.1:9093"));
        let said = "[intake]\nlisten = \"127.0.0.1:9093\"";
        assert_eq!(intake("127.0.0.1:0", said).0.as_deref(), Some("127.0.0.1:9093"));
        assert_eq!(intake("127.0.0.1:0", "[intake]\nlisten = \"\"").0, None);
    }

    #[test]
    fn unknown_variables_are_errors_too() {
        let mut layers = Layers::defaults();
        let unknown = [("NAAP_API__LISTENER".to_owned(), "x".to_owned())];
        let error = layers.add_variables(unknown).unwrap_err().to_string();
        assert!(error.contains("api.listener") && error.contains("NAAP_API__LISTENER"), "{error}");
    }
}
