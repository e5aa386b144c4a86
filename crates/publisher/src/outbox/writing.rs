//! How sealed batches come onto the disk: a group at a time, synced and marked before anybody is shown them.
//! It never leaves half a group behind that it goes on from, and never writes one twice.

use events::unit::UnixMillis;

use super::mark::Mark;
use super::shelf::Entry;
use super::{Error, Outbox, files};

/// Sealed batches that are not yet on the disk.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) bytes: Vec<u8>,
    pub(super) batches: Vec<(u64, Entry)>,
    pub(super) events: u64,
    pub(super) sealed_ms: Option<UnixMillis>,
}

impl Outbox {
    /// Writes every sealed batch, syncs, marks the head, and puts the batches on the shelf.
    ///
    /// # Errors
    /// `NoRoom`, after which the batches wait for another call; `Io` and `Stopped`.
    pub fn sync(&mut self) -> Result<(), Error> {
        if self.is_stopped {
            return Err(Error::Stopped);
        }
        let group = std::mem::take(&mut self.group);
        let written = self.write(&group);
        self.short = None;
        if let Err(Error::NoRoom(detail)) = &written {
            self.short = Some(detail.clone());
            self.group = group;
        }
        self.stop_on_error(written)
    }

    fn write(&mut self, group: &Group) -> Result<(), Error> {
        let Some((end, last)) = group.batches.last().map(|(ordinal, entry)| (ordinal + 1, *entry))
        else {
            return Ok(());
        };
        let (mut file, mut segment) = match self.file.take() {
            Some((file, segment)) if segment.bytes < self.options.segment_bytes => (file, segment),
            _ => {
                let created = files::create(&self.options.directory, self.next_segment)?;
                self.next_segment += 1;
                created
            }
        };
        let mark = Mark { position: last.position, hash: last.hash };
        let written =
            files::append(&mut file, &segment, &group.bytes).and_then(|()| self.marks.write(&mark));
        if let Err(failure) = written {
            // Nobody was shown any of it, so it is written again as a whole.
            if failure.is_retryable() {
                files::cut(&file, &segment)?;
                self.file = Some((file, segment));
            }
            return Err(failure);
        }
        let (number, start) = (segment.number, segment.bytes);
        segment.bytes += group.bytes.len() as u64;
        segment.end = end;
        segment.sealed_ms = segment.sealed_ms.max(group.sealed_ms.unwrap_or(UnixMillis(0)));
        let place = |(ordinal, entry): &(u64, Entry)| {
            (*ordinal, Entry { segment: number, offset: start + entry.offset, ..*entry })
        };
        self.shelf.put(segment.clone(), group.batches.iter().map(place));
        self.file = Some((file, segment));
        self.durable += group.events;
        Ok(())
    }
}
