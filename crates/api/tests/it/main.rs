//! The API over a warehouse in memory and a ledger in a folder, asked in process; and the door over loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod validity;
mod world;

mod asyncapi;
mod badge;
mod board;
mod delivery;
mod exports;
mod feed;
mod fuzz;
mod jobs;
mod measures;
mod openapi;
mod operation;
mod pacing;
mod paging;
mod peer;
mod private;
mod problems;
mod reads;
mod routing;

mod door;
mod live;
