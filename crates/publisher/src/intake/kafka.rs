//! A listener that speaks just enough of Kafka's protocol for a stock producer: one broker, one topic, one partition.
//! It acknowledges what the spool has synced and nothing else; it never serves what it was given, and never listens to the network without
//! TLS and a login.

mod answer;
mod connection;
mod records;
mod request;
mod room;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use super::{Clock, Counts, Error, Secret, refusal};
use crate::spool::Spool;
use connection::{Closed, Connection};
use room::Room;

/// What the listener is and whom it lets in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one. go-livepeer's `-kafkaBootstrapServers` takes one `host:port`: a list with a comma
    /// crashes the gateway, and without a port it goes to 9092.
    pub listen: SocketAddr,
    /// The host and port clients are told to send to; they must reach it, and with TLS the certificate must name the host.
    /// Without it they are told `listen`.
    pub advertised: Option<(String, u16)>,
    /// The only topic; go-livepeer's `-kafkaGatewayTopic` must be the same.
    pub topic: String,
    /// With it clients must speak TLS 1.2 or later.
    pub tls: Option<Tls>,
    /// With it clients must log in by SASL/PLAIN. go-livepeer does so only together with TLS.
    pub login: Option<Login>,
    /// How much it takes.
    pub limits: Limits,
}

impl Config {
    /// A listener without TLS or login, which only loopback may have.
    #[must_use]
    pub fn plain(listen: SocketAddr, topic: impl Into<String>) -> Self {
        Self {
            listen,
            advertised: None,
            topic: topic.into(),
            tls: None,
            login: None,
            limits: Limits::default(),
        }
    }
}

/// A certificate chain and its key, PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The one user.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// The file that holds its password.
    pub password: PathBuf,
}

/// What one listener puts up with.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A request may be this long; a longer one is not read.
    pub request_bytes_max: usize,
    /// What a request's compressed records may inflate to.
    pub inflated_bytes_max: usize,
    /// How many records a request may hold.
    pub records_max: usize,
    /// How many clients may be connected.
    pub connections_max: usize,
    /// How many bytes of requests and of what is read out of them may be in memory, all clients together.
    pub memory_bytes_max: usize,
    /// A client that says nothing for this long is hung up on; go-livepeer does so itself after nine minutes.
    pub idle: Duration,
    /// A request must arrive, and an answer be taken, within this time.
    pub request: Duration,
    /// TLS and login must be done within this time.
    pub login: Duration,
    /// How long requests under way may take to finish when the listener stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes_max: 8 << 20,
            inflated_bytes_max: 16 << 20,
            records_max: 65_536,
            connections_max: 64,
            memory_bytes_max: 96 << 20,
            idle: Duration::from_secs(600),
            request: Duration::from_secs(30),
            login: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// What every connection of a listener shares.
struct Door {
    topic: String,
    advertised: (String, u16),
    limits: Limits,
    secret: Option<Secret>,
    spool: Arc<Spool>,
    clock: Clock,
    counts: Counts,
    room: Room,
}

/// A bound listener, not yet serving.
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    door: Arc<Door>,
}

