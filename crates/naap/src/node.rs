//! A node's publisher at work: its doors, its spool, its outbox, and the pump between them.

mod health;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api::metrics::{Contributor, Exposition};
use api::state::Heard;
use events::event::Network;
use events::identity::PublisherKey;
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use pipeline::Clock;
use publisher::intake::{self, http, kafka};
use publisher::outbox::{self, Outbox, Shelf};
use publisher::pump::{self, Pump, Way};
use publisher::spool::{self, Spool};
use publisher::translate::Speaker;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::known::{Witness, compare};
use crate::process::{Deadline, Failures};
use crate::room;
use crate::web::{self, Gifts};
use health::{Subject, backlog, checks};

/// What a node is and where it can be reached.
pub struct Plan {
    /// Its folder.
    pub folder: PathBuf,
    /// Its HTTP door.
    pub intake: Option<http::Config>,
    /// Its Kafka door.
    pub kafka: Option<kafka::Config>,
    /// What it is called in metrics.
    pub name: String,
    /// What it seals with.
    pub secret: ed25519_dalek::SigningKey,
    /// Who it speaks as.
    pub speaker: Speaker,
    /// Where batches go.
    pub ways: Vec<Way>,
    /// Who may know more of its chain than its folder does.
    pub witnesses: Vec<Witness>,
}

/// A node at work.
pub struct Node {
    /// Where envelopes are taken by HTTP.
    pub intake: Option<SocketAddr>,
    /// Where it hears Kafka.
    pub kafka: Option<SocketAddr>,
    /// What its doors let in and turned away.
    pub counts: intake::Counts,
    /// Its sealed batches.
    pub shelf: Shelf,
    /// What it heard, as it was heard.
    pub spool: Arc<Spool>,
    closing: CancellationToken,
    doors: Vec<JoinHandle<()>>,
    ending: CancellationToken,
    gifts: Gifts,
    pump: JoinHandle<()>,
}

impl Node {
    /// Opens spool and outbox, binds the doors, and begins.
    pub async fn start(
        plan: Plan,
        config: &Config,
        clock: &Clock,
        failures: &Failures,
    ) -> anyhow::Result<Self> {
        let Plan { folder, intake, kafka, name, secret, speaker, ways, witnesses } = plan;
        let stop_ms = config.instance.stop_ms;
        let folders = (spool_options(&folder, config), outbox_options(&folder, config, clock()));
        let (spool, mut outbox) = open(&name, folders, secret, speaker.network).await?;
        compare(&mut outbox, &name, &witnesses).await?;
        let clock_ms: intake::Clock = {
            let clock = Arc::clone(clock);
            Arc::new(move || clock().0)
        };
        let (counts, closing) = (intake::Counts::default(), CancellationToken::new());
        let heeding = heed(counts.clone(), closing.clone());
        let mut doors = vec![failures.watch("the spool", heeding)];
        let mut node_kafka = None;
        if let Some(settings) = kafka {
            let listener = kafka::Listener::bind(
                settings,
                Arc::clone(&spool),
                Arc::clone(&clock_ms),
                counts.clone(),
            )
            .await
            .context(
                "no door for Kafka: free the port, or name another with --kafka (port 0: any)",
            )?;
            node_kafka = Some(listener.address());
            let closing = closing.clone();
            doors.push(failures.watch("the Kafka door", async move {
                listener.run(closing).await;
                Ok(())
            }));
        }
        let mut node_intake = None;
        if let Some(mut settings) = intake {
            let listener = web::bind(settings.listen, "envelopes", "--intake").await?;
            let address = listener.local_addr()?;
            settings.listen = address;
            node_intake = Some(address);
            let router =
                http::router(settings, Arc::clone(&spool), Arc::clone(&clock_ms), counts.clone())?;
            doors.push(failures.watch(
                "the HTTP door",
                web::serve(listener, router, web::door(config), closing.clone()),
            ));
        }
        let version = env!("CARGO_PKG_VERSION").parse().context("the version is a label")?;
        let settings =
            pump::Settings { drain_ms: Millis(stop_ms / 2), ..pump::Settings::new(version) };
        let whose = (speaker.network, outbox.key());
        let pump = Pump::new(Arc::clone(&spool), outbox, speaker, ways, clock_ms, settings);
        let shelf = pump.shelf();
        let subject = Subject {
            clock: Arc::clone(clock),
            name,
            outbox_bytes: config.outbox.quota_bytes,
            pumped: pump.counts(),
            spool: Arc::clone(&spool),
            spool_bytes: config.spool.quota_bytes,
        };
        let (ending, gifts) = (CancellationToken::new(), gifts(subject, &counts, whose));
        let run = pump.run(ending.clone());
        let pump = failures.watch("publishing", async move { Ok(run.await?) });
        let (intake, kafka) = (node_intake, node_kafka);
        Ok(Self { intake, kafka, counts, shelf, spool, closing, doors, ending, gifts, pump })
    }

