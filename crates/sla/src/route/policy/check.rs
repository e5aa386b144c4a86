//! Which values a routing policy may hold: whoever writes one learns the line, the value and what would do.

use std::collections::BTreeSet;

use events::unit::Ppm;

use super::{BUILT_IN, DAY_MS, PLACES_MAX, RoutingPolicy};
use crate::policy::Wrong;
use crate::scorecard::Grade;
use crate::window::Span;

/// The most tiers, caps, kinds of work and regions that a policy may name.
const ROWS_MAX: usize = 256;

/// The shortest turn: a gateway asks once a minute, and a replayed day is asked once a turn.
const PERIOD_MIN_MS: u64 = 600_000;

impl RoutingPolicy {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.chars().all(plain) {
            let why = format!("id {:?} is not lower-case letters, digits and hyphens", self.id);
            return Err(Wrong::at("id", why));
        }
        if BUILT_IN.iter().any(|(id, text)| *id == self.id && *text != self.text) {
            let why =
                format!("id {:?} is that of another policy: a changed file needs its own", self.id);
            return Err(Wrong::at("id", why));
        }
        let period = self.period_ms.0;
        if !(PERIOD_MIN_MS..=DAY_MS).contains(&period) || !DAY_MS.is_multiple_of(period) {
            let why = format!(
                "period_ms is {period}, not {PERIOD_MIN_MS} to {DAY_MS} and a divisor of a day"
            );
            return Err(Wrong::at("period_ms", why));
        }
        self.check_ranges()?;
        self.check_scores()?;
        self.check_prices()?;
        self.check_tiers()
    }

    fn check_ranges(&self) -> Result<(), Wrong> {
        let whole = u64::from(Ppm::ONE.0);
        let ranges = [
            ("stale_after_ms", self.scores.stale_after_ms.0, 1, 366 * DAY_MS),
            ("turns_max", self.newcomers.turns_max, 0, PLACES_MAX),
            ("turns_share_ppm", u64::from(self.newcomers.turns_share_ppm.0), 0, whole),
            ("value_ppm", u64::from(self.newcomers.value_ppm.0), 0, whole),
            ("excluded_share_max_ppm", u64::from(self.floor.excluded_share_max_ppm.0), 0, whole),
            ("returned_value_ppm", u64::from(self.floor.returned_value_ppm.0), 0, whole),
            ("places_max", self.list.places_max, 1, PLACES_MAX),
            ("places_per_party_max", self.list.places_per_party_max, 1, PLACES_MAX),
            (
                "unseen_after_ms",
                self.list.unseen_after_ms.map_or(1, |after| after.0),
                1,
                366 * DAY_MS,
            ),
        ];
        for (member, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                let why = format!("{member} is {value}, outside {least} to {most}");
                return Err(Wrong::at(member, why));
            }
        }
        let lowest = self.tiers.last().map_or(0, |tier| tier.score_min_ppm.0);
        let value = self.newcomers.value_ppm.0;
        if value < lowest {
            let why = format!(
                "value_ppm is {value}, below the lowest tier's {lowest}: a gateway with that \
                 threshold would never give a newcomer its turn"
            );
            return Err(Wrong::at("value_ppm", why));
        }
        if self.evidence.grade_min == Grade::Insufficient {
            let why = "grade_min is insufficient: those are newcomers, see [newcomers]";
            return Err(Wrong::at("grade_min", why));
        }
        Ok(())
    }

    fn check_scores(&self) -> Result<(), Wrong> {
        if self.scores.window == Span::Hour {
            let why =
                "window is 1h, not 24h, 7d or 28d: scores of an hour jump too much to route by";
            return Err(Wrong::at("window", why));
        }
        let mut seen = BTreeSet::new();
        for (at, row) in self.scores.work.iter().enumerate() {
            let wrong = |why: String| Err(Wrong::in_table("[[scores.work]]", at, why));
            if at >= ROWS_MAX {
                return wrong(format!("more than {ROWS_MAX} kinds of work"));
            }
            if !(1..=1_000_000).contains(&row.weight) {
                return wrong(format!("weight is {}, outside 1 to 1000000", row.weight));
            }
            if !seen.insert(row.work()) {
                return wrong(format!("{} stands twice", row.work()));
            }
        }
        let mut seen = BTreeSet::new();
        for region in &self.regions.prefer {
            if !seen.insert(region) || seen.len() > ROWS_MAX {
                let why = format!("prefer names {region} twice, or more than {ROWS_MAX} regions");
                return Err(Wrong::at("prefer", why));
            }
        }
        Ok(())
    }

    fn check_prices(&self) -> Result<(), Wrong> {
        let mut seen = BTreeSet::new();
        for (at, cap) in self.prices.cap.iter().enumerate() {
            let wrong = |why: String| Err(Wrong::in_table("[[prices.cap]]", at, why));
            if at >= ROWS_MAX {
                return wrong(format!("more than {ROWS_MAX} caps"));
            }
            if cap.units == 0 {
                return wrong("units is 0: a price is wei for at least one unit".to_owned());
            }
            if !seen.insert(cap.work()) {
                return wrong(format!("{} has two caps", cap.work()));
            }
        }
        Ok(())
    }

    fn check_tiers(&self) -> Result<(), Wrong> {
        if self.tiers.is_empty() {
            return Err(Wrong::at("[[tier]]", "there is no [[tier]]: nobody could be listed"));
        }
        let mut names = BTreeSet::new();
        let mut above = None;
        for (at, tier) in self.tiers.iter().enumerate() {
            let wrong = |why: String| Err(Wrong::in_table("[[tier]]", at, why));
            let score = tier.score_min_ppm;
            if tier.name.is_empty() || tier.name.len() > 64 || !names.insert(&tier.name) {
                return wrong(format!("name {:?} is empty, too long, or taken", tier.name));
            }
            if at >= ROWS_MAX {
                return wrong(format!("more than {ROWS_MAX} tiers"));
            }
            if score > Ppm::ONE {
                return wrong(format!("score_min_ppm is {}, above 1000000", score.0));
            }
            if above.is_some_and(|above| above <= score) {
                return wrong(format!(
                    "score_min_ppm is {}, not below that of the tier above it",
                    score.0
                ));
            }
            if tier.grade_min == Grade::Insufficient {
                return wrong("grade_min is insufficient: those are newcomers".to_owned());
            }
            above = Some(score);
        }
        Ok(())
    }
}
