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
    let own = format!("id = \"{id}-changed\"");
    lines
        .iter_mut()
        .filter(|line| line.starts_with("id = "))
        .for_each(|line| line.clone_from(&own));
    Policy::parse(&lines.join("\n")).unwrap()
}

/// The default policy where little is asked of sources, so that small worlds have scores.
pub fn lenient() -> Policy {
    let constants = [
        ("source_obligations_min", 2),
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