    /// What the API says of it.
    pub fn gifts(&mut self) -> Gifts {
        std::mem::take(&mut self.gifts)
    }

    /// Closes the doors, then lets the pump seal what was heard and send what it can.
    pub async fn stop(self, deadline: Deadline) {
        self.closing.cancel();
        deadline.join("the doors", self.doors).await;
        self.ending.cancel();
        deadline.join("publishing", [self.pump]).await;
    }
}

/// How often it is asked whether the spool still writes.
const HEED_EVERY: Duration = Duration::from_secs(1);

/// Fails once the spool writes nothing more: only another start can find out what its disk holds.
async fn heed(counts: intake::Counts, closing: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = closing.cancelled() => return Ok(()),
            () = tokio::time::sleep(HEED_EVERY) => {}
        }
        let has_stopped = counts.snapshot().refused.contains_key(intake::refusal::SPOOL_STOPPED);
        anyhow::ensure!(!has_stopped, "a write failed, as was told before: look at the disk");
    }
}

/// Opens what a node keeps, once the disk has room for it.
async fn open(
    name: &str,
    (spool, outbox): (spool::Config, outbox::Options),
    secret: ed25519_dalek::SigningKey,
    network: Network,
) -> anyhow::Result<(Arc<Spool>, Outbox)> {
    let attempt = || {
        let (spool, outbox, secret) = (spool.clone(), outbox.clone(), secret.clone());
        let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            Ok((Spool::open(&spool)?, Outbox::open(outbox, secret, network)?))
        });
        async move { opened.await? }
    };
    let (spool, (outbox, opening)) = room::wait("a node's folder", attempt).await?;
    if let Some(why) = opening.unproven {
        tracing::warn!(node = name, epoch = opening.epoch, why, "began a new epoch");
    }
    Ok((Arc::new(spool), outbox))
}

/// A spool in a node's folder.
pub fn spool_options(folder: &std::path::Path, config: &Config) -> spool::Config {
    spool::Config {
        segment_bytes: config.spool.segment_bytes,
        quota_bytes: config.spool.quota_bytes,
        retention_ms: config.spool.retention_ms,
        ..spool::Config::at(folder.join("spool"))
    }
}

/// An outbox in a node's folder; no epoch begins below the seconds of the clock.
pub fn outbox_options(
    folder: &std::path::Path,
    config: &Config,
    now: UnixMillis,
) -> outbox::Options {
    outbox::Options {
        segment_bytes: config.outbox.segment_bytes,
        quota_bytes: config.outbox.quota_bytes,
        retention_ms: Millis(config.outbox.retention_ms),
        first_epoch: now.0 / 1_000,
        ..outbox::Options::at(folder.join("outbox"))
    }
}

