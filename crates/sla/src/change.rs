//! How operators' standings move from one window to the next of the same length: what is worth telling, and which parts
//! of the score it came from. It reads scorecards and decides no score.

use std::collections::BTreeMap;

use events::event::Workload;
use events::identity::Address;
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::scorecard::{Component, Grade, Scorecard};

/// One part of a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The truth is not below this; absent is unknown.
    pub lower: Option<Ppm>,
    /// Its name.
    pub name: String,
    /// The workload it is of; absent of a score that has no parts by workload.
    pub workload: Option<Workload>,
}

/// How an operator stands over all of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The evidence grade.
    pub grade: Grade,
    /// What the score is made of, by workload and name.
    pub parts: Vec<Part>,
    /// Why there is no score.
    pub reason: Option<String>,
    /// The score; absent is unknown, never zero.
    pub score: Option<Ppm>,
}

/// The standings of a scorecard, by operator; signers that nothing ties to an operator have none.
pub fn standings(card: &Scorecard) -> BTreeMap<Address, Standing> {
    let overall = card.results.iter().filter(|scored| scored.class.is_none());
    let named = overall.filter_map(|scored| {
        let whole = scored.components.iter().map(|component| part(None, component));
        let split = scored.workloads.iter().flat_map(|of| {
            of.components.iter().map(|component| part(Some(of.workload), component))
        });
        let mut parts: Vec<Part> = whole.chain(split).collect();
        parts.sort_by(|one, other| (one.workload, &one.name).cmp(&(other.workload, &other.name)));
        let standing = Standing {
            grade: scored.grade,
            parts,
            reason: scored.reason.clone(),
            score: scored.score,
        };
        Some((scored.operator?, standing))
    });
    named.collect()
}

fn part(workload: Option<Workload>, component: &Component) -> Part {
    Part { lower: component.lower, name: component.name.clone(), workload }
}

events::words! {
    /// What became of a standing.
    What {
        /// The operator is named where it was not before.
        Appeared = "appeared",
        /// The operator is not named any more.
        Disappeared = "disappeared",
        /// The evidence grade is another one.
        Grade = "grade",
        /// The score moved by a step or more, under the same grade.
        Score = "score",
    }
}

/// A part of a score that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedPart {
    /// What it is now; absent is unknown.
    pub after: Option<Ppm>,
    /// What it was; absent is unknown.
    pub before: Option<Ppm>,
    /// Its name.
    pub name: String,
    /// The workload it is of; absent of a score that has no parts by workload.
    pub workload: Option<Workload>,
}

/// A move that is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How it stands now; absent where it is not named any more.
    pub after: Option<Standing>,
    /// How it stood; absent where it was not named.
    pub before: Option<Standing>,
    /// The parts that are not what they were, those that moved furthest first, then by workload and name.
    pub moved: Vec<MovedPart>,
    /// Whose standing it is.
    pub operator: Address,
    /// What became of it.
    pub what: What,
}

/// What is worth telling of two windows, by operator: who comes or goes, another grade, a score that is known or unknown
/// where it was not, and one that moved by `step` or more.
pub fn changes(
    before: &BTreeMap<Address, Standing>,
    after: &BTreeMap<Address, Standing>,
    step: Ppm,
) -> Vec<Change> {
    let mut operators: Vec<&Address> = before.keys().chain(after.keys()).collect();
    operators.sort_unstable();
    operators.dedup();
    let found = operators.into_iter().filter_map(|operator| {
        let (old, new) = (before.get(operator), after.get(operator));
        let what = what(old, new, step)?;
        let moved = moved(old, new);
        let (before, after) = (old.cloned(), new.cloned());
        Some(Change { after, before, moved, operator: *operator, what })
    });
    found.collect()
}

fn what(before: Option<&Standing>, after: Option<&Standing>, step: Ppm) -> Option<What> {
    let (before, after) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => return Some(What::Appeared),
        (Some(_), None) => return Some(What::Disappeared),
        (Some(before), Some(after)) => (before, after),
    };
    if before.grade != after.grade {
        return Some(What::Grade);
    }
    let is_far = match (before.score, after.score) {
        (Some(Ppm(old)), Some(Ppm(new))) => old != new && old.abs_diff(new) >= step.0,
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
    };
    is_far.then_some(What::Score)
}

/// What a part was, and what it is.
type BeforeAfter = (Option<Ppm>, Option<Ppm>);

fn moved(before: Option<&Standing>, after: Option<&Standing>) -> Vec<MovedPart> {
    let mut values: BTreeMap<(Option<Workload>, &str), BeforeAfter> = BTreeMap::new();
    for part in before.into_iter().flat_map(|standing| &standing.parts) {
        values.entry((part.workload, &part.name)).or_default().0 = part.lower;
    }
    for part in after.into_iter().flat_map(|standing| &standing.parts) {
        values.entry((part.workload, &part.name)).or_default().1 = part.lower;
    }
    let differ = values.into_iter().filter(|(_, (before, after))| before != after);
    let mut differ: Vec<MovedPart> = differ
        .map(|((workload, name), (before, after))| MovedPart {
            after,
            before,
            name: name.to_owned(),
            workload,
        })
        .collect();
    // An unknown bound counts as 0, the far end of a proven one, only to decide which part is listed first.
    let ppm = |it: Option<Ppm>| it.map_or(0, |ppm| ppm.0);
    let reach = |moved: &MovedPart| ppm(moved.before).abs_diff(ppm(moved.after));
    differ.sort_by_key(|moved| std::cmp::Reverse(reach(moved)));
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(grade: Grade, score: Option<u32>, parts: &[(&str, Option<u32>)]) -> Standing {
        let part = |(name, lower): &(&str, Option<u32>)| Part {
            lower: lower.map(Ppm),
            name: (*name).to_owned(),
            workload: Some(Workload::LiveVideo),
        };
        Standing {
            grade,
            parts: parts.iter().map(part).collect(),
            reason: score.is_none().then(|| "too little".to_owned()),
            score: score.map(Ppm),
        }
    }

    fn one(before: Option<Standing>, after: Option<Standing>) -> Option<What> {
        let at = |it: Option<Standing>| it.map(|it| (Address([1; 20]), it)).into_iter().collect();
        changes(&at(before), &at(after), Ppm(20_000)).first().map(|change| change.what)
    }

    #[test]
    fn only_what_is_worth_telling_is_told() {
        let b = |score| Some(standing(Grade::B, score, &[]));
        for (before, after, expected) in [
            (None, b(Some(1)), Some(What::Appeared)),
            (b(Some(1)), None, Some(What::Disappeared)),
            (b(Some(900_000)), b(Some(919_999)), None),
            (b(Some(900_000)), b(Some(920_000)), Some(What::Score)),
            (b(Some(920_000)), b(Some(900_000)), Some(What::Score)),
            (b(None), b(Some(0)), Some(What::Score)),
            (b(None), b(None), None),
            (b(Some(1)), Some(standing(Grade::A, Some(1), &[])), Some(What::Grade)),
        ] {
            assert_eq!(one(before.clone(), after.clone()), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_moved_furthest_comes_first() {
        let before = standing(Grade::B, Some(9), &[("a", Some(5)), ("b", Some(9)), ("c", None)]);
        let after = standing(Grade::A, Some(9), &[("a", Some(6)), ("b", Some(2)), ("c", None)]);
        let moved = moved(Some(&before), Some(&after));
        let names: Vec<&str> = moved.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!((moved[0].before, moved[0].after), (Some(Ppm(9)), Some(Ppm(2))));
    }
}
