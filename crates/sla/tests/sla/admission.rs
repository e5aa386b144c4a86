//! Admission by itself: which events count, what is refused how often, and which batches that leans on.

use std::collections::BTreeMap;

use events::batch::Batch;
use events::body::{Body, node::Heartbeat};
use events::event::Role;
use events::identity::Digest;
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use sla::admit::{Admission, admit};
use sla::authority::Authority;
use sla::opened::{Opened, RECORD_KINDS};
use sla::trust::TrustFile;

use crate::cast::{Chains, LASTS, Person, encode, trust};

const BEGIN: UnixMillis = UnixMillis(1_767_906_000_000);
const LATER: UnixMillis = UnixMillis(1_767_909_600_000);

/// A controller that may speak, a gateway that nobody knows, and what they say.
struct Stage {
    chains: Chains,
    controller: Person,
    sent: Vec<Batch>,
    stranger: Person,
    trust: TrustFile,
}

fn beat() -> Body {
    let version = "1".parse().unwrap();
    Body::NodeHeartbeat(Heartbeat { dropped: 0, uptime_ms: Millis(0), version })
}

impl Stage {
    fn new() -> Self {
        let controller = Person::new("controller-1", "controller-1", Role::Controller);
        let stranger = Person::new("gateway-1", "gateway-1", Role::Gateway);
        let trust = trust([&controller, &stranger]);
        let granted = controller.grant(1, BEGIN.plus(LASTS));
        let mut stage =
            Self { chains: Chains::default(), controller, sent: Vec::new(), stranger, trust };
        let by = stage.controller.clone();
        stage.say(&by, 0, BEGIN, [("grant", Body::DelegationGranted(granted))]);
        stage
    }

    /// Seals what is said, each under its id, when it is said.
    fn say<const N: usize>(
        &mut self,
        by: &Person,
        epoch: u64,
        at_ms: UnixMillis,
        said: [(&str, Body); N],
    ) {
        let events = said.map(|(id, body)| by.says(id, at_ms, body));
        self.sent.push(self.chains.seal(by, epoch, at_ms, &encode(&events)));
    }

    fn opened(&self) -> Vec<Opened> {
        self.sent.iter().map(Opened::of).collect()
    }

    /// Admits what counts from [`LATER`] on.
    fn admit<'a>(&self, batches: &'a [Opened]) -> Admission<'a> {
        let authority = Authority::of(&self.trust, batches);
        admit(&authority, batches, |counted_ms, _| counted_ms >= LATER)
    }
}

#[test]
fn what_counts_is_taken_once_and_the_rest_is_counted() {
    let mut stage = Stage::new();
    let (controller, stranger) = (stage.controller.clone(), stage.stranger.clone());
    stage.say(&controller, 0, BEGIN, [("early", beat())]);
    stage.say(&controller, 0, LATER, [("one", beat()), ("two", beat())]);
    stage.say(&stranger, 0, LATER, [("a", beat()), ("b", beat()), ("c", beat())]);
    // Another epoch says the same again, and one thing more.
    let again = LATER.plus(Millis(1));
    stage.say(&controller, 1, again, [("one", beat()), ("two", beat()), ("three", beat())]);
    let batches = stage.opened();
    let admission = stage.admit(&batches);

    let mut found: Vec<(&str, UnixMillis)> =
        admission.admitted.iter().map(|it| (it.event.id.as_str(), it.sealed_ms)).collect();
    found.sort_unstable();
    assert_eq!(found, [("one", LATER), ("three", again), ("two", LATER)]);
    let expected = BTreeMap::from([
        ((controller.key, Defect::EventDuplicate), 2),
        ((stranger.key, Defect::SignerUnknown), 3),
    ]);
    assert_eq!(admission.refused, expected);
    // The early batch holds nothing that was asked for, the stranger's nothing that counts.
    let mut leaned_on = vec![batches[2].position(), batches[4].position()];
    leaned_on.sort_unstable();
    assert_eq!(admission.positions, leaned_on);
}

#[test]
fn only_the_whole_id_of_one_reporter_is_the_same() {
    let mut stage = Stage::new();
    let first = stage.controller.clone();
    let second = Person::new("controller-2", "controller-2", Role::Controller);
    stage.trust = trust([&first, &second]);
    let granted = second.grant(1, BEGIN.plus(LASTS));
    stage.say(&second, 0, BEGIN, [("grant", Body::DelegationGranted(granted))]);
    // The first sixteen bytes are the same.
    let said = || [("of-sixteen-bytes", beat()), ("of-sixteen-bytes-and-one", beat())];
    stage.say(&first, 0, LATER, said());
    stage.say(&second, 0, LATER, said());
    let batches = stage.opened();
    let admission = stage.admit(&batches);
    assert_eq!((admission.admitted.len(), admission.refused), (4, BTreeMap::new()));
}

#[test]
fn a_batch_that_was_read_in_part_and_in_whole_is_taken_once_and_whole() {
    let mut stage = Stage::new();
    let controller = stage.controller.clone();
    stage.say(&controller, 0, LATER, [("one", beat()), ("two", beat())]);
    let mut batches = stage.opened();
    batches.insert(0, Opened::part_of(&stage.sent[1], RECORD_KINDS));
    batches.extend(stage.opened());
    let admission = stage.admit(&batches);
    assert_eq!((admission.admitted.len(), admission.positions.len()), (2, 1));
    assert!(admission.refused.is_empty());
}

#[test]
fn a_leaf_holds_what_was_said_and_where() {
    let mut stage = Stage::new();
    let controller = stage.controller.clone();
    stage.say(&controller, 7, LATER, [("zero", beat())]);
    stage.say(&controller, 7, LATER, [("one", beat())]);
    let batches = stage.opened();
    let admission = stage.admit(&batches[2..]);
    assert!(admission.admitted.is_empty(), "without its delegation nobody speaks");
    let admission = stage.admit(&batches);
    let claim = admission.admitted.iter().find(|it| it.event.id.as_str() == "one").unwrap();
    let leaf = claim.leaf();
    let number = |from: usize| u64::from_be_bytes(leaf[from..from + 8].try_into().unwrap());
    assert_eq!(Digest(leaf[..32].try_into().unwrap()), batches[2].events[0].hash);
    assert_eq!(leaf[32..64], controller.key.0);
    assert_eq!((number(64), number(72), number(80)), (7, batches[2].header.seq, LATER.0));
}
