//! Files that are new, old, foreign, damaged, full, or open elsewhere.
