//! What testers of the leaderboard post: one result of a test, of transcoding or of a model.
//!
//! Prompts, answers and the words of errors stay where they were posted. The event is named by who was tested, where,
//! when and with what, so that the same result gives the same event however often it is posted.

use events::body::probe::{Fault, Measured, Observed};
use events::body::{Body, Orchestrator, Reason};
use events::event::Workload;
use events::identity::{Digest, Label, Model, Pipeline, Region};
use events::refusal::Refusal;
use events::unit::{Micros, Ppm};

use super::json::{Json, Object};
use super::names::{Work, address, plain, workload};
use super::{Draft, Envelope, Page, reason, refuse_data};

/// The type of an envelope around what was posted.
pub const FAMILY: &str = "leaderboard_test";

/// Nothing that is measured takes longer than a day.
const LONGEST: Micros = Micros(86_400_000_000);

pub(super) fn test(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let tested = data.text("orchestrator");
    let tested = address(tested.as_deref().map(str::to_ascii_lowercase).as_deref())
        .ok_or_else(|| refuse_data("orchestrator is no address"))?;
    let region = data.text("region").map(|name| name.to_ascii_uppercase());
    let region: Region =
        region.and_then(|name| name.parse().ok()).ok_or_else(|| refuse_data("no region"))?;
    let at_ms = data.moment("timestamp").ok_or_else(|| refuse_data("timestamp is no time"))?;
    let work = work(&data)?;
    let measured = measured(&data, work.workload == Some(Workload::Transcoding))?;
    let success = measured.success_ppm == Some(Ppm::ONE);
    let kind = if work.model.is_some() { "leaderboard/ai" } else { "leaderboard/transcoding" };
    let scenario: Label = kind.parse().map_err(|_| refuse_data("a kind without a name"))?;
    let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let parts = [
        tested.to_string(),
        region.to_string(),
        at_ms.to_string(),
        name(work.pipeline.as_ref().map(Pipeline::as_str)),
        name(work.model.as_ref().map(Model::as_str)),
    ];
    page.id = Some(format!("test/{}", Digest::of(&[parts.join("\n").as_bytes()])));
    let body = Body::ProbeObserved(Observed {
        duration_ms: None,
        first_output_ms: None,
        measured: Some(measured),
        orchestrator: Orchestrator { recipient: Some(tested), signer: None, url: None },
        reason: (!success).then(|| why(&data)),
        scenario,
        success,
    });
    page.say(Draft { region: Some(region), ..Draft::new(at_ms, body).about(None, &work) });
    Ok(())
}

/// The kind of work: that of a model where model and pipeline are named, transcoding where neither is.
fn work(data: &Object<'_>) -> Result<Work, Refusal> {
    match (data.text("pipeline"), data.text("model")) {
        (None, None) => Ok(Work { workload: Some(Workload::Transcoding), ..Work::default() }),
        (Some(pipeline), Some(model)) => {
            let pipeline =
                Pipeline::of_title(&pipeline).map_err(|_| refuse_data("pipeline is no name"))?;
            let model = model.parse().map_err(|_| refuse_data("model is no name"))?;
            Ok(Work {
                workload: Some(workload(pipeline.as_str())),
                pipeline: Some(pipeline),
                model: Some(model),
            })
        }
        _ => Err(refuse_data("model and pipeline go together")),
    }
}

fn measured(data: &Object<'_>, is_transcoding: bool) -> Result<Measured, Refusal> {
    let success = data.decimal("success_rate").and_then(|share| share.count(6));
    let success = success.and_then(|share| u32::try_from(share).ok()).map(Ppm);
    let success = success.filter(|share| *share <= Ppm::ONE);
    let success = success.ok_or_else(|| refuse_data("success_rate is not from 0 to 1"))?;
    let round_trip =
        seconds(data, "round_trip_time")?.ok_or_else(|| refuse_data("no round_trip_time"))?;
    let mut measured = Measured {
        faults: faults(data)?,
        round_trip_us: Some(round_trip),
        success_ppm: Some(success),
        ..Measured::default()
    };
    if !is_transcoding {
        // What is not said is left out by those who write it, where it is false.
        measured.warm = Some(data.flag("model_is_warm").unwrap_or(false));
        return Ok(measured);
    }
    Ok(Measured {
        download_us: seconds(data, "download_time")?,
        segment_us: seconds(data, "seg_duration")?,
        segments_received: data.small("segments_received"),
        segments_sent: data.small("segments_sent"),
        transcode_us: seconds(data, "transcode_time")?,
        upload_us: seconds(data, "upload_time")?,
        ..measured
    })
}

/// A time in seconds, if it is said.
fn seconds(data: &Object<'_>, name: &str) -> Result<Option<Micros>, Refusal> {
    if data.get(name).is_none() {
        return Ok(None);
    }
    let took = data.decimal(name).and_then(|seconds| seconds.count(6)).map(Micros);
    let took = took.filter(|took| *took <= LONGEST);
    took.map(Some).ok_or_else(|| refuse_data(&format!("{name} is no time in seconds")))
}

fn faults(data: &Object<'_>) -> Result<Vec<Fault>, Refusal> {
    let fault = |said: Object<'_>| {
        let code = said.text("error_code");
        let code = code.as_deref().and_then(plain).unwrap_or("other").parse().ok()?;
        Some(Fault { code, count: said.small("count").unwrap_or(1) })
    };
    let said: Vec<Fault> =
        data.array("errors").into_iter().filter_map(Json::object).filter_map(fault).collect();
    if said.len() > Measured::FAULTS_MAX {
        return Err(refuse_data(&format!("more than {} errors", Measured::FAULTS_MAX)));
    }
    Ok(said)
}

/// Why a test failed, as far as its first error says.
fn why(data: &Object<'_>) -> Reason {
    let errors: Vec<Object<'_>> =
        data.array("errors").into_iter().filter_map(Json::object).collect();
    let read = |member: &str| {
        let texts = errors.iter().filter_map(|error| error.text(member));
        texts.map(|text| reason::read_anybodys(&text)).find(|reason| *reason != Reason::Unknown)
    };
    read("message").or_else(|| read("error_code")).unwrap_or(Reason::Unknown)
}
