"""Recomputes a naap scorecard from an exported folder; the rules are those of docs/scoring.md and docs/events.md."""
