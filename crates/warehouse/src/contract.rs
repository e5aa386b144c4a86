//! What every home must do, as functions that each take one.
