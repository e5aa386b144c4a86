//! End to end with the real binary: what a person or a script does, and what must hold when the process is killed.
//!
//! Every test has a folder of its own, listens on loopback at ports the system picks, and ends within its deadline.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "e2e/captures.rs"]
mod captures;
#[path = "e2e/datasets.rs"]
mod datasets;
#[path = "e2e/dev.rs"]
mod dev;
#[path = "e2e/disk.rs"]
mod disk;
#[path = "e2e/files.rs"]
mod files;

#[path = "e2e/imports.rs"]
mod imports;
#[path = "e2e/kafka.rs"]
mod kafka;
#[path = "e2e/kills.rs"]
mod kills;
#[path = "e2e/leaderboard.rs"]
mod leaderboard;
#[path = "e2e/locks.rs"]
mod locks;
#[path = "e2e/operators.rs"]
mod operators;
#[path = "e2e/peers.rs"]
mod peers;
#[path = "e2e/process.rs"]
mod process;
#[path = "e2e/record.rs"]
mod record;
#[path = "e2e/scores.rs"]
mod scores;
#[path = "e2e/usage.rs"]
mod usage;
#[path = "e2e/webhooks.rs"]
mod webhooks;
#[path = "e2e/windows.rs"]
mod windows;
#[path = "e2e/world.rs"]
mod world;
