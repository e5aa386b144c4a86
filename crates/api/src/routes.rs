//! One file a path: its parameters, its answer, its description and its handler together. `router` lists them.

pub mod landing;

pub mod explain;
pub mod orchestrator;
pub mod orchestrators;
pub mod scores;

pub mod job;
pub mod jobs;

pub mod export;
pub mod window;
pub mod windows;

pub mod sla_score;

pub mod route;

pub mod gpu_metrics;
pub mod network_capabilities;
pub mod network_demand;
pub mod query;

pub mod clusters;
pub mod datasets;
pub mod disagreements;
pub mod peer;

pub mod publishers;
pub mod refusals;

pub mod badge;
pub mod board;
pub mod events;
pub mod feed;
pub mod private;

pub mod documents;
pub mod healthz;
pub mod metrics;
