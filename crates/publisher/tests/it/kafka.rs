//! The Kafka listener against what a stock gateway sends, byte for byte, and against everything nobody should send.

mod doors;
mod frames;
mod limits;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use publisher::intake::Counts;
use publisher::intake::kafka::{Config, Listener};
use publisher::spool::{self, Spool};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listener on a free port with a spool of its own.
struct Running {
    address: SocketAddr,
    spool: Arc<Spool>,
    counts: Counts,
    stop: CancellationToken,
    served: JoinHandle<()>,
    home: TempDir,
}

fn plain() -> Config {
    Config::plain("127.0.0.1:0".parse().unwrap(), "gw")
}

async fn start() -> Running {
    start_with(plain(), |_| {}).await
}

async fn start_with(config: Config, change: impl FnOnce(&mut spool::Config)) -> Running {
    let home = tempfile::tempdir().unwrap();
    let mut settings = spool::Config::at(home.path());
    change(&mut settings);
    let spool = Arc::new(Spool::open(&settings).unwrap());
    let counts = Counts::default();
    let clock = Arc::new(|| 1_767_908_945_298);
    let listener = Listener::bind(config, Arc::clone(&spool), clock, counts.clone()).await.unwrap();
    let stop = CancellationToken::new();
    let (address, served) = (listener.address(), tokio::spawn(listener.run(stop.clone())));
    Running { address, spool, counts, stop, served, home }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn kept(&self) -> Vec<spool::Raw> {
        crate::spool::everything(&self.spool).await.into_iter().map(|stored| stored.raw).collect()
    }

    async fn kept_keys(&self) -> Vec<String> {
        self.kept().await.into_iter().filter_map(|raw| raw.key).collect()
    }

    fn refused(&self, code: &str) -> u64 {
        self.counts.snapshot().refused.get(code).copied().unwrap_or_default()
    }

    /// Waits until a refusal is counted, since a client may notice a hang-up before it is.
    async fn refused_at_last(&self, code: &str, times: u64) {
        let counted = async {
            while self.refused(code) < times {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, counted)
            .await
            .unwrap_or_else(|_| panic!("{code} not counted: {:?}", self.counts.snapshot()));
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) {
    let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(frame);
    stream.write_all(&bytes).await.unwrap();
}

/// The next frame, or nothing when the other side hung up.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let read = async {
        let length = stream.read_u32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut frame).await.ok()?;
        Some(frame)
    };
    timeout(PATIENCE, read).await.expect("an answer or a hang-up")
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), frame: &[u8]) -> Option<Vec<u8>> {
    send(stream, frame).await;
    receive(stream).await
}

/// A request's header: key, version, correlation 7, no client id.
fn header(key: i16, version: i16) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(7);
    out.put_i16(-1);
    out
}

/// A Produce request of one partition.
fn produce(version: i16, acks: i16, topic: &str, partition: i32, records: &[u8]) -> BytesMut {
    let mut out = header(0, version);
    if version >= 3 {
        out.put_i16(-1);
    }
    out.put_i16(acks);
    out.put_i32(4999);
    out.put_i32(1);
    out.put_i16(i16::try_from(topic.len()).unwrap());
    out.put_slice(topic.as_bytes());
    out.put_i32(1);
    out.put_i32(partition);
    out.put_i32(i32::try_from(records.len()).unwrap());
    out.put_slice(records);
    out
}

/// A record batch of these keys, each with its key as value.
fn batch(keys: &[&str]) -> Vec<u8> {
    batch_with(keys, Compression::None, |bytes| bytes.to_vec())
}

fn batch_with(
    keys: &[&str],
    compression: Compression,
    squeeze: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let record = |(n, key): (usize, &&str)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(n).unwrap(),
        sequence: i32::try_from(n).unwrap() - 1,
        timestamp: 1_767_908_945_298,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::copy_from_slice(key.as_bytes())),
        headers: [("region".into(), Some("fra".into())), ("empty".into(), None)].into(),
    };
    let records: Vec<_> = keys.iter().enumerate().map(record).collect();
    let squeeze = |from: &mut BytesMut, to: &mut BytesMut, _: Compression| {
        to.put_slice(&squeeze(from));
        Ok(())
    };
    let options = RecordEncodeOptions { version: 2, compression };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(&mut out, &records, &options, Some(squeeze))
        .unwrap();
    out.to_vec()
}

/// An answer to [`produce`] from version 1 on: the error code and the base offset.
fn outcome(answer: &[u8]) -> (i16, i64) {
    let name = usize::from(u16::from_be_bytes(answer[8..10].try_into().unwrap()));
    let at = 10 + name + 4 + 4;
    let code = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
    (code, i64::from_be_bytes(answer[at + 2..at + 10].try_into().unwrap()))
}
