//! Where a running process answers: for scripts in a file, for people in a greeting.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::Context;
use serde::Serialize;

use crate::config::{Config, HostPort};
use crate::instance::{Instance, replace};
use crate::process::Failures;
use crate::room;

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
    /// Tells scripts; on a full disk later, when there is room.
    pub fn write(&self, instance: &Instance, failures: &Failures) -> anyhow::Result<()> {
        let (path, text) = (instance.folder().join(FILE), serde_json::to_vec(self)?);
        let write = move || {
            replace(&path, &text).with_context(|| format!("cannot write {}", path.display()))
        };
        match write() {
            Err(error) if room::is_short(&error) => {
                let later = async move { room::wait(FILE, || async { write() }).await };
                failures.watch("telling addresses", later);
                Ok(())
            }
            written => written,
        }
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
            // What a gateway is told to send to is what it has to be given, as certificates name that.
            let at = match &config.kafka.advertised {
                Some(HostPort(host, port)) => format!("{host}:{port}"),
                None => kafka.to_string(),
            };
            writeln!(text, "Kafka      {kafka}, topic {topic}; start a gateway with")?;
            writeln!(
                text,
                "           -monitor -kafkaBootstrapServers {at} -kafkaGatewayTopic {topic}"
            )?;
            if let Some(password) = &config.kafka.password_file {
                writeln!(
                    text,
                    "           -kafkaUser {} -kafkaPassword \"$(cat {})\"",
                    config.kafka.user,
                    password.display()
                )?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn greeting(settings: &str) -> String {
        let mut layers = Layers::defaults();
        layers.add_text(settings, "naap.toml".as_ref()).unwrap();
        let kafka = Some(([0, 0, 0, 0], 9092).into());
        Addresses { api: None, intake: None, kafka }.greeting(&layers.config().unwrap())
    }

    #[test]
    fn a_gateway_is_given_what_it_is_told_to_send_to_and_how_to_log_in() {
        let plain = greeting("");
        assert!(plain.contains("-kafkaBootstrapServers 0.0.0.0:9092 -kafkaGatewayTopic naap\n"));
        assert!(!plain.contains("-kafkaUser"));
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("password");
        std::fs::write(&secret, "hunter2").unwrap();
        let open = greeting(&format!(
            "[kafka]\nadvertised = \"naap.example:9093\"\ntls_certificate = \"a\"\ntls_key = \"b\"\n\
             user = \"gateway\"\npassword_file = {secret:?}\n"
        ));
        assert!(open.contains("-kafkaBootstrapServers naap.example:9093 "), "{open}");
        let login = format!("-kafkaUser gateway -kafkaPassword \"$(cat {})\"", secret.display());
        assert!(open.contains(&login) && !open.contains("hunter2"), "{open}");
    }
}
