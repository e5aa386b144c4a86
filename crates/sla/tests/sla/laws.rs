//! The laws of settling, over worlds in which everything goes wrong that can.

use std::collections::BTreeMap;

use events::body::probe::Revealed;
use events::body::{Body, Kind};
use events::event::{Origin, Role, Workload};
use events::identity::{Digest, JobId};
use events::unit::{Ppm, UnixMillis};
use proptest::prelude::*;
use sla::admit::{Admitted, admit};
use sla::authority::Authority;
use sla::hour::{Around, OpenJobs, Settled, is_near, read_jobs};
use sla::join::coverage::Coverage;
use sla::mapping::Mappings;
use sla::opened::Opened;
use sla::probes::{CLOSES_AFTER, Probes};
use sla::rollup::Detail;
use sla::scorecard::canonical_bytes;
use sla::tally::Tally;
use sla::tally::outcome::{Obligation, Outcome};
use sla::window::Hour;

use crate::settling::Question;
use crate::world::{self, Knobs, World};

pub fn knobs() -> impl Strategy<Value = Knobs> {
    let faults = prop_oneof![Just(0u64), 1..400u64];
    (any::<u64>(), 0..10u64, faults, any::<bool>())
        .prop_map(|(seed, jobs, faults, is_crowded)| Knobs { seed, jobs, faults, is_crowded })
}

/// A few worlds for each law; `PROPTEST_CASES` asks for more.
pub fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    if is_asked { config } else { ProptestConfig { cases: 32, ..config } }
}

