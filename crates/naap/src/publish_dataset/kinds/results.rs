//! What scorecards say, of hours and of longer windows alike: scores and what they are made of, agreements, clusters.

use dataset::table::{Kind, Value};
use sla::score::agreement::Agreement;
use sla::scorecard::{Component, Excluded, Indicator, Scorecard, Scored, WorkloadScore};
use sla::tally::cell::WorkClass;
use sla::window::Window;

use super::{Put, Rows, json, of_class, of_window, text, text_of};

/// How far two reporters agree.
pub const AGREEMENTS: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("teller", Kind::Text),
        ("other", Kind::Text),
        ("both", Kind::Integer),
        ("disputed", Kind::Integer),
        ("missing", Kind::Integer),
        ("lower_ppm", Kind::Integer),
        ("upper_ppm", Kind::Integer),
        ("is_self_dealing", Kind::Boolean),
        ("disagreed", Kind::Json),
    ],
    name: "agreements",
};

/// Who is taken to be one party: a row a member.
pub const CLUSTERS: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("cluster", Kind::Text),
        ("member", Kind::Text),
        ("ties", Kind::Json),
    ],
    name: "clusters",
};

/// The parts of composite scores.
pub const COMPONENTS: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("operator", Kind::Text),
        ("signer", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("is_overall", Kind::Boolean),
        ("component", Kind::Text),
        ("weight", Kind::Integer),
        ("lower_ppm", Kind::Integer),
        ("upper_ppm", Kind::Integer),
        ("rate_ppm", Kind::Integer),
        ("effect_ppm", Kind::Integer),
        ("evidence", Kind::Integer),
        ("failures", Kind::Integer),
        ("decides", Kind::Text),
        ("sources", Kind::Json),
    ],
    name: "components",
};

/// What came of obligations, by kind.
pub const INDICATORS: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("operator", Kind::Text),
        ("signer", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("obligation", Kind::Text),
        ("good", Kind::Integer),
        ("bad", Kind::Integer),
        ("disputed", Kind::Integer),
        ("missing", Kind::Integer),
        ("declined", Kind::Integer),
        ("excused", Kind::Json),
        ("share_ppm", Kind::Integer),
    ],
    name: "indicators",
};

/// The results.
pub const SCORES: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("operator", Kind::Text),
        ("signer", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("score_ppm", Kind::Integer),
        ("upper_ppm", Kind::Integer),
        ("grade", Kind::Text),
        ("reason", Kind::Text),
        ("tenures", Kind::Integer),
        ("excluded_linked", Kind::Integer),
        ("excluded_outage", Kind::Integer),
        ("excluded_own", Kind::Integer),
        ("excluded_young", Kind::Integer),
        ("sources", Kind::Json),
        ("urls", Kind::Json),
    ],
    name: "scores",
};

/// The score of each workload over all its pipelines and models.
pub const WORKLOADS: Rows = Rows {
    columns: &[
        ("window", Kind::Text),
        ("start_ms", Kind::Integer),
        ("end_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("operator", Kind::Text),
        ("signer", Kind::Text),
        ("workload", Kind::Text),
        ("score_ppm", Kind::Integer),
        ("upper_ppm", Kind::Integer),
        ("grade", Kind::Text),
        ("reason", Kind::Text),
        ("evidence", Kind::Integer),
    ],
    name: "workloads",
};

/// The rows of a scorecard, in its own order.
pub fn of_scorecard(card: &Scorecard, revision: u32, put: &mut Put<'_>) -> anyhow::Result<()> {
    let head = of_window(card.window, revision);
    for scored in &card.results {
        of_result(scored, card.window, revision, put)?;
    }
    for agreement in &card.agreements {
        put(&AGREEMENTS, [head.clone(), agreement_values(agreement)].concat())?;
    }
    for cluster in &card.clusters {
        let name = text_of(cluster.members.first());
        for member in &cluster.members {
            let ties: Vec<_> = cluster.edges.iter().filter(|edge| edge.of == *member).collect();
            let values = vec![name.clone(), text(member), json(&ties)];
            put(&CLUSTERS, [head.clone(), values].concat())?;
        }
    }
    Ok(())
}

fn of_result(
    scored: &Scored,
    window: Window,
    revision: u32,
    put: &mut Put<'_>,
) -> anyhow::Result<()> {
    let head =
        [of_window(window, revision), vec![text_of(scored.operator), text_of(scored.signer)]];
    let head = head.concat();
    let whose = [head.clone(), of_class(scored.class.as_ref())].concat();
    put(&SCORES, [whose.clone(), score_values(scored)].concat())?;
    for indicator in &scored.indicators {
        put(&INDICATORS, [whose.clone(), indicator_values(indicator)].concat())?;
    }
    for component in &scored.components {
        let is_overall = scored.class.is_none().into();
        put(&COMPONENTS, [whose.clone(), vec![is_overall], component_values(component)].concat())?;
    }
    for workload in &scored.workloads {
        put(&WORKLOADS, [head.clone(), workload_values(workload)].concat())?;
        let class = WorkClass { model: None, pipeline: None, workload: workload.workload };
        let whose = [head.clone(), of_class(Some(&class)), vec![true.into()]].concat();
        for component in &workload.components {
            put(&COMPONENTS, [whose.clone(), component_values(component)].concat())?;
        }
    }
    Ok(())
}

fn score_values(scored: &Scored) -> Vec<Value> {
    let Excluded { linked, outage, own, young } = scored.excluded;
    vec![
        scored.score.map(|ppm| ppm.0).into(),
        scored.upper.map(|ppm| ppm.0).into(),
        text(&scored.grade),
        text_of(scored.reason.as_ref()),
        scored.tenures.into(),
        linked.into(),
        outage.into(),
        own.into(),
        young.into(),
        json(&scored.sources),
        json(&scored.urls),
    ]
}

fn indicator_values(indicator: &Indicator) -> Vec<Value> {
    let counts = &indicator.counts;
    vec![
        text(&indicator.obligation),
        counts.good.into(),
        counts.bad.into(),
        counts.disputed.into(),
        counts.missing.into(),
        counts.declined.into(),
        json(&counts.excused),
        indicator.share.map(|ppm| ppm.0).into(),
    ]
}

fn component_values(component: &Component) -> Vec<Value> {
    vec![
        text(&component.name),
        component.weight.into(),
        component.lower.map(|ppm| ppm.0).into(),
        component.upper.map(|ppm| ppm.0).into(),
        component.rate.map(|ppm| ppm.0).into(),
        component.effect_ppm.into(),
        component.evidence.into(),
        component.failures.into(),
        text_of(component.decides),
        json(&component.sources),
    ]
}

fn workload_values(workload: &WorkloadScore) -> Vec<Value> {
    vec![
        text(&workload.workload),
        workload.score.map(|ppm| ppm.0).into(),
        workload.upper.map(|ppm| ppm.0).into(),
        text(&workload.grade),
        text_of(workload.reason.as_ref()),
        workload.evidence.into(),
    ]
}

fn agreement_values(agreement: &Agreement) -> Vec<Value> {
    vec![
        text(&agreement.teller),
        text(&agreement.other),
        agreement.both.into(),
        agreement.disputed.into(),
        agreement.missing.into(),
        agreement.lower.0.into(),
        agreement.upper.0.into(),
        agreement.self_dealing.into(),
        json(&agreement.disagreed),
    ]
}
