//! What a session owes once in each hour it lives in: frames, evenly, without errors.
//!
//! All of it falls due at the last millisecond of the hour or of the tenure, and is judged by the statuses in between.

use events::unit::{MilliFps, Millis, UnixMillis};

use super::obligation::{Bench, Owed};
use super::tenure::{How, Sample, Tenure};
use crate::tally::outcome::{Excuse, Obligation, Outcome};

/// One whole, in parts per million.
const WHOLE: u64 = 1_000_000;

/// Fewer statuses than this cannot come evenly or unevenly.
const JITTER_SAMPLES_MIN: usize = 3;

impl Bench<'_> {
    /// The obligations of the hour, if the tenure lived long enough in it.
    pub(super) fn hourly(&self, tenure: &Tenure, owed: &mut Vec<Owed>) {
        let Some((from_ms, due_ms)) = self.lived(tenure) else { return };
        let heard = |sample: &&Sample| from_ms <= sample.at_ms && sample.at_ms <= due_ms;
        let samples: Vec<Sample> = tenure.samples.iter().filter(heard).copied().collect();
        let mut owe = |obligation, outcome| owed.push(Owed { due_ms, obligation, outcome });
        owe(Obligation::Quality, self.quality(tenure, &samples, due_ms));
        if let Some(share) = self.class.jitter_share_ppm
            && let Some(jitter) = self.jitter_ppm(&samples)
        {
            let is_even = jitter <= u64::from(share.0);
            owe(Obligation::Jitter, if is_even { Outcome::Good } else { Outcome::Bad });
        }
        if let Some(share) = self.class.status_share_ppm.filter(|_| !samples.is_empty()) {
            let clean = samples.iter().filter(|sample| !sample.is_error).count();
            let is_clean =
                wide(clean) * u128::from(WHOLE) >= wide(samples.len()) * u128::from(share.0);
            owe(Obligation::Status, if is_clean { Outcome::Good } else { Outcome::Bad });
        }
    }

    /// From when to when the tenure lived in the hour, if that is long enough to owe anything.
    fn lived(&self, tenure: &Tenure) -> Option<(UnixMillis, UnixMillis)> {
        let after = self.class.quality_after_ms?;
        let from_ms = tenure.start_ms.max(self.hour.start());
        let last_ms = self.hour.end().minus(Millis(1));
        // Nobody owes frames for the time in which nobody spoke: a session that fell silent lived to its last word.
        let lived_ms = self.end(tenure).map_or(last_ms, |end| match end.how {
            How::Silent => self.episode.told_ms(),
            _ => end.at_ms,
        });
        let due_ms = lived_ms.min(last_ms);
        (due_ms.since(from_ms)? >= after).then_some((from_ms, due_ms))
    }

    /// The frames of the hour: good if at least half of the statuses reach the objective.
    fn quality(&self, tenure: &Tenure, samples: &[Sample], due_ms: UnixMillis) -> Outcome {
        let verdicts = samples.iter().filter_map(|sample| self.reaches(sample));
        let (good, all) = verdicts
            .fold((0u64, 0u64), |(good, all), reached| (good + u64::from(reached), all + 1));
        if all > 0 {
            if 2 * good >= all { Outcome::Good } else { Outcome::Bad }
        } else if samples.iter().any(|sample| sample.fps_in == Some(MilliFps(0))) {
            Outcome::Excused(Excuse::InputFailed)
        } else if samples.is_empty() {
            self.silence(tenure, due_ms)
        } else {
            Outcome::Missing
        }
    }

    /// The frames per second that were possible: the smaller of what came in and the target; none while nothing does.
    fn possible(&self, sample: &Sample) -> Option<u64> {
        let target = self.class.fps_target_milli.map_or(u32::MAX, |target| target.0);
        let possible = sample.fps_in?.0.min(target);
        (possible > 0).then_some(u64::from(possible))
    }

    /// Whether frames out reach their share of what was possible; unknown while nothing comes in.
    fn reaches(&self, sample: &Sample) -> Option<bool> {
        let needed = self.possible(sample)? * u64::from(self.class.fps_share_ppm?.0);
        Some(u64::from(sample.fps_out?.0) * WHOLE >= needed)
    }

    /// How far the frames out strayed, on average, from their mean, in parts per million of it, rounded down. Each is
    /// taken as a share of what was possible, or an uneven input would be the orchestrator's fault. Nothing where too
    /// few statuses tell, or no frame came out.
    pub fn jitter_ppm(&self, samples: &[Sample]) -> Option<u64> {
        let share = |sample: &Sample| {
            let (possible, out) = (self.possible(sample)?, u64::from(sample.fps_out?.0));
            Some(out.min(possible) * WHOLE / possible)
        };
        let shares: Vec<u64> = samples.iter().filter_map(share).collect();
        let (count, sum) =
            (wide(shares.len()), shares.iter().map(|it| u128::from(*it)).sum::<u128>());
        if shares.len() < JITTER_SAMPLES_MIN || sum == 0 {
            return None;
        }
        let strayed: u128 = shares.iter().map(|it| (u128::from(*it) * count).abs_diff(sum)).sum();
        u64::try_from(strayed * u128::from(WHOLE) / (count * sum)).ok()
    }
}

fn wide(count: usize) -> u128 {
    u128::try_from(count).unwrap_or(u128::MAX)
}
