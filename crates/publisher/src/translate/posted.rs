//! What testers of the leaderboard post: one result of a test, of transcoding or of a model.
//!
//! Every member has the one type that testers write it in, as in the leaderboard's own reader: nothing is guessed from another.
//! Prompts, answers and the words of errors stay where they were posted. The event is named by who was tested, where,
//! when and with what, so that the same result gives the same event however often it is posted.

use std::borrow::Cow;

use events::body::probe::{Fault, Measured, Observed};
use events::body::{Body, Orchestrator, Reason};
use events::event::Workload;
use events::identity::{Digest, Label, Model, Pipeline, Region};
use events::refusal::Refusal;
use events::unit::{Micros, Ppm};

use super::decimal::Decimal;
use super::json::{Json, Object};
use super::names::{Work, address, plain, workload};
use super::{Draft, Envelope, Page, reason, refuse_data};

/// The type of an envelope around what was posted.
pub const FAMILY: &str = "leaderboard_test";

/// Nothing that is measured takes longer than a day.
const LONGEST: Micros = Micros(86_400_000_000);

pub(super) fn test(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let tested = name(&data, "orchestrator")?;
    let tested = address(tested.as_deref().map(str::to_ascii_lowercase).as_deref())
        .ok_or_else(|| refuse_data("orchestrator is no address"))?;
    let region = name(&data, "region")?.map(|name| name.to_ascii_uppercase());
    let region: Region =
        region.and_then(|name| name.parse().ok()).ok_or_else(|| refuse_data("no region"))?;
    let at_ms = number(&data, "timestamp")?.and_then(|_| data.moment("timestamp"));
    let at_ms = at_ms.ok_or_else(|| refuse_data("timestamp is no time"))?;
    let work = work(&data)?;
    let measured = measured(&data, work.workload == Some(Workload::Transcoding))?;
    let success = measured.success_ppm == Some(Ppm::ONE);
    let kind = if work.model.is_some() { "leaderboard/ai" } else { "leaderboard/transcoding" };
    let scenario: Label = kind.parse().map_err(|_| refuse_data("a kind without a name"))?;
    let said = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let parts = [
        tested.to_string(),
        region.to_string(),
        at_ms.to_string(),
        said(work.pipeline.as_ref().map(Pipeline::as_str)),
        said(work.model.as_ref().map(Model::as_str)),
    ];
    page.id = Some(format!("test/{}", Digest::of(&[parts.join("\n").as_bytes()])));
    let body = Body::ProbeObserved(Observed {
        duration_ms: None,
        first_output_ms: None,
        measured: Some(measured),
        orchestrator: Orchestrator { recipient: Some(tested), signer: None, url: None },
        reason: if success { None } else { Some(why(&errors(&data)?)) },
        scenario,
        success,
    });
    page.say(Draft { region: Some(region), ..Draft::new(at_ms, body).about(None, &work) });
    Ok(())
}

/// The kind of work: that of a model where model and pipeline are named, transcoding where neither is.
fn work(data: &Object<'_>) -> Result<Work, Refusal> {
    match (name(data, "pipeline")?, name(data, "model")?) {
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
    let success = number(data, "success_rate")?.and_then(|share| share.count(6));
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
        let warm = data.get("model_is_warm").map(|said| {
            said.boolean().ok_or_else(|| refuse_data("model_is_warm is neither true nor false"))
        });
        measured.warm = Some(warm.transpose()?.unwrap_or(false));
        return Ok(measured);
    }
    Ok(Measured {
        download_us: seconds(data, "download_time")?,
        segment_us: seconds(data, "seg_duration")?,
        segments_received: small(data, "segments_received")?,
        segments_sent: small(data, "segments_sent")?,
        transcode_us: seconds(data, "transcode_time")?,
        upload_us: seconds(data, "upload_time")?,
        ..measured
    })
}

/// A time in seconds, if it is said.
fn seconds(data: &Object<'_>, name: &str) -> Result<Option<Micros>, Refusal> {
    let Some(seconds) = number(data, name)? else { return Ok(None) };
    let took = seconds.count(6).map(Micros).filter(|took| *took <= LONGEST);
    took.map(Some).ok_or_else(|| refuse_data(&format!("{name} is no time in seconds")))
}

/// A small count, if it is said.
fn small(data: &Object<'_>, name: &str) -> Result<Option<u32>, Refusal> {
    let Some(count) = number(data, name)? else { return Ok(None) };
    let count = count.count(0).and_then(|count| u32::try_from(count).ok());
    count.map(Some).ok_or_else(|| refuse_data(&format!("{name} is no count")))
}

/// A number, if it is said.
fn number(data: &Object<'_>, name: &str) -> Result<Option<Decimal>, Refusal> {
    let number =
        |said: Json<'_>| said.number().ok_or_else(|| refuse_data(&format!("{name} is no number")));
    data.get(name).map(number).transpose()
}

/// Words, if they are said.
fn words<'a>(data: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(said) = data.get(name) else { return Ok(None) };
    if said.is_string() { Ok(said.text()) } else { Err(refuse_data(&format!("{name} is no text"))) }
}

/// A name, if it is said: words on one line.
fn name<'a>(data: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    let said = words(data, name)?;
    if said.as_deref().is_some_and(|text| text.chars().any(char::is_control)) {
        return Err(refuse_data(&format!("{name} has control characters")));
    }
    Ok(said)
}

fn faults(data: &Object<'_>) -> Result<Vec<Fault>, Refusal> {
    let fault = |said: Object<'_>| {
        words(&said, "message")?;
        let code = name(&said, "error_code")?;
        let code = code.as_deref().and_then(plain).unwrap_or("other").parse();
        let code = code.map_err(|_| refuse_data("error_code is no name"))?;
        Ok(Fault { code, count: small(&said, "count")?.unwrap_or(1) })
    };
    let said = errors(data)?;
    if said.len() > Measured::FAULTS_MAX {
        return Err(refuse_data(&format!("more than {} errors", Measured::FAULTS_MAX)));
    }
    said.into_iter().map(fault).collect()
}

/// What went wrong, if it is said; nothing is the same as an empty list.
fn errors<'a>(data: &Object<'a>) -> Result<Vec<Object<'a>>, Refusal> {
    let Some(said) = data.get("errors") else { return Ok(Vec::new()) };
    let items = said.array().and_then(|items| items.into_iter().map(Json::object).collect());
    items.ok_or_else(|| refuse_data("errors is no list of objects"))
}

/// Why a test failed, as far as its first error says.
fn why(errors: &[Object<'_>]) -> Reason {
    let read = |member: &str| {
        let texts = errors.iter().filter_map(|error| error.text(member));
        texts.map(|text| reason::read_anybodys(&text)).find(|reason| *reason != Reason::Unknown)
    };
    read("message").or_else(|| read("error_code")).unwrap_or(Reason::Unknown)
}
