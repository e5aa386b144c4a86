//! One client's connection: frames in, answers out, one request at a time.
//! It never answers "kept" before the spool has synced, nor "not kept" for what it kept; whatever a client does, only its own connection ends.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::Decodable;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Door;
use super::answer::{self, Outcome};
use super::records::{self, Budget};
use super::request::{self, Partition, Produce};
use super::room::Busy;
use super::wire::{Malformed, Wire};
use crate::intake::refusal;
use crate::spool::{Error as SpoolError, Position, Raw, Source};

/// Before somebody has logged in, nothing they say may be longer than this.
const STRANGER_BYTES_MAX: usize = 16 << 10;
/// `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC: i16 = 3;
/// `RECORD_LIST_TOO_LARGE`.
const TOO_LARGE: i16 = 18;
/// `INVALID_REQUIRED_ACKS`.
const INVALID_ACKS: i16 = 21;
/// `INVALID_REQUEST`.
const INVALID_REQUEST: i16 = 42;
/// `KAFKA_STORAGE_ERROR`: clients try again.
const STORAGE: i16 = 56;

/// Why we hung up; the code is counted.
#[derive(Debug)]
pub struct Closed(pub &'static str);

impl From<Malformed> for Closed {
    fn from(_: Malformed) -> Self {
        Self(refusal::KAFKA_FRAME)
    }
}

impl From<Busy> for Closed {
    fn from(_: Busy) -> Self {
        Self(refusal::BUSY)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    /// Only a handshake is heard.
    Needed,
    /// After handshake 0 the next frame is a bare token, after handshake 1 a SaslAuthenticate request.
    Token {
        is_bare: bool,
    },
    Done,
    /// The refusal is sent, then we hang up.
    Refused,
}

type Reply = (Login, Option<BytesMut>);

struct Request<'a> {
    bytes: Bytes,
    /// Goes back to the listener's memory once the request is answered.
    _memory: SemaphorePermit<'a>,
}

pub struct Connection<'a, S> {
    pub door: &'a Door,
    pub stream: S,
    pub stop: CancellationToken,
    /// When a client that has not logged in is hung up on, whatever it does.
    pub login_deadline: Instant,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    /// Serves until the client leaves, the listener stops, or something is wrong.
    pub async fn serve(mut self) -> Result<(), Closed> {
        let mut login = if self.door.secret.is_some() { Login::Needed } else { Login::Done };
        while let Some(request) = self.hear(login).await? {
            let (next, reply) = match login {
                Login::Token { is_bare: true } => self.bare_token(&request.bytes)?,
                _ => self.respond(login, request.bytes.clone()).await?,
            };
            drop(request);
            if let Some(reply) = reply {
                self.say(&reply).await?;
            }
            login = next;
            if login == Login::Refused {
                return Err(Closed(refusal::LOGIN));
            }
        }
        Ok(())
    }

    /// The next frame; `None` when the client is gone or idle, or we stop.
    async fn hear(&mut self, login: Login) -> Result<Option<Request<'a>>, Closed> {
        let limits = &self.door.limits;
        let (deadline, bytes_max) = match login {
            Login::Done => (Instant::now() + limits.idle, limits.request_bytes_max),
            _ => (self.login_deadline, STRANGER_BYTES_MAX.min(limits.request_bytes_max)),
        };
        let mut head = [0; 4];
        let heard = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            heard = timeout_at(deadline, self.stream.read_exact(&mut head)) => heard,
        };
        match heard {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Ok(None),
            Err(_) if login == Login::Done => return Ok(None),
            Err(_) => return Err(Closed(refusal::SLOW)),
        }
        let length = usize::try_from(i32::from_be_bytes(head)).map_err(|_| Malformed)?;
        if length > bytes_max {
            return Err(Closed(refusal::TOO_LARGE));
        }
        let memory = self.door.room.request(length).await?;
        let mut body = Vec::new();
        let mut rest = (&mut self.stream).take(length as u64);
        let read = timeout(limits.request, rest.read_to_end(&mut body)).await;
        match read.map_err(|_| Closed(refusal::SLOW))? {
            Ok(read) if read == length => Ok(Some(Request { bytes: body.into(), _memory: memory })),
            _ => Err(Closed(refusal::KAFKA_FRAME)),
        }
    }

    async fn say(&mut self, reply: &[u8]) -> Result<(), Closed> {
        let sent = async {
            self.stream.write_all(reply).await?;
            self.stream.flush().await
        };
        match timeout(self.door.limits.request, sent).await {
            Ok(Ok(())) => Ok(()),
            // What was kept stays kept; the client will send it again and the ids will tell.
            _ => Err(Closed(refusal::SLOW)),
        }
    }

    async fn respond(&self, login: Login, mut bytes: Bytes) -> Result<Reply, Closed> {
        // Header 1 is also the beginning of header 2, which only ApiVersions 3 and later use of what we hear.
        let header = RequestHeader::decode(&mut bytes, 1).map_err(|_| Malformed)?;
        let (key, version) = (header.request_api_key, header.request_api_version);
        let correlation = header.correlation_id;
        if key == answer::API_VERSIONS {
            let with_sasl = self.door.secret.is_some();
            return Ok((login, Some(answer::api_versions(correlation, version, with_sasl)?)));
        }
        if !answer::is_served(key, version) {
            return Err(Closed(refusal::KAFKA_REQUEST));
        }
        let mut wire = Wire(&bytes);
        match (key, login) {
            (answer::SASL_HANDSHAKE, Login::Needed) => {
                let is_plain = wire.string()? == "PLAIN";
                let next =
                    if is_plain { Login::Token { is_bare: version == 0 } } else { Login::Needed };
                Ok((next, Some(answer::sasl_handshake(correlation, version, is_plain)?)))
            }
            (answer::SASL_AUTHENTICATE, Login::Token { is_bare: false }) => {
                let length = wire.i32()?;
                let is_welcome = self.is_welcome(wire.nullable(length)?.unwrap_or_default());
                let next = if is_welcome { Login::Done } else { Login::Refused };
                Ok((next, Some(answer::sasl_authenticate(correlation, version, is_welcome)?)))
            }
            (answer::METADATA, Login::Done) => {
                let asked = request::read_metadata(version, &bytes)?;
                let (host, port) = &self.door.advertised;
                let reply =
                    answer::metadata(correlation, version, host, *port, &self.door.topic, asked)?;
                Ok((login, Some(reply)))
            }
            (answer::INIT_PRODUCER_ID, Login::Done) => {
                let is_transactional = wire.nullable_string()?.is_some();
                Ok((login, Some(answer::producer_id(correlation, version, is_transactional)?)))
            }
            (answer::PRODUCE, Login::Done) => Ok((
                login,
                self.produce(correlation, version, &Produce::read(version, &bytes)?).await?,
            )),
            (_, Login::Done) => Err(Closed(refusal::KAFKA_REQUEST)),
            _ => Err(Closed(refusal::LOGIN)),
        }
    }

    /// The token after handshake 0: welcomed by an empty frame, refused by hanging up.
    fn bare_token(&self, token: &[u8]) -> Result<Reply, Closed> {
        match self.is_welcome(token) {
            true => Ok((Login::Done, Some(BytesMut::zeroed(4)))),
            false => Err(Closed(refusal::LOGIN)),
        }
    }

    fn is_welcome(&self, token: &[u8]) -> bool {
        let plain = request::read_plain(token);
        let secret = self.door.secret.as_ref();
        secret.zip(plain).is_some_and(|(secret, (user, password))| secret.matches(user, password))
    }

    /// Keeps what can be kept, then answers each partition; with acks 0 there is no answer, so a failure is told by hanging up.
    async fn produce(
        &self,
        correlation: i32,
        version: i16,
        produce: &Produce<'_>,
    ) -> Result<Option<BytesMut>, Closed> {
        let limits = &self.door.limits;
        let mut room = self.door.room.reading(produce).await?;
        let mut budget =
            Budget { inflated_bytes: limits.inflated_bytes_max, records: limits.records_max };
        let received_ms = (self.door.clock)();
        let (mut topics, mut raws) = (Vec::new(), Vec::new());
        for topic in &produce.topics {
            let mut outcomes = Vec::new();
            for partition in &topic.partitions {
                let before = raws.len() as u64;
                let code = match self.read(produce, topic.name, partition, &mut budget) {
                    Err(code) => code,
                    Ok(heard) => {
                        let raw = |heard: records::Heard| Raw {
                            received_ms,
                            source: Source::Kafka,
                            key: heard.key,
                            value: heard.value,
                        };
                        raws.extend(heard.into_iter().map(raw));
                        0
                    }
                };
                outcomes.push((partition.index, code, before));
            }
            topics.push((topic.name, outcomes));
        }
        room.shrink(raws.len(), raws.iter().map(bytes_of).sum());
        let records = raws.len() as u64;
        let kept =
            if records == 0 { Ok(Position::default()) } else { self.door.spool.append(raws).await };
        match &kept {
            Ok(_) => self.door.counts.keep(Source::Kafka, records),
            Err(failure) if produce.acks == 0 => return Err(Closed(refusal::of_append(failure))),
            Err(failure) => self.door.counts.refuse(refusal::of_append(failure)),
        }
        if produce.acks == 0 {
            return Ok(None);
        }
        let finish = |(index, code, before): (i32, i16, u64)| match (&kept, code) {
            (Ok(first), 0) => {
                let base_offset = i64::try_from(first.advance(before).0).unwrap_or(i64::MAX);
                Outcome { index, code, base_offset }
            }
            (Err(SpoolError::TooLarge { .. }), 0) => {
                Outcome { index, code: TOO_LARGE, base_offset: -1 }
            }
            (Err(_), 0) => Outcome { index, code: STORAGE, base_offset: -1 },
            _ => Outcome { index, code, base_offset: -1 },
        };
        let topics: Vec<_> = topics
            .into_iter()
            .map(|(name, outcomes)| (name, outcomes.into_iter().map(finish).collect()))
            .collect();
        Ok(Some(answer::produce(correlation, version, &topics)?))
    }

    /// One partition's records, or the error code to answer.
    fn read(
        &self,
        produce: &Produce<'_>,
        topic: &str,
        partition: &Partition<'_>,
        budget: &mut Budget,
    ) -> Result<Vec<records::Heard>, i16> {
        let refuse = |refusal, code| {
            self.door.counts.refuse(refusal);
            Err(code)
        };
        if !(-1..=1).contains(&produce.acks) {
            return refuse(refusal::KAFKA_REQUEST, INVALID_ACKS);
        }
        if produce.is_transactional {
            return refuse(refusal::KAFKA_REQUEST, INVALID_REQUEST);
        }
        if topic != self.door.topic || partition.index != 0 {
            return refuse(refusal::KAFKA_TOPIC, UNKNOWN_TOPIC);
        }
        match records::read(partition.records, budget) {
            Ok(heard) if heard.is_empty() => {
                refuse(refusal::KAFKA_RECORDS, records::Unreadable::Malformed.kafka_code())
            }
            Ok(heard) => Ok(heard),
            Err(unreadable) => refuse(unreadable.refusal(), unreadable.kafka_code()),
        }
    }
}

fn bytes_of(raw: &Raw) -> usize {
    raw.value.len().saturating_add(raw.key.as_ref().map_or(0, String::len))
}
