//! What is known of each job in an hour: one row per tenure, or one without where nobody had it.

use dataset::table::Kind::{Boolean, Integer, Json, Text};
use dataset::table::Value;
use sla::hour::fact::{JobFact, TenureFact};

use super::{At, CLASS, HOUR, Put, Rows, json, of_class, text, text_of};

/// Jobs and who had them.
pub const JOBS: Rows = Rows {
    columns: &[
        HOUR,
        &[("job_id", Text)],
        CLASS,
        &[
            ("state", Text),
            ("origin", Text),
            ("region", Text),
            ("claims", Integer),
            ("first_ms", Integer),
            ("last_ms", Integer),
            ("requested_ms", Integer),
            ("reporters", Json),
            ("gateway", Text),
            ("gateway_name", Text),
            ("answer", Json),
            ("tenure", Integer),
            ("operator", Text),
            ("recipient", Text),
            ("signer", Text),
            ("url", Text),
            ("tenure_start_ms", Integer),
            ("tenure_end_ms", Integer),
            ("ended", Text),
            ("reason", Text),
            ("first_output_ms", Integer),
            ("output_ms", Integer),
            ("fps_in_milli", Integer),
            ("fps_out_milli", Integer),
            ("samples", Integer),
            ("is_self_told", Boolean),
            ("hardware", Text),
            ("gpu", Text),
            ("owed", Json),
        ],
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
        let nobody = vec![Value::Unknown; JOBS.columns().len().saturating_sub(head.len())];
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
