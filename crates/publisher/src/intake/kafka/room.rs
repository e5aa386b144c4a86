//! How much memory clients' requests may take, all together: as they arrive, and as what is read out of them.
//! It never lets a request begin what it might not have room to finish, so requests cannot wait for each other for ever.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Limits;
use super::records;
use super::request::Produce;
use crate::intake::inflate::WINDOW_BYTES_MAX;

/// What a record costs beside its bytes, in memory.
const RECORD_BYTES: usize = 128;

/// One permit's worth.
const UNIT_BYTES: usize = 1024;

/// The room of one listener, in two parts: whoever holds some of the first may wait for some of the second, and whoever
/// holds some of the second waits for nothing.
pub struct Room {
    limits: Limits,
    requests: Semaphore,
    readings: Semaphore,
}

/// The room that what is read out of one request takes.
pub struct Reading<'a>(SemaphorePermit<'a>);

/// There was no room in time.
#[derive(Debug, PartialEq, Eq)]
pub struct Busy;

impl Room {
    /// Divides the memory, or says how much it would have to be.
    pub fn new(limits: &Limits) -> Result<Self, usize> {
        let (request, reading) =
            (units(limits.request_bytes_max), units(cost(limits, limits.request_bytes_max, true)));
        let needed = request.saturating_add(reading);
        let all = (limits.memory_bytes_max / UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        let spare = all.checked_sub(needed).ok_or(needed.saturating_mul(UNIT_BYTES))?;
        Ok(Self {
            limits: limits.clone(),
            requests: Semaphore::new(request + spare / 2),
            readings: Semaphore::new(all - (request + spare / 2)),
        })
    }

    /// Room for a request of so many bytes.
    pub async fn request(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Busy> {
        acquire(&self.requests, units(bytes), self.limits.request).await
    }

    /// Room for all that may be read out of a request.
    pub async fn reading(&self, produce: &Produce<'_>) -> Result<Reading<'_>, Busy> {
        let partitions = produce.topics.iter().flat_map(|topic| &topic.partitions);
        let (mut bytes, mut is_compressed) = (0usize, false);
        for partition in partitions {
            bytes = bytes.saturating_add(partition.records.len());
            is_compressed |= records::is_compressed(partition.records);
        }
        let worst = units(cost(&self.limits, bytes, is_compressed));
        acquire(&self.readings, worst, self.limits.request).await.map(Reading)
    }
}

impl Reading<'_> {
    /// Gives back what was not needed, now that it is known what came out.
    pub fn shrink(&mut self, records: usize, bytes: usize) {
        let needed = units(bytes.saturating_add(records.saturating_mul(RECORD_BYTES)));
        drop(self.0.split(self.0.num_permits().saturating_sub(needed)));
    }
}

/// The most that reading records of so many bytes can take: each record's own bytes once more, and, where some are
/// compressed, what they inflate to, once as it comes out and once as records.
fn cost(limits: &Limits, bytes: usize, is_compressed: bool) -> usize {
    let inflated = limits.inflated_bytes_max.saturating_mul(2).saturating_add(WINDOW_BYTES_MAX);
    let (inflated, content) = match is_compressed {
        true => (inflated, bytes.saturating_add(limits.inflated_bytes_max)),
        false => (0, bytes),
    };
    let records = limits.records_max.min(content / records::RECORD_BYTES_MIN);
    bytes.saturating_add(inflated).saturating_add(records.saturating_mul(RECORD_BYTES))
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}

async fn acquire(
    semaphore: &Semaphore,
    units: usize,
    within: Duration,
) -> Result<SemaphorePermit<'_>, Busy> {
    let units = u32::try_from(units).map_err(|_| Busy)?;
    timeout(within, semaphore.acquire_many(units)).await.ok().and_then(Result::ok).ok_or(Busy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::request::{Partition, Topic};
    use super::*;

    const KIB: usize = 1024;

    fn limits(memory_bytes_max: usize) -> Limits {
        Limits {
            request_bytes_max: 8 * KIB,
            inflated_bytes_max: 64 * KIB,
            records_max: 16,
            memory_bytes_max,
            request: Duration::from_millis(20),
            ..Limits::default()
        }
    }

    /// The least that holds one request, read.
    fn needed() -> usize {
        Room::new(&limits(0)).err().unwrap()
    }

    /// A record batch of `length` bytes of which only the head can be read.
    fn batch(length: usize, codec: u8) -> Vec<u8> {
        let mut batch = vec![0; length];
        let body = u32::try_from(length - 12).unwrap().to_be_bytes();
        batch.splice(8..12, body);
        batch.splice(16..17, [2]);
        batch.splice(22..23, [codec]);
        batch
    }

    fn produce(records: &[u8]) -> Produce<'_> {
        let topic = Topic { name: "gw", partitions: vec![Partition { index: 0, records }] };
        Produce { is_transactional: false, acks: -1, topics: vec![topic] }
    }

    #[test]
    fn what_one_request_may_become_must_fit() {
        let needed = needed();
        assert_eq!(needed, 8 * KIB + 8 * KIB + 2 * 64 * KIB + WINDOW_BYTES_MAX + 16 * 128);
        assert_eq!(Room::new(&limits(needed - 1)).err(), Some(needed));
        assert!(Room::new(&limits(needed)).is_ok());
        let defaults = Limits::default();
        assert!(Room::new(&defaults).is_ok(), "{:?}", Room::new(&defaults).err());
    }

    #[tokio::test]
    async fn small_requests_that_may_inflate_wait_for_room_to_do_so() {
        let room = Room::new(&limits(needed())).unwrap();
        let (bomb, plain) = (batch(500, 4), batch(500, 0));
        let mut reading = room.reading(&produce(&bomb)).await.unwrap();
        assert_eq!(room.reading(&produce(&bomb)).await.err(), Some(Busy));
        // All that is left is what the first was too short to need itself.
        assert!(room.readings.available_permits() < 10);
        room.reading(&produce(&plain)).await.unwrap();
        reading.shrink(1, 60 * KIB);
        let held = room.readings.available_permits();
        assert_eq!(room.reading(&produce(&bomb)).await.err(), Some(Busy), "60 KiB are still held");
        drop(reading);
        assert_eq!(room.readings.available_permits(), held + 61);
        room.reading(&produce(&bomb)).await.unwrap();
        assert!(room.request(8 * KIB).await.is_ok(), "arriving takes nothing of that room");
    }
}
