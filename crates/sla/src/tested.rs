//! What tests gave, one by one: those that testers and collectors tell of by themselves. Shown to people and to the
//! clients of the leaderboard; read by no score.
//!
//! A test stands at its tester's own time, however late it was told; the hour that tells of it is the one it counts in.

pub mod board;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use events::body::Body;
use events::body::probe::{Measured, Observed};
use events::event::{Event, Role, Workload};
use events::identity::{Address, EventId, Model, Pipeline, Region};
use events::unit::{Micros, Ppm, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;
use crate::window::Hour;

/// What one test gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// When it was, by its tester's clock.
    pub at_ms: UnixMillis,
    /// Its name; with `reporter`, the same test has the same.
    pub id: EventId,
    /// What was measured.
    pub measured: Measured,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The on-chain address of who was tested.
    pub operator: Address,
    /// The pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// Where it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Who told.
    pub reporter: Address,
    /// What kind of work it was.
    pub workload: Workload,
}

impl Tested {
    /// How much of what was asked for came back.
    pub fn success(&self) -> Ppm {
        self.measured.success_ppm.unwrap_or(Ppm(0))
    }

    /// Where it was made, in upper case: that is how the clients of the leaderboard name regions, and how they look them
    /// up, whatever case a tester writes.
    pub fn place(&self) -> Option<Cow<'_, Region>> {
        let region = self.region.as_ref()?;
        if !region.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Some(Cow::Borrowed(region));
        }
        region.as_str().to_ascii_uppercase().parse().ok().map(Cow::Owned)
    }

    /// How long it took, where anything came back and that took time.
    pub fn round_trip(&self) -> Option<Micros> {
        let took = self.measured.round_trip_us.filter(|took| took.0 > 0);
        took.filter(|_| self.success().0 > 0)
    }
}

/// The tests that the events of an hour tell of, by their time, teller and name. Nobody but a tester or a collector is
/// heard, and a test of somebody whose on-chain address is not said is nobody's.
pub fn tested(hour: Hour, admitted: &[Admitted<'_>]) -> Vec<Tested> {
    let here = admitted.iter().filter(|claim| hour.holds(claim.counted_ms));
    let mut tests: Vec<Tested> = here.filter_map(|claim| read(claim.event)).collect();
    tests.sort_unstable_by(|one, other| {
        (one.at_ms, one.reporter, &one.id).cmp(&(other.at_ms, other.reporter, &other.id))
    });
    tests
}

fn read(event: &Event) -> Option<Tested> {
    let Body::ProbeObserved(said) = &event.body else { return None };
    let is_outsider = matches!(event.role, Role::Tester | Role::Collector);
    Some(Tested {
        at_ms: event.at_ms,
        id: event.id.clone(),
        measured: measured(said),
        model: event.model.clone(),
        operator: said.orchestrator.recipient.filter(|_| is_outsider)?,
        pipeline: event.pipeline.clone(),
        region: event.region.clone(),
        reporter: event.reporter,
        workload: event.workload?,
    })
}

/// What was measured; what only the test's own members say, from those.
fn measured(said: &Observed) -> Measured {
    let mut measured = said.measured.clone().unwrap_or_default();
    let whole = if said.success { Ppm::ONE } else { Ppm(0) };
    measured.success_ppm = Some(measured.success_ppm.unwrap_or(whole).min(Ppm::ONE));
    let took = said.duration_ms.map(|took| Micros(took.0.saturating_mul(1_000)));
    measured.round_trip_us = measured.round_trip_us.or(took);
    measured
}

/// Which tests.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this model.
    pub model: Option<Model>,
    /// Of this pipeline.
    pub pipeline: Option<Pipeline>,
    /// Made here, in upper case.
    pub region: Option<Region>,
    /// Of transcoding, or of anything else.
    pub transcoding: Option<bool>,
    /// With the model loaded before, or not.
    pub warm: Option<bool>,
}

impl Filter {
    fn passes(&self, test: &Tested) -> bool {
        fn fits<T: PartialEq>(wanted: &Option<T>, value: Option<&T>) -> bool {
            wanted.is_none() || wanted.as_ref() == value
        }
        fits(&self.model, test.model.as_ref())
            && fits(&self.pipeline, test.pipeline.as_ref())
            && fits(&self.region, test.place().as_deref())
            && fits(&self.transcoding, Some(&(test.workload == Workload::Transcoding)))
            && fits(&self.warm, test.measured.warm.as_ref())
    }
}

/// The tests of a span that pass, each once however often it was told, oldest first. Of two that were told differently
/// the one told first holds, so `hours` come newest first.
pub fn select<'a>(
    hours: impl DoubleEndedIterator<Item = &'a [Tested]>,
    span: &RangeInclusive<UnixMillis>,
    filter: &Filter,
) -> Vec<&'a Tested> {
    let mut found = BTreeMap::new();
    let passing = |test: &&Tested| span.contains(&test.at_ms) && filter.passes(test);
    for test in hours.rev().flatten().filter(passing) {
        found.entry((test.at_ms, test.reporter, &test.id)).or_insert(test);
    }
    found.into_values().collect()
}
