//! A producer that knows which envelopes it was told are kept, and sends the others again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// A connection to a listener.
pub struct Producer {
    stream: TcpStream,
}

impl Producer {
    /// Connects, if somebody listens.
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Produces envelopes and waits for the word that they are kept.
    pub fn produce(&mut self, topic: &str, envelopes: &[Vec<u8>]) -> std::io::Result<()> {
        self.stream.write_all(&request(topic, envelopes))?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut answer)?;
        // Correlation, one topic with its name, one partition's index: then its error code.
        let at = 4 + 4 + 2 + topic.len() + 4 + 4;
        let code = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
        if code == 0 { Ok(()) } else { Err(std::io::Error::other(format!("error {code}"))) }
    }
}

/// A Produce request of version 3, all acknowledged.
fn request(topic: &str, envelopes: &[Vec<u8>]) -> Vec<u8> {
    let records = batch(envelopes);
    let mut body = BytesMut::new();
    body.put_slice(&[0, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff]);
    body.put_i16(-1);
    body.put_i32(10_000);
    body.put_i32(1);
    body.put_i16(i16::try_from(topic.len()).unwrap());
    body.put_slice(topic.as_bytes());
    body.put_i32(1);
    body.put_i32(0);
    body.put_i32(i32::try_from(records.len()).unwrap());
    body.put_slice(&records);
    let mut framed = Vec::new();
    framed.put_i32(i32::try_from(body.len()).unwrap());
    framed.extend_from_slice(&body);
    framed
}

fn batch(envelopes: &[Vec<u8>]) -> BytesMut {
    let record = |(number, value): (i32, &Vec<u8>)| Record {
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
        key: None,
        value: Some(Bytes::from(value.clone())),
        headers: Default::default(),
    };
    let records: Vec<Record> = (0..).zip(envelopes).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out
}
