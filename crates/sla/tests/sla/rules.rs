//! Policies as files: those that come with the software read, and a wrong one is refused with the line and the reason.

use events::event::Workload;
use sla::policy::rule::Rule;
use sla::policy::{BUILT_IN, DEFAULT, Policy};

#[test]
fn policies_that_come_with_the_software_read() {
    assert_eq!(Policy::standard().id, "evidence-1");
    for (id, text) in BUILT_IN {
        let policy = Policy::parse(text).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(&policy.id, id);
    }
    // Ours measure every workload; what is kept for comparison measures what it scores.
    for id in ["evidence-1", "reliability-1"] {
        let policy = Policy::built_in(id).unwrap();
        for workload in Workload::ALL {
            assert!(policy.observe.class(*workload).is_some(), "{id} {workload}");
        }
    }
}

#[test]
fn every_workload_has_a_composite() {
    let Rule::Evidence(rule) = Policy::standard().score else {
        panic!("the default weighs evidence")
    };
    for workload in Workload::ALL {
        assert_eq!(rule.components(*workload).map(|component| component.weight).sum::<u32>(), 16);
    }
}

/// The line of `text` that begins with `start`, the so-many-th, counted from one.
fn line_of(text: &str, start: &str, at: usize) -> usize {
    let found = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with(start)).nth(at);
    found.unwrap_or_else(|| panic!("{start}")).0
}

#[test]
fn a_wrong_policy_says_where_and_why() {
    let own = DEFAULT.replace("id = \"evidence-1\"", "id = \"another\"");
    assert!(Policy::parse(&own).is_ok());
    let component = "[[score.component]]";
    let class = "[[observe.class]]";
    let wrong = [
        ("id = \"another\"", "id = \"Another One\"", "id = ", 0, "lower-case"),
        ("id = \"another\"", "id = \"evidence-1\" # changed", "id = ", 0, "another policy"),
        ("block_ms = 600000", "block_ms = 700000", "block_ms", 0, "divide an hour"),
        ("grace_ms = 60000", "grace_ms = 600000", "grace_ms", 0, "300 000"),
        ("idle_ms = 120000\nstart", "idle_ms = 900000\nstart", class, 0, "idle_ms"),
        ("latency_objective_ms = 30000", "latency_objective_ms = 3600001", class, 2, "one hour"),
        ("workload = \"llm\"\nidle", "workload = \"byoc\"\nidle", class, 4, "twice"),
        ("weight = 8", "weight = 7", component, 2, "sum to 15, not 16"),
        ("weight = 3", "weight = 17", component, 2, "weight 17"),
        ("name = \"quality\"", "name = \"latency\"", component, 2, "twice"),
        (
            "[\"latency\", \"end_to_end\"]",
            "[\"latency\", \"start\"]",
            component,
            1,
            "two components",
        ),
        ("obligations = [\"output\"]", "obligations = [\"quality\"]", component, 6, "not owed"),
        ("obligations = [\"output\"]", "obligations = []", component, 6, "no obligation"),
        ("factor_ppm = 375000", "factor_ppm = 1000001", "factor_ppm", 0, "1000001"),
        ("tail_ppm = 50000", "tail_ppm = 0", "tail_ppm", 0, "outside 1"),
        ("correlation_ppm = 100000", "correlation_ppm = 1000001", "correlation_ppm", 0, "1000001"),
        (
            "excused_share_max_ppm = 10000",
            "excused_share_max_ppm = 1000001",
            "excused_share_max_ppm",
            0,
            "1000001",
        ),
        (
            "grade_b_sources_min = 2",
            "grade_b_sources_min = 4",
            "grade_a_sources_min",
            0,
            "outside 4",
        ),
        ("bad_share_ppm = 500000", "bad_share_ppm = 2000000", "bad_share_ppm", 0, "2000000"),
    ];
    for (from, to, start, at, named) in wrong {
        assert!(own.contains(from), "{from}");
        let text = own.replacen(from, to, 1);
        let why = Policy::parse(&text).unwrap_err().why;
        let line = format!("line {}: ", line_of(&text, start, at));
        assert!(why.starts_with(&line) && why.contains(named), "{to}: {why}");
    }
}

#[test]
fn what_is_no_policy_at_all_says_the_line_too() {
    let own = DEFAULT.replace("id = \"evidence-1\"", "id = \"another\"");
    let unreadable = [
        ("\"start\", ", "\"begin\", ", "begin"),
        ("grace_ms = 60000", "grace_ms = -1", "grace_ms"),
        ("cap_times = 1", "cap_times = 1\ncap_more = 3", "cap_more"),
        ("method = \"evidence\"", "method = \"magic\"", "magic"),
        ("z_nano = 1644853627", "", "z_nano"),
    ];
    for (from, to, named) in unreadable {
        let why = Policy::parse(&own.replacen(from, to, 1)).unwrap_err().why;
        assert!(why.contains(named) && why.contains("line "), "{to}: {why}");
    }
}
