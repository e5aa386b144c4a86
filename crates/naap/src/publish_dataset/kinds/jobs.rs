//! What is known of each job in an hour: a row a tenure, and one without where nobody had it.

use dataset::table::{Kind, Value};
use sla::hour::fact::{JobFact, TenureFact};

use super::{At, Put, Rows, json, of_class, text, text_of};

/// Jobs and who had them.
pub const JOBS: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("job_id", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("state", Kind::Text),
        ("origin", Kind::Text),
        ("region", Kind::Text),
        ("claims", Kind::Integer),
        ("first_ms", Kind::Integer),
        ("last_ms", Kind::Integer),
        ("requested_ms", Kind::Integer),
        ("reporters", Kind::Json),
        ("gateway", Kind::Text),
        ("gateway_name", Kind::Text),
        ("answer", Kind::Json),
        ("tenure", Kind::Integer),
        ("operator", Kind::Text),
        ("recipient", Kind::Text),
        ("signer", Kind::Text),
        ("url", Kind::Text),
        ("tenure_start_ms", Kind::Integer),
        ("tenure_end_ms", Kind::Integer),
        ("ended", Kind::Text),
        ("reason", Kind::Text),
        ("first_output_ms", Kind::Integer),
        ("output_ms", Kind::Integer),
        ("fps_in_milli", Kind::Integer),
        ("fps_out_milli", Kind::Integer),
        ("samples", Kind::Integer),
        ("is_self_told", Kind::Boolean),
        ("hardware", Kind::Text),
        ("gpu", Kind::Text),
        ("owed", Kind::Json),
    ],
    name: "jobs",
};

/// The rows of a job.
pub fn of_job(at: At, fact: &JobFact, put: &mut Put<'_>) -> anyhow::Result<()> {
    let head = [at.values(), vec![text(&fact.job_id)], of_class(Some(&fact.class))];
    let known = vec![
        text(&fact.state),
        text(&fact.origin),
        text_of(fact.region.as_ref()),
        fact.claims.into(),
        fact.first_ms.0.into(),
        fact.last_ms.0.into(),
        fact.requested_ms.map(|at| at.0).into(),
        json(&fact.reporters),
        text_of(fact.gateway),
        text_of(fact.gateway_name.as_ref()),
        fact.answer.as_ref().map_or(Value::Unknown, json),
    ];
    let head = [head.concat(), known].concat();
    if fact.tenures.is_empty() {
        let nobody = vec![Value::Unknown; JOBS.columns.len().saturating_sub(head.len())];
        return put(&JOBS, [head, nobody].concat());
    }
    for (tenure, number) in fact.tenures.iter().zip(0_u64..) {
        put(&JOBS, [head.clone(), tenure_values(number, tenure)].concat())?;
    }
    Ok(())
}

fn tenure_values(number: u64, tenure: &TenureFact) -> Vec<Value> {
    vec![
        number.into(),
        text_of(tenure.operator),
        text_of(tenure.orchestrator.recipient),
        text_of(tenure.orchestrator.signer),
        text_of(tenure.orchestrator.url.as_ref()),
        tenure.start_ms.0.into(),
        tenure.end_ms.map(|at| at.0).into(),
        text_of(tenure.ended.as_ref()),
        text_of(tenure.reason),
        tenure.first_output_ms.map(|at| at.0).into(),
        tenure.output_ms.map(|at| at.0).into(),
        tenure.fps_in.map(|fps| fps.0).into(),
        tenure.fps_out.map(|fps| fps.0).into(),
        tenure.samples.into(),
        tenure.self_told.into(),
        text_of(tenure.hardware.as_ref()),
        text_of(tenure.gpu.as_ref()),
        json(&tenure.owed),
    ]
}
