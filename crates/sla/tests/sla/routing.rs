//! Routing by example: worked questions with answers reckoned by hand, and the policies that are refused.

use events::body::Price;
use events::event::Workload;
use events::identity::{Address, ServiceUrl};
use events::unit::{Millis, Ppm, UnixMillis, Wei};
use sla::route::candidate::{Candidate, Offer, Standing};
use sla::route::choose::{Route, choose};
use sla::route::policy::{BUILT_IN, Freshness, RoutingPolicy};
use sla::route::reason::{Code, Listed};
use sla::route::score_map::{Served, score_map};
use sla::route::turn::Turn;
use sla::route::work::{Asked, Work};
use sla::scorecard::Grade;

/// A routing policy that comes with the software, with lines changed and under a name of its own.
pub fn changed<'a>(id: &str, lines: impl IntoIterator<Item = (&'a str, String)>) -> RoutingPolicy {
    let text = with(id, lines);
    RoutingPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn with<'a>(id: &str, lines: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let text = RoutingPolicy::built_in(id).unwrap().text;
    let mut text: Vec<String> = text.lines().map(str::to_owned).collect();
    let own = [("id", format!("\"{id}-changed\""))];
    for (name, value) in lines.into_iter().chain(own) {
        let start = format!("{name} = ");
        let line = text.iter_mut().find(|line| line.starts_with(&start));
        *line.unwrap_or_else(|| panic!("{name} is no line of {id}")) = format!("{start}{value}");
    }
    text.join("\n")
}

pub fn address(number: u8) -> Address {
    Address([number; 20])
}

pub fn url(number: u8) -> ServiceUrl {
    ServiceUrl::normalise(&format!("https://o{number}.example:8935")).unwrap()
}

/// An orchestrator at a URL of its own with a score over all work.
pub fn scored(number: u8, score: u32, grade: Grade) -> Candidate {
    let standing = Standing {
        work: Work::ALL,
        grade,
        score: (grade != Grade::Insufficient).then_some(Ppm(score)),
        upper: None,
        evidence: 100,
        reason: (grade == Grade::Insufficient).then(|| "12 observations of 20".to_owned()),
    };
    let mut candidate = Candidate::new(address(number), Some(url(number)));
    candidate.standings.push(standing);
    candidate
}

fn newcomer(number: u8) -> Candidate {
    scored(number, 0, Grade::Insufficient)
}

fn offer(model: &str, wei: u128) -> Offer {
    Offer {
        capacity: Some(2),
        model: Some(model.parse().unwrap()),
        pipeline: "text-to-image".parse().unwrap(),
        price: Some(Price { units: 1, wei: Wei(wei) }),
        warm: Some(true),
    }
}

fn listed(route: &Route) -> Vec<(u8, Listed)> {
    route.entries.iter().map(|entry| (entry.operator.0[0], entry.listed)).collect()
}

fn codes(route: &Route, number: u8) -> Vec<Code> {
    let excluded = route.excluded.iter().find(|it| it.operator == address(number));
    excluded.map_or_else(Vec::new, |it| it.reasons.iter().map(|it| it.code).collect())
}

