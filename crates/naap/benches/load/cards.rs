//! Scorecards as an hour or a longer window would have them. Nothing is reckoned: sizes and shapes are those of the real.

use events::event::Workload;
use events::identity::Digest;
use events::unit::Ppm;
use sla::scorecard::{
    Basis, Component, Excluded, FORMAT, Grade, Indicator, PolicyName, Scorecard, Scored,
    SourceView, WorkloadScore,
};
use sla::tally::cell::WorkClass;
use sla::tally::outcome::{Counts, Obligation};
use sla::window::Window;

use crate::drive::scatter;
use crate::network::{NETWORK, Shape, class, gateway, operator, url};

fn component(drawn: u64, name: &str, weight: u32) -> Component {
    let lower = Ppm(u32::try_from(800_000 + drawn % 190_000).unwrap());
    let source = |number: u64| SourceView {
        bad: drawn % 7,
        counts: true,
        disputed: 0,
        good: 300 + drawn % 500,
        observations: 200 + drawn % 300,
        sharers: None,
        source: gateway(number),
    };
    Component {
        decides: Some(gateway(drawn % 5)),
        effect_ppm: Some(1_200_000),
        evidence: Some(300),
        failures: Some(3),
        lower: Some(lower),
        name: name.to_owned(),
        rate: Some(Ppm((lower.0 + 5_000).min(1_000_000))),
        sources: (0..5).map(source).collect(),
        upper: Some(Ppm(1_000_000)),
        weight,
    }
}

fn scored(shape: &Shape, orchestrator: u64, class: Option<WorkClass>, drawn: u64) -> Scored {
    let components = vec![component(drawn, "reliability", 10), component(drawn / 3, "latency", 6)];
    let score = components[0].lower;
    let workloads =
        [Workload::LiveVideo, Workload::AiBatch, Workload::Llm].map(|workload| WorkloadScore {
            components: components.clone(),
            evidence: 300,
            grade: Grade::A,
            reason: None,
            score,
            upper: Some(Ppm(1_000_000)),
            workload,
        });
    let indicator = |obligation: &Obligation| Indicator {
        counts: Counts { good: 900, bad: 3, ..Counts::default() },
        obligation: *obligation,
        share: Some(Ppm(996_000)),
    };
    let is_overall = class.is_none();
    Scored {
        class,
        components: if is_overall { Vec::new() } else { components },
        excluded: Excluded::default(),
        grade: Grade::A,
        indicators: Obligation::ALL.iter().take(6).map(indicator).collect(),
        operator: Some(operator(orchestrator)),
        reason: None,
        score,
        signer: None,
        sources: (0..shape.gateways_each).map(gateway).collect(),
        tenures: 900,
        upper: Some(Ppm(1_000_000)),
        urls: vec![url(orchestrator)],
        workloads: if is_overall { workloads.to_vec() } else { Vec::new() },
    }
}

pub fn scorecard(shape: &Shape, window: Window, basis: Basis, context: Digest) -> Scorecard {
    let results = (0..shape.orchestrators).flat_map(|orchestrator| {
        let classes = shape.classes(orchestrator).map(class).map(Some);
        [None].into_iter().chain(classes).enumerate().map(move |(at, class)| {
            let drawn = scatter(window.last.0, orchestrator * 100 + u64::try_from(at).unwrap());
            scored(shape, orchestrator, class, drawn)
        })
    });
    Scorecard {
        agreements: Vec::new(),
        basis,
        clusters: Vec::new(),
        context,
        format: FORMAT.to_owned(),
        network: NETWORK,
        policy: PolicyName { hash: Digest::of(&[b"policy"]), id: "evidence-1".to_owned() },
        results: results.collect(),
        standing: None,
        trust: Digest::of(&[b"trust"]),
        window,
    }
}
