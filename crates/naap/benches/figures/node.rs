//! A real `naap dev` in a folder of its own, and the two things a figure asks of it: Kafka and HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// A running node; dropping it ends it.
pub struct Node {
    child: Child,
    pub api: SocketAddr,
    pub kafka: SocketAddr,
    /// From starting the program to its first answer.
    pub started: Duration,
}

impl Node {
    /// Starts `naap dev` without a simulation and waits for its first answer.
    pub fn start(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).expect("a writable folder");
        let told = directory.join("addresses.json");
        std::fs::remove_file(&told).ok();
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_naap"))
            .args([
                "dev",
                "--no-simulate",
                "--listen",
                "127.0.0.1:0",
                "--kafka",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(directory)
            .env("NAAP_INTAKE__LISTEN", "127.0.0.1:0")
            .env("NAAP_LOG__LEVEL", "error")
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut child = Some(child);
        loop {
            assert!(began.elapsed() < START, "naap dev did not answer within {START:?}");
            if let Some((api, kafka)) = addresses(&told)
                && get(api, "/healthz").is_some_and(|(status, _)| status == 200)
            {
                let child = child.take().expect("taken once");
                return Self { child, api, kafka, started: began.elapsed() };
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn process(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn addresses(file: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let address = |name: &str| told.get(name)?.as_str()?.parse().ok();
    Some((address("api")?, address("kafka")?))
}

/// A GET on a connection of its own: the status and the body.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    Some((status, body.unwrap_or_default()))
}

/// A producer that sends one request and waits for its acknowledgement.
pub struct Producer(TcpStream);

impl Producer {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the listener answers");
        stream.set_nodelay(true).expect("a socket option");
        Self(stream)
    }

    /// Sends envelopes, each with its id as the key, and returns once they are acknowledged.
    pub fn produce(&mut self, envelopes: &[(String, Vec<u8>)]) {
        self.0.write_all(&request(envelopes)).expect("the listener reads");
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("the listener answers");
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.0.read_exact(&mut answer).expect("the listener answers");
        // Produce 3: correlation id, one topic of one partition, then its error code.
        let mut answer = Bytes::from(answer);
        answer.advance(4 + 4);
        let name = usize::try_from(answer.get_i16()).expect("a name");
        answer.advance(name + 4 + 4);
        assert_eq!(answer.get_i16(), 0, "the listener refused a batch");
    }
}

fn request(envelopes: &[(String, Vec<u8>)]) -> BytesMut {
    let record = |(number, (id, value)): (i32, &(String, Vec<u8>))| Record {
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
        key: Some(Bytes::copy_from_slice(id.as_bytes())),
        value: Some(Bytes::copy_from_slice(value)),
        headers: Default::default(),
    };
    let records: Vec<Record> = (0..).zip(envelopes).map(record).collect();
    let mut encoded = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut encoded, &records, &options).expect("records encode");
    let partition =
        PartitionProduceData::default().with_index(0).with_records(Some(encoded.freeze()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str("naap")))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Produce as i16)
        .with_request_api_version(3)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("bench")));
    let mut body = BytesMut::new();
    header.encode(&mut body, ApiKey::Produce.request_header_version(3)).expect("a header encodes");
    request.encode(&mut body, 3).expect("a request encodes");
    let mut framed = BytesMut::new();
    framed.put_i32(i32::try_from(body.len()).expect("a short request"));
    framed.extend_from_slice(&body);
    framed
}
