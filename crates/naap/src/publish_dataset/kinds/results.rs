//! What scorecards say, of hours and of longer windows alike: scores and what they are made of, agreements, clusters.

use dataset::table::Kind::{Boolean, Integer, Json, Text};
use dataset::table::Value;
use sla::score::agreement::Agreement;
use sla::scorecard::{Component, Excluded, Scorecard, Scored, WorkloadScore};
use sla::tally::cell::WorkClass;

use super::{
    CLASS, COUNTS, Columns, Put, Rows, WINDOW, json, of_class, of_counts, of_window, text, text_of,
};

/// How far two reporters agree.
pub const AGREEMENTS: Rows = Rows {
    columns: &[
        WINDOW,
        &[
            ("teller", Text),
            ("other", Text),
            ("both", Integer),
            ("disputed", Integer),
            ("missing", Integer),
            ("lower_ppm", Integer),
            ("upper_ppm", Integer),
            ("is_self_dealing", Boolean),
            ("disagreed", Json),
        ],
    ],
    name: "agreements",
};

/// Who is taken to be one party: one row per member.
pub const CLUSTERS: Rows = Rows {
    columns: &[WINDOW, &[("cluster", Text), ("member", Text), ("ties", Json)]],
    name: "clusters",
};

/// The parts of composite scores.
pub const COMPONENTS: Rows = Rows {
    columns: &[
        WINDOW,
        WHOSE,
        CLASS,
        &[
            ("is_overall", Boolean),
            ("component", Text),
            ("weight", Integer),
            ("lower_ppm", Integer),
            ("upper_ppm", Integer),
            ("rate_ppm", Integer),
            ("effect_ppm", Integer),
            ("evidence", Integer),
            ("failures", Integer),
            ("decides", Text),
            ("sources", Json),
        ],
    ],
    name: "components",
};

/// What came of obligations, by kind.
pub const INDICATORS: Rows = Rows {
    columns: &[WINDOW, WHOSE, CLASS, &[("obligation", Text)], COUNTS, &[("share_ppm", Integer)]],
    name: "indicators",
};

/// The results.
pub const SCORES: Rows = Rows {
    columns: &[
        WINDOW,
        WHOSE,
        CLASS,
        &[
            ("score_ppm", Integer),
            ("upper_ppm", Integer),
            ("grade", Text),
            ("reason", Text),
            ("tenures", Integer),
            ("excluded_linked", Integer),
            ("excluded_outage", Integer),
            ("excluded_own", Integer),
            ("excluded_young", Integer),
            ("sources", Json),
            ("urls", Json),
        ],
    ],
    name: "scores",
};

/// The score of each workload over all its pipelines and models.
pub const WORKLOADS: Rows = Rows {
    columns: &[
        WINDOW,
        WHOSE,
        &[
            ("workload", Text),
            ("score_ppm", Integer),
            ("upper_ppm", Integer),
            ("grade", Text),
            ("reason", Text),
            ("evidence", Integer),
        ],
    ],
    name: "workloads",
};

/// The rows of a scorecard, in its own order.
pub fn of_scorecard(card: &Scorecard, revision: u32, put: &mut Put<'_>) -> anyhow::Result<()> {
    let head = of_window(card.window, revision);
    for scored in &card.results {
        of_result(&head, scored, put)?;
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

/// Whom a result is about.
const WHOSE: Columns = &[("operator", Text), ("signer", Text)];

/// As [`WHOSE`].
fn of_subject(scored: &Scored) -> Vec<Value> {
    vec![text_of(scored.operator), text_of(scored.signer)]
}

/// The rows of a result, behind the window they are all about.
fn of_result(window: &[Value], scored: &Scored, put: &mut Put<'_>) -> anyhow::Result<()> {
    let head = [window, &of_subject(scored)].concat();
    let whose = [head.clone(), of_class(scored.class.as_ref())].concat();
    put(&SCORES, [whose.clone(), score_values(scored)].concat())?;
    for indicator in &scored.indicators {
        let (obligation, share) = (text(&indicator.obligation), indicator.share.map(|ppm| ppm.0));
        let counts = of_counts(&indicator.counts);
        put(&INDICATORS, [&whose[..], &[obligation], &counts, &[share.into()]].concat())?;
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
