//! What each list and item gives, over records that are known.

use serde_json::{Value, json};
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::world::World;

const HOUR: &str = "2026-01-08T21Z";

fn items(answer: &Value) -> &Vec<Value> {
    answer["items"].as_array().unwrap()
}

/// Every null has a reason, and every reason stands by a null.
pub fn explained(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(explained),
        Value::Object(members) => {
            if let Some(reasons) = members.get("reasons") {
                let reasons = reasons.as_object().unwrap();
                for (name, member) in members {
                    let is_known = !member.is_null() || name == "next";
                    assert_eq!(is_known, !reasons.contains_key(name), "{name} of {value}");
                }
            } else {
                let nulls =
                    members.iter().filter(|(name, member)| member.is_null() && *name != "next");
                assert_eq!(nulls.count(), 0, "{value}");
            }
            // An event is as its reporter wrote it, a scorecard as it was digested.
            let ours =
                members.iter().filter(|(name, _)| !["event", "scorecard"].contains(&name.as_str()));
            ours.for_each(|(_, member)| explained(member));
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_null_has_a_reason() {
    let world = World::settled();
    let operator = sample::operator(0);
    let job = sample::job_id(1);
    for path in [
        "/v1/orchestrators".to_owned(),
        format!("/v1/orchestrators/{operator}"),
        "/v1/scores".to_owned(),
        "/v1/scores?window=2026-01-08T22Z".to_owned(),
        "/v1/scores?window=2026-01-08T21Z/7d".to_owned(),
        format!("/v1/windows/{HOUR}%2F7d"),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{job}"),
        "/v1/windows".to_owned(),
        format!("/v1/windows/{HOUR}"),
        "/v1/windows/2026-01-08T22Z".to_owned(),
        "/v1/publishers".to_owned(),
        "/v1/refusals".to_owned(),
        "/healthz".to_owned(),
    ] {
        explained(&world.json(&path).await);
    }
    explained(&World::empty().json("/v1/scores").await);
}

#[tokio::test]
async fn scores_are_those_of_the_latest_settled_hour() {
    let world = World::settled();
    let answer = world.json("/v1/scores?limit=500").await;
    let digest = sample::scorecard(sample::NETWORK, sample::HOUR, 60).digest();
    assert_eq!(answer["window"], HOUR);
    assert_eq!(answer["window_chosen"], "latest_settled");
    assert_eq!((&answer["revision"], &answer["provisional"]), (&json!(1), &json!(false)));
    assert_eq!(answer["digest"], digest.to_string());
    assert_eq!(
        items(&answer).len(),
        16,
        "an overall result and three kinds of work for four operators"
    );
    let known = items(&answer).iter().find(|item| item["grade"] == "B").unwrap();
    assert_eq!(known["score_ppm"], 900_000);
    assert_eq!(known["indicators"][0]["counts"]["good"], 9);
    let unknown = items(&answer).iter().find(|item| item["grade"] == "insufficient").unwrap();
    assert!(unknown["score_ppm"].is_null());
    assert!(unknown["reasons"]["score_ppm"].as_str().unwrap().contains("9 obligations known"));
}

#[tokio::test]
async fn provisional_scores_say_so_and_have_no_digest() {
    let world = World::settled();
    let answer = world.json("/v1/scores?window=2026-01-08T22Z").await;
    assert_eq!(answer["provisional"], true);
    assert_eq!(answer["window_chosen"], "asked");
    assert!(answer["digest"].is_null() && answer["revision"].is_null());
    assert!(items(&answer).iter().all(|item| item["provisional"] == true));
    assert!(!items(&answer).is_empty());
}

#[tokio::test]
async fn scores_before_any_hour_has_settled_are_unknown_not_zero() {
    let answer = World::empty().json("/v1/scores").await;
    assert!(answer["window"].is_null() && items(&answer).is_empty());
    assert!(answer["reasons"]["window"].as_str().unwrap().contains("no hour has settled"));
}

#[tokio::test]
async fn score_filters_let_pass_what_they_name() {
    let world = World::settled();
    let operator = sample::operator(2).to_string();
    for (query, count) in [
        (format!("operator={operator}"), 4),
        ("overall=true".to_owned(), 4),
        ("overall=false".to_owned(), 12),
        ("workload=ai-batch".to_owned(), 4),
        ("pipeline=text-to-image&model=sd-turbo".to_owned(), 4),
        ("grade=B".to_owned(), 8),
        (format!("grade=insufficient&operator={operator}"), 0),
        (format!("window={HOUR}&model=sd-turbo&operator={operator}"), 1),
    ] {
        let answer = world.json(&format!("/v1/scores?{query}")).await;
        assert_eq!(items(&answer).len(), count, "{query}");
    }
}

#[tokio::test]
async fn orchestrators_are_listed_and_found() {
    let world = World::settled();
    let answer = world.json("/v1/orchestrators").await;
    assert_eq!(items(&answer).len(), 4);
    for item in items(&answer) {
        let address = item["operator"].as_str().unwrap();
        let detail = world.json(&format!("/v1/orchestrators/{address}")).await;
        assert_eq!(&detail["orchestrator"], item);
        assert_eq!(detail["scores"].as_array().unwrap().len(), 4);
        assert!(
            detail["scores"].as_array().unwrap().iter().all(|score| score["operator"] == address)
        );
    }
    let latest = &items(&answer)[0]["latest"];
    assert_eq!((&latest["window"], &latest["revision"]), (&json!(HOUR), &json!(1)));
}

#[tokio::test]
async fn an_orchestrator_known_by_its_signer_alone_is_found_by_it() {
    let world = World::empty();
    let mut record = sample::record(sample::NETWORK, sample::HOUR, 0, 1);
    let tenure = &mut record.jobs[0].tenures[0];
    tenure.operator = None;
    let signer = tenure.orchestrator.signer.unwrap();
    world.warehouse.record_hour(&record).unwrap();
    let detail = world.json(&format!("/v1/orchestrators/{signer}")).await;
    assert_eq!(detail["orchestrator"]["signer"], signer.to_string());
    assert!(detail["orchestrator"]["operator"].is_null());
    explained(&detail);
}

#[tokio::test]
async fn windows_tell_revisions_and_states() {
    let world = World::settled();
    let answer = world.json("/v1/windows").await;
    let states: Vec<_> =
        items(&answer).iter().map(|item| (&item["window"], &item["state"])).collect();
    assert_eq!(
        states,
        [(&json!("2026-01-08T22Z"), &json!("open")), (&json!(HOUR), &json!("settled"))]
    );
    let settled = &items(&answer)[1];
    assert_eq!(settled["revisions"].as_array().unwrap().len(), 2);
    assert_eq!(settled["latest"], settled["revisions"][1]);
    assert_eq!((&settled["latest"]["events"], &settled["jobs"]), (&json!(60), &json!(60)));
    world.now_ms.fetch_add(3_600_000, std::sync::atomic::Ordering::SeqCst);
    let answer = world.json("/v1/windows").await;
    assert_eq!(items(&answer)[0]["state"], "provisional");
}

#[tokio::test]
async fn a_scorecard_is_sent_byte_for_byte() {
    let world = World::settled();
    for (query, jobs, revision) in [("", 60, 1), ("?revision=0", 50, 0), ("?revision=1", 60, 1)] {
        let card = sample::scorecard(sample::NETWORK, sample::HOUR, jobs);
        let answer = world.get(&format!("/v1/windows/{HOUR}{query}")).await;
        let bytes = String::from_utf8(card.bytes()).unwrap();
        assert!(answer.text().contains(&format!("\"scorecard\":{bytes},")), "{query}");
        let detail = answer.json();
        assert_eq!(detail["digest"], card.digest().to_string());
        assert_eq!(detail["revision"], revision);
        assert_eq!(detail["state"], "settled");
        assert_eq!(detail["refusals"].as_array().unwrap().len(), 2);
        assert_eq!(detail["revisions"].as_array().unwrap().len(), 2);
    }
    let open = world.json("/v1/windows/2026-01-08T22Z").await;
    assert_eq!((&open["provisional"], &open["state"]), (&json!(true), &json!("open")));
    assert!(open["digest"].is_null() && open["scorecard"].is_object());
}

#[tokio::test]
async fn publishers_show_gaps_and_refusals() {
    let world = World::settled();
    let answer = world.json("/v1/publishers").await;
    assert_eq!(items(&answer).len(), 5);
    let refused =
        items(&answer).iter().find(|item| item["publisher"] == sample::key(0).to_string()).unwrap();
    assert_eq!(refused["refusals"], json!({"E-EVENT-DUPLICATE": 60}));
    assert_eq!(
        refused["gaps"],
        json!([{"from_seq": 2, "to_seq": 4}, {"from_seq": 6, "to_seq": 6}])
    );
    assert_eq!(refused["head"]["seq"], 12);
    assert_eq!(refused["evidence"], "signed");
    let mut collector = sample::publisher(sample::NETWORK, 9, 1);
    collector.collected = true;
    world.warehouse.record_publishers(&[collector]).unwrap();
    world.a_second_passes();
    let answer = world.json("/v1/publishers").await;
    assert_eq!(items(&answer).iter().filter(|item| item["evidence"] == "collected").count(), 1);
}

#[tokio::test]
async fn refusals_list_every_code_with_its_meaning() {
    let world = World::settled();
    let answer = world.json("/v1/refusals").await;
    assert_eq!(items(&answer).len(), events::refusal::Defect::ALL.len());
    let of = |code: &str| items(&answer).iter().find(|item| item["code"] == code).unwrap().clone();
    assert_eq!(of("E-EVENT-DUPLICATE")["count"], 60);
    assert_eq!(of("E-EVENT-DUPLICATE")["places"][0]["place"], "settle");
    assert_eq!(of("E-EVENT-DUPLICATE")["places"][0]["first"], HOUR);
    assert_eq!(of("E-BATCH-ROOT")["count"], 0);
    assert!(of("E-BATCH-ROOT")["remedy"].as_str().unwrap().len() > 10);
    let of_one = world.json(&format!("/v1/refusals?publisher={}", sample::key(1))).await;
    let count: u64 = items(&of_one).iter().filter_map(|item| item["count"].as_u64()).sum();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_a_node_refused_itself_is_counted_where_it_runs_and_unknown_elsewhere() {
    let world = World::settled();
    let answer = async |query: &str, code: &str| {
        let answer = world.json(&format!("/v1/refusals{query}")).await;
        items(&answer).iter().find(|item| item["code"] == code).unwrap().clone()
    };
    let time = answer("", "E-ENVELOPE-TIME").await;
    assert_eq!((&time["count"], &time["places"][0]["place"]), (&json!(4), &json!("node")));
    assert_eq!(time["places"][0]["first"], Value::Null);
    assert!(time["places"][0]["reasons"]["first"].is_string());
    assert_eq!(answer("", "E-SUBTYPE-UNKNOWN").await["count"], 0, "the node heard none");
    assert_eq!(answer("", "E-EVENT-TOO-LARGE").await["count"], 2);
    let own = format!("?publisher={}", sample::key(3));
    assert_eq!(answer(&own, "E-ENVELOPE-TIME").await["count"], 4);
    // Nobody of these runs here, so what they refused is not known, which is not zero.
    for elsewhere in ["?network=livepeer".to_owned(), format!("?publisher={}", sample::key(1))] {
        for code in ["E-ENVELOPE-TIME", "E-SUBTYPE-UNKNOWN", "E-INPUT-TOO-LARGE"] {
            let unknown = answer(&elsewhere, code).await;
            assert_eq!(unknown["count"], Value::Null, "{elsewhere} {code}");
            assert!(unknown["reasons"]["count"].as_str().unwrap().contains("/metrics"));
        }
        assert_eq!(answer(&elsewhere, "E-EVENT-KIND").await["count"], 0);
    }
}

#[tokio::test]
async fn networks_never_mix() {
    let world = World::settled();
    for path in ["/v1/orchestrators", "/v1/jobs", "/v1/windows", "/v1/publishers", "/v1/scores"] {
        let own = world.json(&format!("{path}?network=simulation")).await;
        assert_eq!(own, world.json(path).await, "{path}");
        assert_eq!(own["network"], "simulation");
        let other = world.json(&format!("{path}?network=livepeer")).await;
        assert_eq!((items(&other).len(), &other["network"]), (0, &json!("livepeer")), "{path}");
    }
    let job = world.get(&format!("/v1/jobs/{}?network=livepeer", sample::job_id(1))).await;
    assert_eq!(job.problem(), "E-API-ABSENT");
}

#[tokio::test]
async fn a_longer_window_is_listed_and_read_like_an_hour() {
    let world = World::settled();
    let week = sample::window_record(sample::NETWORK, sample::HOUR, sla::window::Span::Week, 7);
    let (name, digest) = (format!("{HOUR}/7d"), week.scorecard.digest().to_string());
    let listed = world.json("/v1/windows").await;
    let hour = items(&listed).iter().find(|item| item["window"] == HOUR).unwrap();
    let expected = json!([{ "window": name, "digest": digest, "made_ms": week.made_ms }]);
    assert_eq!(hour["spans"], expected);
    let read = world.json(&format!("/v1/windows/{HOUR}%2F7d")).await;
    assert_eq!((&read["window"], &read["digest"]), (&json!(name), &json!(digest)));
    assert_eq!(read["scorecard"]["basis"]["hours"].as_array().unwrap().len(), 7 * 24);
    assert_eq!((&read["revision"], &read["provisional"]), (&json!(0), &json!(false)));

    let all = world.json(&format!("/v1/scores?window={name}&limit=500")).await;
    assert_eq!((&all["window"], &all["digest"]), (&json!(name), &json!(digest)));
    assert_eq!(items(&all).len(), 16);
    assert!(items(&all).iter().all(|item| item["window"] == name));
    let known = items(&all).iter().find(|item| item["grade"] == "B").unwrap();
    assert_eq!(known["upper_ppm"], 950_000);
    assert!(known["excluded"]["young"].is_u64());
    let first = world.json(&format!("/v1/scores?window={name}&limit=9")).await;
    let next = first["next"].as_str().unwrap();
    let rest = world.json(&format!("/v1/scores?window={name}&limit=9&cursor={next}")).await;
    assert_eq!([&items(&first)[..], &items(&rest)[..]].concat(), *items(&all));
}
