//! What a data folder holds, read from its files beside the process that writes there or after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use events::event::{Event, Network, Role};
use events::identity::Address;
use events::unit::UnixMillis;
use events::wire::Frame;
use ledger::Ledger;
use publisher::identity::Identity;
use publisher::translate::{Speaker, translate};
use sla::window::Hour;
use warehouse::Reader;
use warehouse::page::Page;
use warehouse::sqlite::ReadOnly;
use warehouse::view::HourView;

/// Copies a folder and the folders in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let (from, to) = (item.path(), to.join(item.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// The warehouse of a data folder.
pub fn warehouse(data: &Path) -> ReadOnly {
    ReadOnly::open(&data.join("warehouse.sqlite")).unwrap()
}

/// Every hour that is settled, as its last revision has it.
pub fn hours(data: &Path) -> BTreeMap<Hour, HourView> {
    let warehouse = warehouse(data);
    let windows = warehouse.windows(Network::Livepeer, &Page::first(100)).unwrap();
    let view = |hour| Some((hour, warehouse.hour_record(Network::Livepeer, hour, None).unwrap()?));
    windows.rows.into_iter().filter_map(|row| view(row.hour)).collect()
}

/// The digest of the last revision of every hour.
pub fn last_digests(data: &Path) -> BTreeMap<Hour, String> {
    hours(data).into_iter().map(|(hour, view)| (hour, view.digest.to_string())).collect()
}

/// Every revision of every hour, with its digest.
pub fn revisions(data: &Path) -> BTreeMap<(Hour, u32), String> {
    let of_hour = |(hour, view): (Hour, HourView)| {
        let rows = view.revisions.into_iter();
        rows.map(move |row| ((hour, row.revision), row.digest.to_string()))
    };
    hours(data).into_iter().flat_map(of_hour).collect()
}

/// The ids of every event in the record, as often as each is there.
pub fn event_ids(data: &Path) -> Vec<String> {
    let (ledger, _) = Ledger::open_read_only(&data.join("ledger")).unwrap();
    let mut ids = Vec::new();
    for record in ledger.read(0) {
        let (_, entry) = record.unwrap();
        let batch = Frame::parse(&entry.frame).unwrap().open().unwrap();
        let events = batch.payload.events().filter_map(|bytes| Event::decode(bytes).ok());
        ids.extend(events.map(|event| event.id.to_string()));
    }
    ids
}

/// The ids of what became of envelopes that the gateway's node acknowledged, as far as they are not in the record.
pub fn lost(data: &Path, acknowledged: &[Vec<u8>]) -> Vec<String> {
    let identity = Identity::open(&data.join("nodes/gateway")).unwrap();
    let speaker = Speaker {
        network: Network::Livepeer,
        reporter: Address([1; 20]),
        role: Role::Gateway,
        node: identity.node.clone(),
        // Ids that cannot be repeated are hashed with a secret of the node.
        pseudonyms: identity.pseudonym_key(),
        region: None,
    };
    let recorded: BTreeSet<String> = event_ids(data).into_iter().collect();
    let events = acknowledged
        .iter()
        .flat_map(|envelope| translate(envelope, &speaker, UnixMillis::EARLIEST).events);
    events.map(|event| event.id.to_string()).filter(|id| !recorded.contains(id)).collect()
}