#[test]
fn policies_that_come_with_the_software_can_be_used() {
    for (id, text) in BUILT_IN {
        let policy = RoutingPolicy::parse(text).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!((policy.id.as_str(), policy.text.as_str()), (*id, *text));
        assert_eq!(policy.name().hash, policy.hash);
    }
    assert_eq!(RoutingPolicy::standard().id, "standard-1");
    assert_eq!(RoutingPolicy::built_in("nobody-1"), None);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_line() {
    let refused = |name: &str, value: &str, why: &str| {
        let text = with("standard-1", [(name, value.to_owned())]);
        let at = text.lines().position(|line| line.starts_with(&format!("{name} = "))).unwrap();
        let error = RoutingPolicy::parse(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{name} = {value}: {error}");
        assert!(error.contains(&format!("line {}", at + 1)), "{name} = {value}: {error}");
    };
    refused("period_ms", "5400001", "a divisor of a day");
    refused("period_ms", "1000", "a divisor of a day");
    refused("window", "\"1h\"", "not 24h, 7d or 28d");
    refused("combine", "\"best\"", "best");
    refused("grade_min", "\"insufficient\"", "newcomers");
    refused("grade_min", "\"E\"", "E");
    refused("turns_share_ppm", "1000001", "outside 0 to 1000000");
    refused("value_ppm", "799999", "below the lowest tier's 800000");
    refused("excluded_share_max_ppm", "2000000", "outside 0 to 1000000");
    refused("places_max", "0", "outside 1 to 1000");
    refused("places_per_party_max", "0", "outside 1 to 1000");
    refused("prefer", "[\"LAX\", \"LAX\"]", "twice");
    refused("places_max", "-1", "-1");
    // What is wrong with a tier is told at its head.
    let text = with("standard-1", [("score_min_ppm", "1000001".to_owned())]);
    let heads = (1..).zip(text.lines()).filter(|(_, line)| *line == "[[tier]]");
    let heads: Vec<u32> = heads.map(|(line, _)| line).collect();
    let error = RoutingPolicy::parse(&text).unwrap_err().to_string();
    assert!(error.contains(&format!("line {}: score_min_ppm is 1000001", heads[0])), "{error}");
    let text = with("standard-1", [("score_min_ppm", "800000".to_owned())]);
    let error = RoutingPolicy::parse(&text).unwrap_err().to_string();
    assert!(
        error.contains(&format!("line {}: score_min_ppm is 800000, not below", heads[1])),
        "{error}"
    );
}

#[test]
fn what_is_unknown_missing_or_taken_is_refused() {
    let text = RoutingPolicy::standard().text;
    let why = |text: &str| RoutingPolicy::parse(text).unwrap_err().to_string();
    let changed = text.replace("places_max = 100", "places_max = 99");
    assert!(why(&changed).contains("a changed file needs its own"), "{}", why(&changed));
    let own = text.replace("\"standard-1\"", "\"mine-1\"");
    assert!(RoutingPolicy::parse(&own).is_ok());
    let unknown = own.replace("[list]", "[list]\nplaces = 3");
    assert!(why(&unknown).contains("places"), "{}", why(&unknown));
    let tierless = own.split("[[tier]]").next().unwrap();
    assert!(why(tierless).contains("tier"), "{}", why(tierless));
    assert!(
        why(&format!("{own}\n[[prices.cap]]\nwei = \"1\"\nunits = 0\n")).contains("units is 0")
    );
    assert!(why(&format!("{own}\n[[prices.cap]]\nwei = 1\nunits = 1\n")).contains("line"));
    let cap = "\n[[prices.cap]]\npipeline = \"llm\"\nwei = \"1\"\nunits = 1\n";
    assert!(why(&format!("{own}{cap}{cap}")).contains("two caps"));
    let work = "\n[[scores.work]]\nworkload = \"llm\"\nweight = 0\n";
    assert!(why(&format!("{own}{work}")).contains("weight is 0"));
    assert!(why("").contains("missing field"));
}

#[test]
fn tiers_stand_before_each_other_and_newcomers_after_them() {
    // Of six who could, half may be left out: 960 and 850 reach tiers, 700 does not, and two of three newcomers wait.
    let lines = [("turns_max", "1".to_owned())];
    let policy = changed("standard-1", lines);
    let candidates = [
        scored(1, 850_000, Grade::C),
        scored(2, 700_000, Grade::A),
        scored(3, 960_000, Grade::C),
        newcomer(4),
        newcomer(5),
        newcomer(6),
    ];
    let route = choose(&policy, &Asked::default(), &candidates, Turn(7));
    assert_eq!(route.shares.able, 6);
    assert_eq!(route.shares.listed_min, 3);
    let ours = listed(&route);
    assert_eq!(ours.len(), 3);
    assert_eq!(ours[..2], [(3, Listed::Tier), (1, Listed::Tier)]);
    assert_eq!(ours[2].1, Listed::Newcomer);
    assert_eq!(route.entries[0].tier.as_deref(), Some("proven"));
    assert_eq!(route.entries[1].tier.as_deref(), Some("good"));
    assert_eq!(route.entries[2].score, None);
    assert_eq!(codes(&route, 2), [Code::ScoreBelow]);
    let why = &route.why_not(address(2), Some(&url(2))).unwrap().reasons[0].sentence;
    assert_eq!(why, "its score of 700000 ppm is below 800000 ppm");
    let waiting = (4..=6).find(|number| *number != ours[2].0).unwrap();
    assert_eq!(codes(&route, waiting), [Code::EvidenceInsufficient, Code::QuotaFull]);
    assert_eq!(route.reasons()[&Code::QuotaFull], 2);
}

#[test]
fn the_floor_brings_back_the_least_bad() {
    // Four who could; half may be left out, so two come back: the better two, above the one of too low a grade.
    let candidates = [
        scored(1, 500_000, Grade::A),
        scored(2, 790_000, Grade::A),
        scored(3, 100_000, Grade::A),
        scored(4, 795_000, Grade::A),
    ];
    let route = choose(&RoutingPolicy::standard(), &Asked::default(), &candidates, Turn(0));
    assert_eq!(listed(&route), [(4, Listed::Floor), (2, Listed::Floor)]);
    assert_eq!(route.entries[0].despite[0].code, Code::ScoreBelow);
    assert_eq!(route.entries[0].value, Ppm(800_000));
    assert_eq!(route.entries[0].score, Some(Ppm(795_000)));
    assert_eq!(codes(&route, 1), [Code::ScoreBelow]);
}

#[test]
fn one_party_has_its_places_and_one_url_its_one() {
    let lines = [("places_per_party_max", "2".to_owned())];
    let policy = changed("standard-1", lines);
    let mut candidates: Vec<_> =
        (1..=4).map(|number| scored(number, 990_000 - u32::from(number), Grade::A)).collect();
    for candidate in &mut candidates[..3] {
        candidate.party = address(1);
    }
    // One that left its name behind answers where it did before.
    let mut again = newcomer(9);
    again.url = Some(url(4));
    candidates.push(again);
    let route = choose(&policy, &Asked::default(), &candidates, Turn(3));
    assert_eq!(listed(&route), [(1, Listed::Tier), (2, Listed::Tier), (4, Listed::Tier)]);
    assert_eq!(codes(&route, 3), [Code::ClusterFull]);
    assert_eq!(codes(&route, 9), [Code::UrlShared, Code::EvidenceInsufficient]);
}

#[test]
fn what_a_gateway_cannot_use_never_comes_back() {
    let caps = "\n[[prices.cap]]\npipeline = \"text-to-image\"\nwei = \"100\"\nunits = 1\n\
                [[prices.cap]]\npipeline = \"text-to-image\"\nmodel = \"big\"\nwei = \"500\"\nunits = 2\n";
    let policy = RoutingPolicy::parse(
        &[&with("standard-1", [("broader", "\"all\"".to_owned())]), caps].concat(),
    )
    .unwrap();
    let mut candidates: Vec<_> = (1..=6).map(|number| scored(number, 990_000, Grade::A)).collect();
    candidates[0].offers = vec![offer("small", 100)];
    candidates[1].offers = vec![offer("small", 101)];
    // 500 wei for two units is 250 for one: the cap of the model, not that of its pipeline.
    candidates[2].offers = vec![offer("big", 250)];
    candidates[3].offers = vec![offer("big", 251)];
    candidates[4].offers = vec![Offer { pipeline: "llm".parse().unwrap(), ..offer("small", 1) }];
    candidates[5].offers = vec![offer("small", 1)];
    candidates[5].url = None;
    let asked = |caps: &[&str]| Asked {
        work: caps.iter().map(|cap| Work::from_cap(cap).unwrap()).collect(),
        ..Asked::default()
    };
    let both = asked(&["text-to-image/small", "text-to-image/big"]);
    let route = choose(&policy, &both, &candidates, Turn(0));
    let mut names: Vec<_> = listed(&route).iter().map(|(number, _)| *number).collect();
    names.sort_unstable();
    assert_eq!(names, [1, 3]);
    assert!(codes(&route, 2).contains(&Code::PriceAbove));
    assert!(codes(&route, 4).contains(&Code::PriceAbove));
    assert!(codes(&route, 5).contains(&Code::NoCapability));
    assert!(codes(&route, 6).contains(&Code::NoUrl));
    let above = route.excluded.iter().find(|it| it.operator == address(2)).unwrap();
    assert_eq!(
        above.reasons[0].sentence,
        "it asks 101 wei for 1 units for text-to-image/small, above the cap of 100 wei for 1 units"
    );
    let small = choose(&policy, &asked(&["text-to-image/small"]), &candidates, Turn(0));
    assert!(codes(&small, 3).contains(&Code::NoCapability));
    let cold = Asked { warm: true, ..both };
    candidates[0].offers[0].warm = None;
    assert!(codes(&choose(&policy, &cold, &candidates, Turn(0)), 1).contains(&Code::NotWarm));
}

fn standing(work: Work, score: Option<u32>, grade: Grade) -> Standing {
    Standing { work, grade, score: score.map(Ppm), upper: None, evidence: 1, reason: None }
}

#[test]
fn scores_of_several_works_become_one() {
    let (llm, live) = (Workload::Llm, Workload::LiveVideo);
    let mut candidate = scored(1, 999_999, Grade::A);
    candidate.standings.push(standing(Work::of_workload(llm), Some(900_001), Grade::B));
    candidate.standings.push(standing(Work::of_workload(live), Some(800_000), Grade::C));
    let score = |combine: &str| {
        let work = "\n[[scores.work]]\nworkload = \"llm\"\nweight = 3\n\
                    [[scores.work]]\nworkload = \"live-video\"\n\
                    [[scores.work]]\nworkload = \"byoc\"\nweight = 9\n";
        let text = with("standard-1", [("combine", format!("{combine:?}"))]);
        let policy = RoutingPolicy::parse(&[&text, work].concat()).unwrap();
        let candidates = std::slice::from_ref(&candidate);
        let route = choose(&policy, &Asked::default(), candidates, Turn(0));
        assert_eq!(route.entries[0].grade, Grade::C, "the worse of the two");
        assert_eq!(route.entries[0].rests_on.len(), 2);
        route.entries[0].score.unwrap()
    };
    assert_eq!(score("min"), Ppm(800_000));
    // (900001 + 800000) / 2 and (3 * 900001 + 800000) / 4, rounded down; of BYOC nothing is known, and that is not zero.
    assert_eq!(score("mean"), Ppm(850_000));
    assert_eq!(score("weighted"), Ppm(875_000));
}

#[test]
fn a_score_is_taken_from_broader_work_only_as_far_as_allowed() {
    let (batch, pipeline) = (Some(Workload::AiBatch), Some("text-to-image".parse().unwrap()));
    let of = |model: &str| Work {
        model: Some(model.parse().unwrap()),
        pipeline: pipeline.clone(),
        workload: batch,
    };
    let mut candidate = scored(1, 999_000, Grade::A);
    candidate.offers = vec![offer("small", 1)];
    candidate.standings.push(standing(of("small"), None, Grade::Insufficient));
    let asked =
        Asked { work: vec![Work::from_cap("text-to-image/small").unwrap()], ..Asked::default() };
    let score = |broader: &str, candidate: &Candidate| {
        let policy = changed("standard-1", [("broader", format!("{broader:?}"))]);
        let route = choose(&policy, &asked, std::slice::from_ref(candidate), Turn(0));
        route.entries.first().and_then(|entry| entry.score).map(|score| score.0)
    };
    assert_eq!(score("workload", &candidate), None);
    assert_eq!(score("all", &candidate), Some(999_000));
    candidate.standings.push(standing(
        Work::of_workload(Workload::AiBatch),
        Some(980_000),
        Grade::A,
    ));
    assert_eq!(score("pipeline", &candidate), None);
    assert_eq!(score("workload", &candidate), Some(980_000));
    candidate.standings.push(standing(of("big"), Some(970_000), Grade::A));
    assert_eq!(score("none", &candidate), None);
    assert_eq!(score("pipeline", &candidate), Some(970_000));
}

#[test]
fn grades_regions_and_silence_count() {
    let policy = changed("tiered-1", [("excluded_share_max_ppm", "1000000".to_owned())]);
    let mut candidates = vec![
        scored(1, 990_000, Grade::C),
        scored(2, 960_000, Grade::A),
        scored(3, 990_000, Grade::D),
        scored(4, 990_000, Grade::A),
    ];
    candidates[3].regions.insert("FRA".parse().unwrap());
    let region = |region: &str| Asked { region: Some(region.parse().unwrap()), ..Asked::default() };
    let names = |route: &Route| listed(route).iter().map(|(number, _)| *number).collect::<Vec<_>>();
    let route = choose(&policy, &region("fra"), &candidates, Turn(24));
    assert_eq!(
        names(&route),
        [4, 2, 1],
        "who was seen there stands first, and grade C is no first tier"
    );
    assert_eq!(codes(&route, 3), [Code::GradeBelow]);
    let strict = changed("standard-1", [("elsewhere", "\"exclude\"".to_owned())]);
    let route = choose(&strict, &region("LAX"), &candidates, Turn(24));
    assert_eq!(codes(&route, 4), [Code::RegionOther]);
    assert_eq!(names(&route).len(), 3, "an unknown region is no reason");
    // Turn 24 began at 86 400 000; six hours before that are 64 800 000.
    candidates[0].last_seen = Some(UnixMillis(64_799_999));
    candidates[1].last_seen = Some(UnixMillis(64_800_000));
    let route = choose(&policy, &Asked::default(), &candidates, Turn(24));
    assert_eq!(codes(&route, 1), [Code::NotSeen]);
    assert!(names(&route).contains(&2));
    let asked =
        Asked { grade_min: Some(Grade::B), score_min: Some(Ppm(970_000)), ..Asked::default() };
    let route = choose(&policy, &asked, &candidates, Turn(24));
    assert_eq!(names(&route), [4]);
    assert_eq!(codes(&route, 2), [Code::ScoreBelow]);
}

#[test]
fn old_scores_are_no_answer() {
    let policy = RoutingPolicy::standard();
    let at = |ms| policy.freshness(Some(UnixMillis(ms)), UnixMillis(20_000_000));
    assert_eq!(at(9_200_000), Freshness::Fresh { age_ms: Millis(10_800_000) });
    assert_eq!(at(9_199_999), Freshness::Stale { age_ms: Some(Millis(10_800_001)) });
    assert_eq!(at(20_000_001), Freshness::Fresh { age_ms: Millis(0) });
    assert_eq!(policy.freshness(None, UnixMillis(0)), Freshness::Stale { age_ms: None });
    assert_eq!(policy.turn(UnixMillis(7_200_001)), Turn(2));
    assert_eq!(policy.start(Turn(2)), UnixMillis(7_200_000));
}

#[test]
fn a_score_map_forgets_nobody() {
    let policy = changed("standard-1", [("elsewhere", "\"exclude\"".to_owned())]);
    let mut far = scored(2, 900_000, Grade::A);
    far.regions.insert("fra".parse().unwrap());
    far.url = None;
    let candidates = [scored(1, 990_000, Grade::A), far, scored(3, 300_000, Grade::A), newcomer(4)];
    let served = Served {
        addresses: [address(8)].into(),
        regions: ["LAX".parse().unwrap(), "GLOBAL".parse().unwrap()].into(),
    };
    let map = score_map(&policy, &Asked::default(), &candidates, &served, Turn(0));
    let of = |number: u8| -> Vec<(&str, u32)> {
        map[&address(number)].iter().map(|(region, value)| (region.as_str(), value.0)).collect()
    };
    assert_eq!(map.len(), 5);
    assert_eq!(of(1), [("FRA", 990_000), ("GLOBAL", 990_000), ("LAX", 990_000)]);
    assert_eq!(of(2), [("FRA", 900_000), ("GLOBAL", 900_000), ("LAX", 0)]);
    assert_eq!(of(3), [("FRA", 0), ("GLOBAL", 0), ("LAX", 0)]);
    assert_eq!(of(4), [("FRA", 800_000), ("GLOBAL", 800_000), ("LAX", 800_000)]);
    assert_eq!(of(8), [("FRA", 0), ("GLOBAL", 0), ("LAX", 0)]);
}

#[test]
fn capabilities_are_read_as_clients_write_them() {
    let work = Work::from_cap("text-to-image/maker/model-x").unwrap();
    assert_eq!(work.model.as_ref().unwrap().as_str(), "maker/model-x");
    assert_eq!(work.to_string(), "text-to-image/maker/model-x");
    assert_eq!(Work::from_cap("llm").unwrap().model, None);
    for wrong in ["", "/", "llm/", "/model"] {
        assert!(Work::from_cap(wrong).is_err(), "{wrong:?}");
    }
}