fn gifts(
    subject: Subject,
    doors: &intake::Counts,
    (network, publisher): (Network, PublisherKey),
) -> Gifts {
    let (turned, translated) = (doors.clone(), subject.pumped.clone());
    let refused = Arc::new(move || refused(&turned.snapshot(), &translated.snapshot()));
    let heard = Heard { network, publisher, refused };
    let (name, doors) = (subject.name.clone(), doors.clone());
    let (pumped, spool) = (subject.pumped.clone(), Arc::clone(&subject.spool));
    let numbers: Contributor = Arc::new(move |to: &mut Exposition| {
        let node = ("node", name.as_str());
        let heard = doors.snapshot();
        for (door, count) in &heard.kept {
            let labels = [node, ("door", *door)];
            to.counter(
                "naap_heard_records_total",
                "Records that are in the spool.",
                &labels,
                *count,
            );
        }
        for (code, count) in &heard.refused {
            let labels = [node, ("code", *code)];
            to.counter("naap_turned_away_total", "What the doors turned away.", &labels, *count);
        }
        expose_pump(to, node, &pumped.snapshot());
        to.gauge("naap_spool_bytes", "Raw records kept.", &[node], spool.used_bytes());
        to.gauge("naap_spool_records", "Raw records that wait.", &[node], backlog(&spool));
    });
    let (checks, contributors, nodes) = (checks(subject), vec![numbers], vec![heard]);
    Gifts { checks, contributors, nodes, ..Gifts::default() }
}

/// What doors and translation refused, by the codes that are about events and what becomes of them.
fn refused(doors: &intake::Snapshot, pumped: &pump::Snapshot) -> BTreeMap<Defect, u64> {
    let mut refused = pumped.refusals.clone();
    for (code, count) in &doors.refused {
        if let Some(defect) = Defect::from_code(code) {
            *refused.entry(defect).or_default() += count;
        }
    }
    refused
}

fn expose_pump(to: &mut Exposition, node: (&str, &str), pumped: &pump::Snapshot) {
    for (defect, count) in &pumped.refusals {
        let labels = [node, ("code", defect.code())];
        to.counter("naap_refused_envelopes_total", "What no event was made of.", &labels, *count);
    }
    for (family, count) in &pumped.families {
        let labels = [node, ("family", family.as_str())];
        to.counter(
            "naap_unknown_envelopes_total",
            "Envelopes of families nobody translates.",
            &labels,
            *count,
        );
    }
    let counters = [
        ("naap_translated_records_total", "Records that were translated.", pumped.records),
        ("naap_sealed_events_total", "Events that were taken to be sealed.", pumped.events),
        ("naap_repeated_events_total", "Events that were taken before.", pumped.known),
        ("naap_dropped_events_total", "Events lost before they could be signed.", pumped.dropped),
        ("naap_sent_batches_total", "Batches that left.", pumped.batches),
        ("naap_sent_bytes_total", "Their bytes.", pumped.bytes),
        ("naap_resent_batches_total", "Sends that failed and were tried again.", pumped.retries),
        (
            "naap_set_aside_batches_total",
            "Batches that a receiver will never take.",
            pumped.set_aside,
        ),
    ];
    for (name, meaning, value) in counters {
        to.counter(name, meaning, &[node], value);
    }
    to.gauge(
        "naap_outbox_unheld_batches",
        "Batches that nobody else is known to hold.",
        &[node],
        pumped.unheld,
    );
    to.gauge(
        "naap_outbox_aside_batches",
        "Batches that were refused for good and that nobody else is known to hold.",
        &[node],
        pumped.aside,
    );
    to.gauge("naap_outbox_bytes", "Sealed batches kept.", &[node], pumped.shelf_bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_doors_and_translation_refuse_is_counted_together() {
        let mut doors = intake::Snapshot::default();
        doors.refused.extend([
            ("E-INPUT-TOO-LARGE", 2),
            ("E-ENVELOPE-TIME", 1),
            ("E-KAFKA-FRAME", 9),
        ]);
        let mut pumped = pump::Snapshot::default();
        pumped.refusals.insert(Defect::EnvelopeTime, 3);
        let wanted = BTreeMap::from([(Defect::EnvelopeTime, 4), (Defect::InputTooLarge, 2)]);
        assert_eq!(refused(&doors, &pumped), wanted);
    }

    #[test]
    fn metrics_are_named_by_the_convention() {
        let mut exposition = Exposition::default();
        let mut pumped = pump::Snapshot::default();
        pumped.refusals.insert(Defect::FamilyUnknown, 1);
        pumped.families.insert("unheard_of".to_owned(), 1);
        expose_pump(&mut exposition, ("node", "gateway"), &pumped);
        assert_eq!(exposition.faults(), Vec::<String>::new());
    }
}