/// Settles every hour of a world in order, each with the jobs the last one left open.
pub fn each_hour(world: &World, mut look: impl FnMut(&Question<'_>, &Settled)) {
    let policy = crate::policies::any(world.seed);
    let batches = world.batches();
    let mut open = OpenJobs::new();
    for hour in world::hours() {
        let question = Question { hour, open: &open, policy: &policy, trust: &world.trust };
        let settled = question.settle(&batches);
        look(&question, &settled);
        open = settled.open;
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_and_repetition_change_no_byte(knobs in knobs(), order: u64) {
        let mut world = World::new(knobs);
        let mut shuffled: Vec<usize> = (0..world.batches.len()).collect();
        shuffled.extend(0..world.batches.len() / 3);
        world.chance.shuffle(&mut shuffled);
        let by = usize::try_from(order).unwrap_or(0) % shuffled.len().max(1);
        shuffled.rotate_left(by);
        each_hour(&world, |question, settled| {
            let batches: Vec<&Opened> = shuffled.iter().map(|at| &world.batches[*at]).collect();
            assert_eq!(question.bytes(&question.settle(&batches)), question.bytes(settled));
        });
    }

    #[test]
    fn what_is_no_input_changes_no_byte(knobs in knobs()) {
        let mut world = World::new(knobs);
        let strangers = world.strangers();
        each_hour(&world, |question, settled| {
            let mut batches = world.batches();
            batches.extend(&strangers);
            assert_eq!(question.bytes(&question.settle(&batches)), question.bytes(settled));
        });
    }

    #[test]
    fn an_export_is_enough_to_settle_again(knobs in knobs()) {
        let mut world = World::new(knobs);
        let strangers = world.strangers();
        each_hour(&world, |question, settled| {
            let batches = world.batches();
            let exported = question.exported(settled, &batches);
            let again = question.settle(&exported);
            assert_eq!(question.bytes(&again), question.bytes(settled));
            let crowded: Vec<&Opened> = batches.into_iter().chain(&strangers).collect();
            let exported = question.exported(&question.settle(&crowded), &crowded);
            assert_eq!(question.bytes(&question.settle(&exported)), question.bytes(settled));
        });
    }

    #[test]
    fn tallies_of_disjoint_jobs_add_up(knobs in knobs(), split: u8) {
        let world = World::new(knobs);
        let authority = Authority::of(&world.trust, &world.batches);
        each_hour(&world, |question, settled| {
            let parts = [true, false].map(|part| {
                part_tally(question, &world, &authority, |job| (job.0[0] < split) == part)
            });
            let [mut sum, second] = parts;
            let mut other = second.clone();
            other.merge(&sum);
            sum.merge(&second);
            // Links are told by events, whether they are of a job or not.
            let whole = Tally { links: BTreeMap::new(), ..settled.tally.clone() };
            assert_eq!(&sum, &whole);
            assert_eq!(&other, &whole);
        });
    }

    #[test]
    fn grouping_into_batches_changes_no_count(knobs in knobs()) {
        let world = World::new(Knobs { faults: 0, ..knobs });
        let regrouped = world.regrouped();
        let regrouped: Vec<&Opened> = regrouped.iter().collect();
        let policy = crate::policies::any(world.seed);
        let (mut open, mut other_open) = (OpenJobs::new(), OpenJobs::new());
        for hour in world::hours() {
            let trust = &world.trust;
            let question = Question { hour, open: &open, policy: &policy, trust };
            let settled = question.settle(&world.batches());
            let other = Question { open: &other_open, ..question }.settle(&regrouped);
            // Sequence numbers differ, and a revocation names one.
            let has_revoked = world.batches.iter().any(|batch| {
                batch.readable().any(|(_, event)| event.kind() == Kind::DelegationRevoked)
            });
            if has_revoked {
                return Ok(());
            }
            prop_assert_eq!(&settled.tally, &other.tally);
            (open, other_open) = (settled.open, other.open);
        }
    }

    #[test]
    fn each_obligation_counts_in_one_hour(knobs in knobs()) {
        // With several tellers an hour may hear of a better one than the hour before did.
        let world = World::new(Knobs { is_crowded: false, ..knobs });
        let mut counted: BTreeMap<Tenure, BTreeMap<Obligation, u64>> = BTreeMap::new();
        let mut quality: BTreeMap<(Tenure, Hour), u64> = BTreeMap::new();
        let mut last = None;
        each_hour(&world, |question, settled| {
            for fact in &settled.jobs {
                for tenure in &fact.tenures {
                    let who = (fact.job_id, tenure.start_ms, format!("{:?}", tenure.orchestrator.url));
                    for owed in &tenure.owed {
                        assert!(question.hour.holds(owed.due_ms));
                        assert!(owed.due_ms >= tenure.start_ms);
                        *counted.entry(who.clone()).or_default().entry(owed.obligation).or_default() += 1;
                        if owed.obligation == Obligation::Quality {
                            *quality.entry((who.clone(), question.hour)).or_default() += 1;
                        }
                    }
                    if !tenure.self_told && fact.class.workload == Workload::LiveVideo {
                        counted.entry(who).or_default();
                    }
                }
            }
            last = Some(settled.open.len());
        });
        prop_assert_eq!(last, Some(0), "everything ends");
        for (who, times) in counted {
            let of = |obligation| times.get(&obligation).copied().unwrap_or(0);
            for obligation in [Obligation::Start, Obligation::Output, Obligation::Latency, Obligation::Ending, Obligation::Stay] {
                prop_assert!(of(obligation) <= 1, "{:?} {} {:?}", who, obligation, times);
            }
            if of(Obligation::Start) > 0 || times.is_empty() {
                prop_assert_eq!(of(Obligation::Output), of(Obligation::Start), "{:?} {:?}", &who, &times);
                prop_assert_eq!(of(Obligation::Latency), of(Obligation::Start), "{:?} {:?}", &who, &times);
            }
            if of(Obligation::Start) + of(Obligation::Quality) > 0 {
                // Who is swapped out answers for that, and where swaps are judged apart for no ending.
                prop_assert_eq!(of(Obligation::Ending).max(of(Obligation::Stay)), 1, "{:?} {:?}", who, times);
            }
        }
        for ((who, hour), times) in quality {
            prop_assert_eq!(times, 1, "{:?} {}", who, hour);
        }
    }

    #[test]
    fn scores_stay_in_range_and_unknown_is_no_number(knobs in knobs()) {
        let world = World::new(knobs);
        each_hour(&world, |question, settled| {
            let scorecard = question.score(settled);
            for scored in &scorecard.results {
                assert!(scored.score.is_none_or(|score| score <= Ppm::ONE));
                assert_eq!(scored.score.is_none(), scored.reason.is_some());
                let shares = scored.indicators.iter().filter_map(|indicator| indicator.share);
                assert!(shares.into_iter().all(|share| share <= Ppm::ONE));
                if let Some(operator) = scored.operator {
                    assert!(!scored.sources.contains(&operator), "nobody vouches for itself");
                }
            }
            let read: sla::scorecard::Scorecard = serde_json::from_slice(&scorecard.bytes()).unwrap();
            assert_eq!(read, scorecard);
            let tally: Tally = serde_json::from_slice(&canonical_bytes(&settled.tally)).unwrap();
            assert_eq!(tally, settled.tally);
        });
    }

    #[test]
    fn saying_less_of_oneself_gains_nothing(knobs in knobs(), kept: u8) {
        let world = World::new(knobs);
        let all = outcomes(&world);
        let mut silent = World::new(knobs);
        let keys = world::ORCHESTRATORS.map(|place| silent.people[place].key);
        for batch in silent.batches.iter_mut().filter(|batch| keys.contains(&batch.header.key)) {
            batch.events.retain(|opened| {
                let is_about_job = opened.event.as_ref().is_ok_and(|event| event.job_id.is_some());
                !is_about_job || opened.hash.0[0] < kept
            });
        }
        let less = outcomes(&silent);
        prop_assert_eq!(all.len(), less.len());
        for (what, outcome) in all {
            let without = less[&what];
            let is_same = outcome == without;
            let was_disputed = outcome == Outcome::Disputed && without == Outcome::Bad;
            prop_assert!(is_same || was_disputed, "{:?}: {:?}, {:?}", what, outcome, without);
        }
    }

    #[test]
    fn a_test_was_bound_before_it_was_told_and_shown_before_the_hour_closed(knobs in knobs()) {
        let world = World::new(knobs);
        let authority = Authority::of(&world.trust, &world.batches);
        each_hour(&world, |question, settled| {
            let (hour, trust) = (question.hour, question.trust);
            let claims = admit(&authority, &world.batches, |_, _| true).admitted;
            let by_tester = |claim: &&Admitted<'_>| {
                claim.event.role == Role::Tester && trust.names(Role::Tester, claim.event.reporter)
            };
            let said: Vec<&Admitted<'_>> = claims.iter().filter(by_tester).collect();
            for fact in settled.jobs.iter().filter(|fact| fact.origin == Origin::Probe) {
                let told = claims.iter().filter(|claim| claim.event.job_id == Some(fact.job_id));
                let last_ms = told.map(|claim| claim.counted_ms).max().unwrap();
                let bound_before = |tester, shown: &Revealed| said.iter().any(|claim| {
                    matches!(&claim.event.body, Body::ProbeCommitted(bound) if shown.answers(bound))
                        && claim.event.reporter == tester
                        && claim.sealed_ms < last_ms
                });
                assert!(said.iter().any(|claim| match &claim.event.body {
                    Body::ProbeRevealed(shown) => {
                        shown.jobs.contains(&fact.job_id)
                            && claim.sealed_ms < hour.end().plus(CLOSES_AFTER)
                            && bound_before(claim.event.reporter, shown)
                    }
                    _ => false,
                }));
            }
        });
    }

    #[test]
    fn being_a_test_changes_no_result(knobs in knobs()) {
        let world = World::new(knobs);
        let mut unbound = World::new(knobs);
        for batch in &mut unbound.batches {
            for event in batch.events.iter_mut().filter_map(|opened| opened.event.as_mut().ok()) {
                if let Body::ProbeRevealed(shown) = &mut event.body {
                    shown.nonce = Digest([9; 32]);
                }
            }
        }
        let mut results = Vec::new();
        each_hour(&world, |question, settled| results.push(question.score(settled).results));
        let mut all = results.into_iter();
        each_hour(&unbound, |question, settled| {
            assert!(settled.jobs.iter().all(|fact| fact.origin == Origin::Organic));
            assert_eq!(Some(question.score(settled).results), all.next());
        });
    }

    #[test]
    fn merging_has_no_order(seeds: [u64; 3]) {
        let tallies = seeds.map(|seed| {
            let world = World::new(Knobs { seed, jobs: 4, faults: 50, is_crowded: true });
            let mut sum = Tally::default();
            each_hour(&world, |_, settled| sum.merge(&settled.tally));
            sum
        });
        let [one, two, three] = &tallies;
        let merged = |order: [&Tally; 3]| {
            let mut sum = Tally::default();
            order.into_iter().for_each(|tally| sum.merge(tally));
            sum
        };
        let mut right = two.clone();
        right.merge(three);
        let mut nested = one.clone();
        nested.merge(&right);
        prop_assert_eq!(&merged([one, two, three]), &nested);
        prop_assert_eq!(&merged([three, one, two]), &nested);
        prop_assert_eq!(&merged([two, three, one]), &nested);
    }
}

/// What came of each obligation of each tenure that others told of.
fn outcomes(world: &World) -> BTreeMap<(Tenure, Obligation, UnixMillis, usize), Outcome> {
    let mut outcomes = BTreeMap::new();
    each_hour(world, |_, settled| {
        for fact in &settled.jobs {
            let told = fact.tenures.iter().filter(|tenure| !tenure.self_told);
            for (place, tenure) in told.enumerate() {
                let who = (fact.job_id, tenure.start_ms, format!("{:?}", tenure.orchestrator.url));
                for owed in &tenure.owed {
                    let what = (who.clone(), owed.obligation, owed.due_ms, place);
                    outcomes.insert(what, owed.outcome);
                }
            }
        }
    });
    outcomes
}

/// A tenure by its job, beginning and place.
type Tenure = (JobId, UnixMillis, String);

/// The tally of the jobs that `wanted` picks.
fn part_tally(
    question: &Question<'_>,
    world: &World,
    authority: &Authority,
    wanted: impl Fn(JobId) -> bool,
) -> Tally {
    let Question { hour, open, policy, .. } = *question;
    let claims = admit(authority, &world.batches, |counted_ms, event| {
        let is_carried = |job| open.get(&job).is_some_and(|since| *since <= counted_ms);
        hour.holds(counted_ms) || counted_ms < hour.start() && event.job_id.is_some_and(is_carried)
    });
    let is_wanted = |claim: &Admitted<'_>| claim.event.job_id.is_some_and(&wanted);
    let near = world.batches.iter().filter(|batch| is_near(hour, batch.header.sealed_ms));
    let coverage = Coverage::of(
        near.filter(|batch| authority.check_batch(batch).is_ok() && authority.hears(batch)),
    );
    let mappings = Mappings::of(hour, &world.batches, authority);
    let claims = claims.admitted.into_iter().filter(is_wanted);
    let probes = Probes::of(hour, &world.batches, authority);
    let around = Around { coverage: &coverage, mappings: &mappings, probes: &probes };
    read_jobs(hour, hour.end(), claims, around, &policy.observe, Detail::Hour).tally
}