impl Listener {
    /// Reads the certificate and the password, and binds.
    ///
    /// # Errors
    /// `Exposed` for a listener beyond loopback without TLS and login, `Settings`, `Tls`, `Io`, `Listen`.
    pub async fn bind(
        config: Config,
        spool: Arc<Spool>,
        clock: Clock,
        counts: Counts,
    ) -> Result<Self, Error> {
        let (room, tls, secret) = read(&config)?;
        let failed = |source| Error::Listen { address: config.listen, source };
        let tcp = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let advertised =
            config.advertised.unwrap_or_else(|| (address.ip().to_string(), address.port()));
        let door = Door {
            topic: config.topic,
            advertised,
            limits: config.limits,
            secret,
            spool,
            clock,
            counts,
            room,
        };
        Ok(Self { tcp, address, tls, door: Arc::new(door) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets requests under way finish. What a client was not answered it sends again.
    pub async fn run(self, stop: CancellationToken) {
        let slots =
            Arc::new(Semaphore::new(self.door.limits.connections_max.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.tcp.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(failure) => {
                    // Out of files, most likely: closing ones will free some.
                    tracing::warn!(%failure, "could not accept a kafka connection");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => {
                    let (door, tls) = (Arc::clone(&self.door), self.tls.clone());
                    connections.spawn(serve(stream, tls, door, stop.clone(), slot));
                }
                Err(_) => self.door.counts.refuse(refusal::BUSY),
            }
        }
        drop(self.tcp);
        let drained = timeout(self.door.limits.drain, async {
            while connections.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!(left = connections.len(), "kafka connections did not finish in time");
            connections.shutdown().await;
        }
    }
}

/// Whether a listener would take these settings, with the files that they name; it binds nothing.
///
/// # Errors
/// As [`Listener::bind`], but for `Listen`.
pub fn check(config: &Config) -> Result<(), Error> {
    read(config).map(drop)
}

/// Checks the settings and reads the files that they name.
fn read(config: &Config) -> Result<(Room, Option<TlsAcceptor>, Option<Secret>), Error> {
    check_settings(config)?;
    let room = room(&config.limits)?;
    let tls = config.tls.as_ref().map(acceptor).transpose()?;
    let secret = config.login.as_ref().map(|login| Secret::read(&login.password, &login.user));
    Ok((room, tls, secret.transpose()?))
}

fn check_settings(config: &Config) -> Result<(), Error> {
    let missing = match (&config.tls, &config.login) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some("a login is"),
        (None, Some(_)) => Some("TLS is"),
        (None, None) => Some("TLS and a login are"),
    };
    if let (false, Some(missing)) = (config.listen.ip().is_loopback(), missing) {
        return Err(Error::Exposed { address: config.listen, missing });
    }
    if config.advertised.is_none() && config.listen.ip().is_unspecified() {
        let reason = format!(
            "{} is no address to send to: say which one clients reach it by",
            config.listen.ip()
        );
        return Err(Error::Settings(reason));
    }
    if config.topic.is_empty() || config.topic.len() > 249 {
        return Err(Error::Settings(format!(
            "a topic has 1 to 249 characters, not {}",
            config.topic.len()
        )));
    }
    Ok(())
}

fn room(limits: &Limits) -> Result<Room, Error> {
    Room::new(limits).map_err(|needed| {
        let Limits { request_bytes_max, inflated_bytes_max, memory_bytes_max, .. } = limits;
        Error::Settings(format!(
            "memory_bytes_max = {memory_bytes_max} must be at least {needed} for one request with request_bytes_max = \
             {request_bytes_max} and inflated_bytes_max = {inflated_bytes_max}"
        ))
    })
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Error> {
    let unusable = |reason: String| Error::Tls { path: tls.certificate.clone(), reason };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|failure| unusable(failure.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|failure| unusable(failure.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|failure| unusable(failure.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|failure| unusable(failure.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves one client; its slot is free again when it leaves.
async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    door: Arc<Door>,
    stop: CancellationToken,
    _slot: OwnedSemaphorePermit,
) {
    let login_deadline = Instant::now() + door.limits.login;
    if let Err(failure) = stream.set_nodelay(true) {
        tracing::debug!(%failure, "could not set nodelay");
    }
    let outcome = match tls {
        None => Connection { door: &door, stream, stop, login_deadline }.serve().await,
        Some(tls) => match timeout_at(login_deadline, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let stream = Box::new(stream);
                Connection { door: &door, stream, stop, login_deadline }.serve().await
            }
            _ => Err(Closed(refusal::TLS)),
        },
    };
    if let Err(Closed(code)) = outcome {
        door.counts.refuse(code);
        tracing::debug!(code, "hung up on a kafka client");
    }
}
