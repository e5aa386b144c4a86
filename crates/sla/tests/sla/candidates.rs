//! Candidates of a routing question, as they are gathered from a scorecard and from offers.

use events::event::{Network, Role, Workload};
use events::identity::Digest;
use events::unit::{Ppm, UnixMillis};
use sla::route::candidate::known;
use sla::score::cluster::Cluster;
use sla::scorecard::{
    Basis, Excluded, FORMAT, Grade, PolicyName, Scorecard, Scored, WorkloadScore,
};
use sla::supply::{Word, offered};
use sla::tally::cell::WorkClass;

use crate::routing::{address, url};

fn result(number: u8, class: Option<WorkClass>, score: u32) -> Scored {
    let workload = class.is_none().then(|| WorkloadScore {
        components: Vec::new(),
        evidence: 40,
        grade: Grade::B,
        reason: None,
        score: Some(Ppm(score - 1)),
        upper: None,
        workload: Workload::Llm,
    });
    Scored {
        class,
        components: Vec::new(),
        excluded: Excluded::default(),
        grade: Grade::B,
        indicators: Vec::new(),
        operator: Some(address(number)),
        reason: None,
        score: Some(Ppm(score)),
        signer: None,
        sources: Vec::new(),
        tenures: 40,
        upper: None,
        urls: if number == 3 { Vec::new() } else { vec![url(number)] },
        workloads: workload.into_iter().collect(),
    }
}

#[test]
fn candidates_are_whoever_a_scorecard_or_an_offer_tells_of() {
    let bare = |workload| WorkClass { model: None, pipeline: None, workload };
    let card = Scorecard {
        agreements: Vec::new(),
        basis: Basis::Hours(Vec::new()),
        clusters: vec![Cluster { edges: Vec::new(), members: vec![address(1), address(4)] }],
        context: Digest::ZERO,
        format: FORMAT.to_owned(),
        network: Network::Simulation,
        policy: PolicyName { hash: Digest::ZERO, id: "any".to_owned() },
        results: vec![
            result(1, None, 900_000),
            result(1, Some(bare(Workload::Llm)), 100_000),
            result(3, Some(bare(Workload::Transcoding)), 950_000),
        ],
        standing: None,
        trust: Digest::ZERO,
        window: "2026-01-08T21Z/7d".parse().unwrap(),
    };
    let supply = |number: u8, at: u8, region: &str| Word {
        at_ms: UnixMillis(u64::from(at)),
        gpus: Vec::new(),
        offers: vec![events::body::capability::Offer {
            capacity: Some(2),
            in_use: None,
            model: None,
            pipeline: "llm".parse().unwrap(),
            price: None,
            runner_version: None,
            warm: Some(false),
        }],
        omitted: None,
        operator: address(number),
        price: None,
        region: Some(region.parse().unwrap()),
        reporter: region.bytes().next().map(address).unwrap(),
        role: Role::Gateway,
        signer: None,
        url: url(at),
        version: None,
    };
    let told = [supply(4, 4, "FRA"), supply(1, 9, "LAX"), supply(1, 9, "FRA")];
    let told = offered(&told);
    let found = known(Some(&card), &told);
    let names: Vec<_> = found.iter().map(|it| (it.operator.0[0], it.url.clone())).collect();
    assert_eq!(names, [(1, Some(url(1))), (1, Some(url(9))), (3, None), (4, Some(url(4)))]);
    assert_eq!(found[1].standings, found[0].standings);
    assert_eq!((found[1].regions.len(), found[1].offers.len()), (2, 1));
    assert_eq!(found[1].last_seen, Some(UnixMillis(9)));
    assert_eq!(found.iter().map(|it| it.party.0[0]).collect::<Vec<_>>(), [1, 1, 3, 1]);
    assert!(found[3].standings.is_empty());
    // What nobody named is no score of its workload, but for work that has no names.
    let scores = |at: usize| -> Vec<_> {
        found[at].standings.iter().map(|it| (it.work.to_string(), it.score.unwrap().0)).collect()
    };
    assert_eq!(scores(0), [("all work".to_owned(), 900_000), ("llm".to_owned(), 899_999)]);
    assert_eq!(scores(2), [("transcoding".to_owned(), 950_000)]);
    let unscored = known(None, &told);
    assert_eq!(unscored.len(), 2);
    assert!(unscored.iter().all(|it| it.standings.is_empty() && it.party == it.operator));
}
