//! Where a running process answers: for scripts in a file, for people in a greeting.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::Context;
use serde::Serialize;

use crate::config::Config;
use crate::instance::{Instance, replace};

/// The file, in the data folder. It is written once everything answers, and stays when the process is gone.
const FILE: &str = "addresses.json";

/// Where a running process answers; nothing where there is no such door.
#[derive(Debug, Serialize)]
pub struct Addresses {
    /// The API, or the door for peers.
    pub api: Option<SocketAddr>,
    /// Envelopes by HTTP.
    pub intake: Option<SocketAddr>,
    /// Envelopes by Kafka.
    pub kafka: Option<SocketAddr>,
}

impl Addresses {
    /// Tells scripts.
    pub fn write(&self, instance: &Instance) -> anyhow::Result<()> {
        let path = instance.folder().join(FILE);
        replace(&path, &serde_json::to_vec(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Tells people about the doors of a node.
    pub fn greeting(&self, config: &Config) -> String {
        let mut text = String::new();
        self.greet(config, &mut text).expect("writing to a string does not fail");
        text
    }

    fn greet(&self, config: &Config, text: &mut String) -> std::fmt::Result {
        if let Some(kafka) = self.kafka {
            let topic = &config.kafka.topic;
            writeln!(text, "Kafka      {kafka}, topic {topic}; start a gateway with")?;
            writeln!(
                text,
                "           -monitor -kafkaBootstrapServers {kafka} -kafkaGatewayTopic {topic}"
            )?;
        }
        if let Some(intake) = self.intake {
            writeln!(
                text,
                "envelopes  POST http://{intake}/v1/intake/events, segments to /v1/intake/transcode"
            )?;
        }
        writeln!(text, "data       {}; stop with Ctrl-C", config.instance.data.display())
    }
}
