//! What go-livepeer calls things, and what we call them: capabilities, pipelines, models, orchestrators.

use events::body::Orchestrator;
use events::event::Workload;
use events::identity::{Address, Model, Pipeline, ServiceUrl};

use super::json::Object;

/// The pipeline of real-time AI video.
pub(super) const LIVE_VIDEO: &str = "live-video-to-video";

/// The capability id under which containers of any kind are offered; the constraint names the kind.
pub(super) const BYOC: u64 = 37;

/// go-livepeer's capability ids for AI and the pipelines they stand for (`core/capabilities.go`).
const CAPABILITIES: &[(u64, &str)] = &[
    (27, "text-to-image"),
    (28, "image-to-image"),
    (29, "image-to-video"),
    (30, "upscale"),
    (31, "audio-to-text"),
    (32, "segment-anything-2"),
    (33, "llm"),
    (34, "image-to-text"),
    (35, LIVE_VIDEO),
    (36, "text-to-speech"),
];

/// What kind of work something is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) workload: Option<Workload>,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) model: Option<Model>,
}

impl Work {
    /// Work of one kind, by the names it was given.
    pub(super) fn of(workload: Workload, pipeline: Option<&str>, model: Option<&str>) -> Self {
        Self {
            workload: Some(workload),
            pipeline: pipeline.and_then(|name| name.trim().parse().ok()),
            model: model.and_then(|name| name.trim().parse().ok()),
        }
    }

    /// A capability by its id and constraint; nothing is known of ids that no AI has.
    pub(super) fn of_capability(id: u64, constraint: &str) -> Self {
        if id == BYOC {
            return Self::of(Workload::Byoc, Some(constraint), None);
        }
        match CAPABILITIES.iter().find(|(known, _)| *known == id) {
            Some((_, name)) => Self::of(workload(name), Some(name), Some(constraint)),
            None => Self::default(),
        }
    }

    /// A live session by the hints it carries.
    ///
    /// What go-livepeer calls `pipeline` there is a model's name; `pipeline_id` is its user's, and read only for the
    /// few aliases that stand for a model.
    pub(super) fn of_live(data: &Object<'_>) -> Self {
        let alias = data.text("pipeline_id");
        let alias = alias.as_deref().and_then(known_model);
        let hint = data.text("pipeline");
        match hint.as_deref().filter(|hint| !hint.eq_ignore_ascii_case(LIVE_VIDEO)) {
            Some(hint) if is_pipeline(hint) => {
                Self::of(Workload::LiveVideo, Some(&hint.to_ascii_lowercase()), None)
            }
            Some(hint) => Self::of(
                Workload::LiveVideo,
                Some(LIVE_VIDEO),
                Some(known_model(hint).unwrap_or(hint)),
            ),
            None if hint.is_some() || alias.is_some() => {
                Self::of(Workload::LiveVideo, Some(LIVE_VIDEO), alias)
            }
            None => Self::of(Workload::LiveVideo, None, None),
        }
    }
}

/// The pipeline a capability id stands for.
pub(super) fn pipeline(id: u64) -> Option<&'static str> {
    CAPABILITIES.iter().find(|(known, _)| *known == id).map(|(_, pipeline)| *pipeline)
}

/// The workload of a pipeline: requests, where we know nothing of it.
pub(super) fn workload(pipeline: &str) -> Workload {
    let known = pipeline.parse().ok().and_then(|pipeline: Pipeline| pipeline.workload());
    known.unwrap_or(Workload::AiBatch)
}

/// Whether a name is a pipeline's and so no model's. `noop` is both and counts as a model.
pub(super) fn is_pipeline(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "text-to-video" || CAPABILITIES.iter().any(|(_, pipeline)| *pipeline == lower)
}

/// The one spelling of a live model that goes by several.
fn known_model(hint: &str) -> Option<&'static str> {
    Some(match hint.to_ascii_lowercase().as_str() {
        "streamdiffusion" => "streamdiffusion",
        "streamdiffusion-sdxl" | "pip_sdxl-turbo" | "pip_sd-turbo" => "streamdiffusion-sdxl",
        "streamdiffusion-sdxl-v2v" | "pip_sdxl-turbo-v2v" => "streamdiffusion-sdxl-v2v",
        "streamdiffusion-sdxl-faceid" | "pip_sdxl-turbo-faceid" => "streamdiffusion-sdxl-faceid",
        _ => return None,
    })
}

/// An address that is somebody's.
pub(super) fn address(text: Option<&str>) -> Option<Address> {
    Address::parse_any(text?).ok().filter(|address| !address.is_zero())
}

/// An orchestrator as gateways name it: by its signer's address and its URL.
pub(super) fn orchestrator(signer: Option<&str>, url: Option<&str>) -> Orchestrator {
    let url = url.and_then(|url| ServiceUrl::normalise(url).ok());
    Orchestrator { recipient: None, signer: address(signer), url }
}

/// The orchestrator in `orchestrator_info`.
pub(super) fn orchestrator_info(data: &Object<'_>) -> Orchestrator {
    let info = data.object("orchestrator_info");
    orchestrator(info.text("address").as_deref(), info.text("url").as_deref())
}

/// A name of a machine's own making, safe to repeat in a refusal or a counter: short, plain ASCII.
pub(super) fn plain(name: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    ((1..=48).contains(&name.len()) && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_is_of_a_built_in_pipeline() {
        for (id, name) in CAPABILITIES {
            let built_in = name.parse::<Pipeline>().unwrap().workload();
            assert!(built_in.is_some(), "{name}");
            assert_eq!(Work::of_capability(*id, "").workload, built_in, "{name}");
        }
        assert_eq!(workload("text-to-sculpture"), Workload::AiBatch);
    }
}
