//! Who really had each job, against whom the play's envelopes and statements name once they are translated.

use std::collections::{BTreeMap, BTreeSet};

use events::event::{Event, Network, Role, Workload};
use events::identity::JobId;
use publisher::pseudonym::PseudonymKey;
use publisher::translate::{Speaker, translate};
use simulator::options::{Faults, Options};
use simulator::world::{What, World};

use super::world::THEN;

/// What was said in two hours, as events, and who really had the jobs.
fn play() -> (World, Vec<Event>, BTreeMap<JobId, BTreeSet<usize>>) {
    let options = Options { faults: Faults::FREQUENT, ..Options::small() };
    let mut world = World::new(21, options, THEN);
    let (mut events, mut truth) = (Vec::new(), BTreeMap::<JobId, BTreeSet<usize>>::new());
    while world.next_ms().0 < THEN.0 + 2 * 3_600_000 {
        let Some(saying) = world.next() else { break };
        let node = &world.cast().nodes[saying.speaker];
        match saying.what {
            What::Event(event) => events.push(*event),
            What::Envelope(bytes) | What::Transcode(bytes) => {
                let speaker = Speaker {
                    network: Network::Simulation,
                    reporter: node.operator,
                    role: Role::Gateway,
                    node: node.id.clone(),
                    pseudonyms: PseudonymKey::of(&node.secret),
                    region: None,
                };
                events.extend(translate(&bytes, &speaker, saying.at_ms).events);
            }
        }
    }
    for true_one in world.truth() {
        truth.entry(true_one.job_id).or_default().extend(true_one.orchestrator);
    }
    (world, events, truth)
}

/// Everybody an event names as the orchestrator: recipient, signer and URL, each as text.
fn named(value: &serde_json::Value, found: &mut Vec<[Option<String>; 3]>) {
    let Some(object) = value.as_object() else { return };
    for (name, member) in object {
        if name == "orchestrator" && member.is_object() {
            let text = |name: &str| member[name].as_str().map(ToOwned::to_owned);
            found.push([text("recipient"), text("signer"), text("url")]);
        }
        named(member, found);
    }
}

#[test]
fn every_kind_of_job_names_the_operator_that_really_had_it() {
    let (world, events, truth) = play();
    let cast = world.cast();
    let mut seen: BTreeMap<(Workload, &'static str), u64> = BTreeMap::new();
    for event in &events {
        let value: serde_json::Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        let mut parties = Vec::new();
        named(&value, &mut parties);
        for [recipient, signer, url] in parties {
            // All the names are one orchestrator's.
            let is_named = |place: &usize| {
                let known = &cast.orchestrators[*place];
                recipient.as_ref().is_none_or(|name| *name == known.recipient.to_string())
                    && signer.as_ref().is_none_or(|name| *name == known.signer.to_string())
                    && url.as_ref().is_none_or(|name| *name == known.url.to_string())
            };
            let places: BTreeSet<usize> = (0..cast.orchestrators.len()).filter(is_named).collect();
            assert!(!places.is_empty(), "nobody is called that: {value}");
            let (Some(job), Some(workload)) = (event.job_id, event.workload) else { continue };
            let Some(really) = truth.get(&job).filter(|really| !really.is_empty()) else {
                continue;
            };
            assert!(!places.is_disjoint(really), "{places:?} instead of {really:?}: {value}");
            *seen
                .entry((workload, if recipient.is_some() { "recipient" } else { "signer" }))
                .or_default() += 1;
        }
    }
    for workload in [
        Workload::LiveVideo,
        Workload::AiBatch,
        Workload::Llm,
        Workload::Byoc,
        Workload::Transcoding,
    ] {
        let count: u64 = seen.iter().filter(|((of, _), _)| *of == workload).map(|(_, n)| n).sum();
        assert!(count > 20, "{workload}: {seen:?}");
    }
    assert!(seen.contains_key(&(Workload::Byoc, "recipient")), "payments name it: {seen:?}");
}
