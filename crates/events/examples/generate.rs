//! Writes what is generated from the events crate: `schemas/` and the reference part of `docs/events.md`.
//!
//! Run it with `cargo run -p events --example generate`; a test says when that is due. It never asks for anything
//! random or timed: the same code writes the same bytes.
#![allow(clippy::disallowed_methods)]

#[path = "generate/files.rs"]
mod files;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = std::fs::read_to_string(root.join(files::GUIDE))?;
    std::fs::create_dir_all(root.join("schemas/vectors"))?;
    for (path, text) in files::files(&guide) {
        std::fs::write(root.join(path), text)?;
    }
    Ok(())
}
