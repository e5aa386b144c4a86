//! A Kafka producer as small as a simulated gateway needs: one broker, one partition, Produce 3, all acknowledged.
//!
//! It sends as go-livepeer does: a batch each second or when there are a hundred, again until it is acknowledged, and
//! what does not fit its queue is lost.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Envelopes that wait; go-livepeer holds a hundred too and drops what comes then.
const QUEUE: usize = 1_000;

/// The most envelopes of one request.
const BATCH_MAX: usize = 100;

/// How long an envelope waits for others.
const LINGER: Duration = Duration::from_millis(250);

/// How long an answer may take.
const WAIT: Duration = Duration::from_secs(10);

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest answer: one partition's.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The version that kafka-go pins go-livepeer to.
const VERSION: i16 = 3;

/// A producer at work; dropping it lets it end.
pub(super) struct Producer {
    queue: mpsc::Sender<Bytes>,
}

impl Producer {
    /// Begins to send to this broker.
    pub(super) fn start(broker: SocketAddr, topic: &'static str) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(broker, topic, waiting));
        Self { queue }
    }

    /// Sends an envelope some time soon, unless the queue is full.
    pub(super) fn send(&self, envelope: Vec<u8>) {
        if self.queue.try_send(envelope.into()).is_err() {
            tracing::debug!("a simulated gateway dropped an envelope: its queue is full");
        }
    }
}

async fn run(broker: SocketAddr, topic: &'static str, mut waiting: mpsc::Receiver<Bytes>) {
    let mut stream = None;
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let more = async {
            while batch.len() < BATCH_MAX {
                match waiting.recv().await {
                    Some(envelope) => batch.push(envelope),
                    None => break,
                }
            }
        };
        // The end of the wait is when what is there goes out.
        timeout(LINGER, more).await.ok();
        loop {
            match produce(&mut stream, broker, topic, &batch).await {
                Ok(()) => break,
                Err(error) => {
                    stream = None;
                    tracing::debug!(%error, "a simulated gateway was not acknowledged");
                    if waiting.is_closed() {
                        return;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Produces a batch and waits until it is acknowledged.
async fn produce(
    stream: &mut Option<TcpStream>,
    broker: SocketAddr,
    topic: &'static str,
    batch: &[Bytes],
) -> anyhow::Result<()> {
    let stream = match stream {
        Some(stream) => stream,
        None => stream.insert(TcpStream::connect(broker).await?),
    };
    let request = request(topic, batch)?;
    let exchange = async {
        stream.write_all(&request).await?;
        let length = usize::try_from(stream.read_i32().await?)?;
        ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        anyhow::Ok(Bytes::from(answer))
    };
    check(timeout(WAIT, exchange).await.context("no answer")??)
}

fn request(topic: &'static str, batch: &[Bytes]) -> anyhow::Result<BytesMut> {
    let mut records = BytesMut::new();
    let numbered = (0..).zip(batch);
    let records_of: Vec<Record> = numbered.map(|(number, value)| record(number, value)).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, &records_of, &options)?;
    let partition =
        PartitionProduceData::default().with_index(0).with_records(Some(records.freeze()));
    let name = TopicName(StrBytes::from_static_str(topic));
    let data = TopicProduceData::default().with_name(name).with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Produce as i16)
        .with_request_api_version(VERSION)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("simulation")));
    let mut body = BytesMut::new();
    header.encode(&mut body, ApiKey::Produce.request_header_version(VERSION))?;
    request.encode(&mut body, VERSION)?;
    let mut framed = BytesMut::with_capacity(body.len() + 4);
    framed.put_i32(i32::try_from(body.len())?);
    framed.extend_from_slice(&body);
    Ok(framed)
}

/// An envelope as a record: its key is its id, and none where it has none, as a gateway's spoiled words may.
fn record(number: i32, value: &Bytes) -> Record {
    let id = serde_json::from_slice::<serde_json::Value>(value).ok();
    let id = id.as_ref().and_then(|envelope| envelope.get("id")?.as_str());
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(number),
        sequence: -1,
        timestamp: 0,
        key: id.map(|id| Bytes::copy_from_slice(id.as_bytes())),
        value: Some(value.clone()),
        headers: Default::default(),
    }
}

fn check(mut answer: Bytes) -> anyhow::Result<()> {
    ensure!(answer.remaining() >= 4, "an answer of {} bytes", answer.remaining());
    ResponseHeader::decode(&mut answer, ApiKey::Produce.response_header_version(VERSION))?;
    let response = ProduceResponse::decode(&mut answer, VERSION)?;
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    for partition in partitions {
        if partition.error_code != 0 {
            bail!("error {} on partition {}", partition.error_code, partition.index);
        }
    }
    Ok(())
}
