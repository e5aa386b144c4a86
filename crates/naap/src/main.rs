//! naap
fn main() {}
