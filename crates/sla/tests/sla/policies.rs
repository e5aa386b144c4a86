//! Policies for tests: those that come with the software, and such with other constants.

use sla::policy::Policy;

/// A policy that comes with the software, with some of its constants changed; a changed one has another id.
pub fn changed<'a>(id: &str, constants: impl IntoIterator<Item = (&'a str, u64)>) -> Policy {
    let policy = Policy::built_in(id).unwrap();
    let mut lines: Vec<String> = policy.text.lines().map(str::to_owned).collect();
    let mut is_changed = false;
    for (name, value) in constants {
        let start = format!("{name} = ");
        let line = lines.iter_mut().find(|line| line.starts_with(&start));
        *line.unwrap_or_else(|| panic!("{name} is no constant of {id}")) =
            format!("{start}{value}");
        is_changed = true;
    }
    if !is_changed {
        return policy;
    }
    renamed(&policy.id, &lines.join("\n"))
}

/// A policy of these words, under the name of one that was changed.
fn renamed(id: &str, text: &str) -> Policy {
    let own = format!("id = \"{}-changed\"", id.trim_end_matches("-changed"));
    let line = |line: &str| if line.starts_with("id = ") { own.clone() } else { line.to_owned() };
    let lines: Vec<String> = text.lines().map(line).collect();
    Policy::parse(&lines.join("\n")).unwrap()
}

/// A policy with more rows of objectives; itself where there are none.
pub fn with(policy: &Policy, objectives: &str) -> Policy {
    if objectives.is_empty() {
        return policy.clone();
    }
    renamed(&policy.id, &[&policy.text, "\n", objectives].concat())
}

/// A policy that counts as this one does, and pools what it counts.
pub fn pooled(policy: &Policy) -> Policy {
    let score = "\n[score]\n";
    let (observe, _) = policy.text.split_once(score).unwrap();
    let ours = Policy::built_in("reliability-1").unwrap();
    let (_, rule) = ours.text.split_once(score).unwrap();
    renamed(&policy.id, &[observe, score, rule].concat())
}

/// The default policy where little is asked of sources, so that small worlds have scores.
pub fn lenient() -> Policy {
    let constants = [
        ("source_observations_min", 2),
        ("source_age_min_ms", 0),
        ("counterparties_min", 0),
        ("record_min_ms", 0),
        ("factor_ppm", 1_000_000),
        ("operators_min", 2),
    ];
    changed("evidence-1", constants)
}

/// One of the policies that every law holds for.
pub fn any(seed: u64) -> Policy {
    match seed % 4 {
        0 => Policy::standard(),
        1 => changed("reliability-1", []),
        _ => lenient(),
    }
}
