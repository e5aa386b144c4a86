//! What nodes sign: batches that verify, link and fit, and who says that they may.

use super::*;

#[test]
fn sealed_batches_verify_link_and_fit() {
    let options = frequent();
    let mut world = World::new(12, options.clone(), START);
    let granted = world.cast().delegations(START, Millis(options.delegation_ms));
    let rights: BTreeMap<_, _> =
        granted.iter().map(|it| (it.delegation.key, &it.delegation)).collect();
    for granted in &granted {
        granted.delegation.verify(&granted.signature).unwrap();
    }
    let said = span(&mut world, HOUR_MS);
    let mut sealers = Sealers::new(world.cast(), 1, Millis(10_000));
    let mut batches: Vec<Batch> = Vec::new();
    let mut pushed = 0;
    for saying in &said {
        batches.extend(sealers.ripe(saying.at_ms).unwrap());
        if let What::Event(event) = &saying.what {
            batches
                .extend(sealers.push(world.cast(), saying.speaker, saying.at_ms, event).unwrap());
            pushed += 1;
        }
    }
    batches.extend(sealers.flush(UnixMillis(START.0 + HOUR_MS)).unwrap());
    let mut tails = BTreeMap::new();
    let mut sealed = 0;
    for batch in &batches {
        batch.verify().unwrap();
        let header = &batch.header;
        match tails.insert(header.key, batch.tail()) {
            Some(before) => batch::check_link(&before, header).unwrap(),
            None => assert_eq!(header.seq, 0),
        }
        let right = rights[&header.key];
        // The first of all is sealed by clocks that may be a little slow; a delegation reaches back far enough.
        assert!(right.covers(header.sealed_ms));
        assert_eq!(wire::decode(&wire::encode(batch).unwrap()).unwrap(), *batch);
        for line in batch.payload.events() {
            let event = events::event::Event::decode(line).unwrap();
            assert_eq!(
                (event.reporter, &event.node, event.role),
                (right.operator, &right.node, right.role)
            );
            assert!(event.at_ms <= header.sealed_ms.plus(Millis(30_000)));
            assert!(header.sealed_ms.minus(Millis(600_000)) <= event.at_ms);
            sealed += 1;
        }
    }
    assert_eq!(sealed, pushed);
    assert!(batches.iter().any(|batch| batch.header.count > 20));
}

#[test]
fn a_commitment_is_sealed_before_any_clock_shows_the_test() {
    let options = Options { faults: Faults::FREQUENT, ..Options::small() };
    let mut world = World::new(17, options.clone(), START);
    // As long a wait as there is: what a round binds must not wait with the rest.
    let mut sealers = Sealers::new(world.cast(), 1, simulator::sealer::MAX_SPAN);
    let cast = std::sync::Arc::clone(world.cast());
    let mut bound: BTreeMap<Digest, UnixMillis> = BTreeMap::new();
    let mut begun: BTreeMap<events::identity::JobId, UnixMillis> = BTreeMap::new();
    let mut shown = Vec::new();
    for saying in span(&mut world, 3 * HOUR_MS) {
        let mut sealed = sealers.ripe(saying.at_ms).unwrap();
        if let What::Event(event) = &saying.what {
            sealed.extend(sealers.push(&cast, saying.speaker, saying.at_ms, event).unwrap());
            if let Some(job) = event.job_id {
                let slowest = event.at_ms.minus(Millis(options.skew_max_ms));
                begun.entry(job).or_insert(slowest);
            }
        }
        for batch in &sealed {
            for line in batch.payload.events() {
                match events::event::Event::decode(line).unwrap().body {
                    Body::ProbeCommitted(said) => {
                        bound.insert(said.commitment, batch.header.sealed_ms);
                    }
                    Body::ProbeRevealed(said) => shown.push((said, batch.header.sealed_ms)),
                    _ => {}
                }
            }
        }
    }
    let mut tests = 0;
    for (revealed, sealed_ms) in shown {
        // Now and then a commitment is lost.
        let Some(bound_ms) = bound.get(&revealed.commitment) else { continue };
        assert!(revealed.opens());
        for first_ms in revealed.jobs.iter().filter_map(|job| begun.get(job)) {
            assert!(bound_ms < first_ms);
            assert!(sealed_ms.0 < (first_ms.0 / HOUR_MS + 1) * HOUR_MS + 900_000);
            tests += 1;
        }
    }
    assert!(tests > 50, "{tests}");
}

#[test]
fn the_controller_says_who_may_speak() {
    let mut world = World::new(13, Options::small(), START);
    let said: Vec<Saying> = world.by_ref().take(200).collect();
    let mut members = 0;
    let mut keys = BTreeSet::new();
    for saying in said {
        match saying.what {
            What::Event(event) if saying.speaker == world.cast().controller => match event.body {
                Body::RosterObserved(member) => {
                    assert_eq!(member.as_of_ms, START);
                    members += 1;
                    assert!(members <= member.count);
                }
                Body::DelegationGranted(granted) => keys.extend([granted.delegation.key]),
                _ => (),
            },
            _ => (),
        }
    }
    assert_eq!(usize::try_from(members).unwrap(), world.cast().roster().len());
    let speaking: BTreeSet<_> = world
        .cast()
        .nodes
        .iter()
        .filter(|node| node.is_speaking)
        .map(|node| node.publisher)
        .collect();
    assert_eq!(keys, speaking);
    let silent = world.cast().nodes.iter().filter(|node| !node.is_speaking);
    assert!(silent.clone().count() > 0 && silent.clone().all(|node| node.role != Role::Gateway));
}

#[test]
fn delegations_are_renewed_before_they_end() {
    let options =
        Options { delegation_ms: 2 * 24 * HOUR_MS, events_per_1000_s: 500, ..Options::small() };
    let mut world = World::new(14, options, START);
    let mut expiry = BTreeMap::new();
    while let Some(saying) = world.next().filter(|saying| saying.at_ms.0 < START.0 + 75 * HOUR_MS) {
        if let What::Event(event) = saying.what {
            if let Body::DelegationGranted(granted) = &event.body {
                expiry.insert(
                    granted.delegation.key,
                    (granted.delegation.serial, granted.delegation.expiry_ms),
                );
            } else if let Some((_, until)) =
                expiry.get(&world.cast().nodes[saying.speaker].publisher)
            {
                assert!(saying.at_ms < *until);
            }
        }
    }
    assert!(expiry.values().all(|(serial, _)| *serial > START.0 + 48 * HOUR_MS - 1));
}
