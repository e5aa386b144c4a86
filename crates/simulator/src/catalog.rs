//! What can be bought in the simulated network: models with their pipelines and prices, GPUs and regions.
//!
//! Names are those that Livepeer's own nodes advertise; capability ids are go-livepeer's 27 to 37.

use events::event::Workload;

/// One model on offer.
pub(crate) struct Listing {
    /// go-livepeer's number of the capability.
    pub capability: u16,
    /// The pipeline, or the BYOC capability.
    pub pipeline: &'static str,
    /// The model.
    pub model: &'static str,
    /// The kind of work.
    pub workload: Workload,
    /// Wei for each pixel, token or millisecond, as the capability counts.
    pub price_wei: u64,
    /// How long one job takes on a middling machine; for live video, until the first output.
    pub typical_ms: u64,
}

const fn live(model: &'static str, price_wei: u64, typical_ms: u64) -> Listing {
    let workload = Workload::LiveVideo;
    Listing {
        capability: 35,
        pipeline: "live-video-to-video",
        model,
        workload,
        price_wei,
        typical_ms,
    }
}

const fn llm(model: &'static str, price_wei: u64, typical_ms: u64) -> Listing {
    Listing {
        capability: 33,
        pipeline: "llm",
        model,
        workload: Workload::Llm,
        price_wei,
        typical_ms,
    }
}

const fn byoc(
    pipeline: &'static str,
    model: &'static str,
    price_wei: u64,
    typical_ms: u64,
) -> Listing {
    Listing { capability: 37, pipeline, model, workload: Workload::Byoc, price_wei, typical_ms }
}

const fn batch(
    capability: u16,
    pipeline: &'static str,
    model: &'static str,
    price_wei: u64,
    typical_ms: u64,
) -> Listing {
    Listing { capability, pipeline, model, workload: Workload::AiBatch, price_wei, typical_ms }
}

/// Every model there is, in such an order that the first four already cover every workload of AI.
pub(crate) const LISTINGS: [Listing; 24] = [
    live("streamdiffusion-sdxl", 1_618, 2_600),
    batch(27, "text-to-image", "SG161222/RealVisXL_V4.0_Lightning", 4_768_371, 3_800),
    llm("meta-llama/Meta-Llama-3.1-8B-Instruct", 56_909_258, 6_500),
    byoc("openai-chat-completions", "Qwen/Qwen2.5-14B-Instruct-AWQ", 2_500, 5_200),
    live("streamdiffusion-sdxl-faceid", 1_735, 2_900),
    live("streamdiffusion", 1_240, 1_900),
    batch(28, "image-to-image", "timbrooks/instruct-pix2pix", 3_390_842, 4_600),
    byoc("openai-text-embeddings", "nomic-embed-text:latest", 1_000, 420),
    live("streamdiffusion-sdxl-v2v", 1_802, 3_100),
    batch(30, "upscale", "stabilityai/stable-diffusion-x4-upscaler", 2_118_009, 11_000),
    batch(31, "audio-to-text", "openai/whisper-large-v3", 12_882_811, 7_400),
    llm("meta-llama/Llama-4-Scout-17B-16E-Instruct", 90_112_000, 9_800),
    live("comfyui", 2_210, 4_200),
    batch(
        29,
        "image-to-video",
        "stabilityai/stable-video-diffusion-img2vid-xt-1-1",
        3_390_842,
        48_000,
    ),
    batch(34, "image-to-text", "Salesforce/blip-image-captioning-large", 4_768_371, 2_100),
    byoc("openai-image-generation", "black-forest-labs/FLUX.1-dev", 5_000, 8_900),
    live("depth-anything-v2", 980, 1_600),
    batch(32, "segment-anything-2", "facebook/sam2-hiera-large", 1_695_421, 2_700),
    batch(36, "text-to-speech", "parler-tts/parler-tts-large-v1", 4_768_371, 5_900),
    llm("mistralai/Mistral-7B-Instruct-v0.3", 41_200_000, 5_100),
    batch(27, "text-to-image", "ByteDance/SDXL-Lightning", 4_768_371, 2_900),
    live("noise-gate-test", 700, 1_200),
    byoc("openai-audio-speech", "hexgrad/Kokoro-82M", 800, 1_700),
    batch(27, "text-to-image", "black-forest-labs/FLUX.1-schnell", 5_200_000, 4_100),
];

/// One kind of GPU: name, compute capability, memory in bytes and the percentage of typical time it takes.
pub(crate) struct Card {
    pub name: &'static str,
    pub major: u64,
    pub minor: u64,
    pub memory_bytes: u64,
    pub pace_percent: u64,
}

/// The GPUs there are.
pub(crate) const CARDS: [Card; 5] = [
    Card {
        name: "NVIDIA GeForce RTX 4090",
        major: 8,
        minor: 9,
        memory_bytes: 25_757_220_864,
        pace_percent: 100,
    },
    Card {
        name: "NVIDIA GeForce RTX 5090",
        major: 12,
        minor: 0,
        memory_bytes: 34_190_917_632,
        pace_percent: 78,
    },
    Card {
        name: "NVIDIA GeForce RTX 3090",
        major: 8,
        minor: 6,
        memory_bytes: 25_769_803_776,
        pace_percent: 135,
    },
    Card {
        name: "NVIDIA L40S",
        major: 8,
        minor: 9,
        memory_bytes: 48_305_799_168,
        pace_percent: 96,
    },
    Card {
        name: "NVIDIA H100 80GB HBM3",
        major: 9,
        minor: 0,
        memory_bytes: 85_520_809_984,
        pace_percent: 64,
    },
];

/// The regions there are.
pub(crate) const REGIONS: [&str; 6] =
    ["europe", "us-east", "us-west", "asia", "south-america", "oceania"];

/// Versions of go-livepeer that are about.
pub(crate) const VERSIONS: [&str; 4] = ["0.8.10", "0.8.9", "0.9.1", "0.8.8-3a5678ec-dirty"];

/// The version of the live runner that orchestrators report.
pub(crate) const RUNNER_VERSION: &str = "0.14.1";
