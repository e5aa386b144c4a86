//! The home in one SQLite file.
