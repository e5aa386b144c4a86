//! The rules of CONVENTIONS.md that a machine can hold: crate arrows, sizes, names, and lists that must agree.
//!
//! It reads the checkout's own files as text and nothing else: no crate of ours is called, no process but `git ls-files`
//! is started, and nothing is ever written. Each failure names the place and says what to do.

#[path = "tidy/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;

use text::{
    Citation, before_tests, citations, codes, functions, links, machine_trace, module_name,
};

/// Which crates each crate may import: the arrows of ARCHITECTURE.md, floor by floor, never upward.
const ARROWS: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("pace", &[]),
    ("channel", &["pace"]),
    ("sla", &["events"]),
    ("ledger", &["events"]),
    ("publisher", &["events", "channel"]),
    ("simulator", &["events"]),
    ("dataset", &["events"]),
    ("warehouse", &["events", "sla"]),
    ("pipeline", &["events", "sla", "ledger", "channel", "warehouse"]),
    ("api", &["events", "pace", "sla", "ledger", "dataset", "warehouse"]),
    (
        "naap",
        &[
            "events",
            "pace",
            "channel",
            "sla",
            "ledger",
            "publisher",
            "simulator",
            "dataset",
            "warehouse",
            "pipeline",
            "api",
        ],
    ),
];

/// All that the pure crates may link from outside: what computes, never what asks or reaches out.
const PURE: &[(&str, &[&str])] = &[
    (
        "events",
        &[
            "ed25519-dalek",
            "hex",
            "k256",
            "memchr",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "sha3",
            "thiserror",
            "zstd",
        ],
    ),
    ("sla", &["memchr", "num-bigint", "schemars", "serde", "serde_json", "thiserror", "toml"]),
];

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 400;

/// Lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "core", "types", "utils", "util", "helpers", "helper", "misc", "shared"];

#[test]
fn crates_import_only_along_the_arrows() {
    let mut findings = Vec::new();
    for (name, manifest) in manifests() {
        let Some(allowed) = lookup(ARROWS, &name) else {
            findings.push(format!("crates/{name} is not in the table of arrows"));
            continue;
        };
        for dependency in dependencies(&manifest, &["dependencies", "build-dependencies"]) {
            if is_ours(&dependency) && !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{name} -> {dependency}"));
            }
        }
        // Tests may look sideways and up, but the two crates that everything stands on are tested alone.
        let is_ground = allowed.is_empty();
        for dependency in dependencies(&manifest, &["dev-dependencies"]) {
            if is_ground && is_ours(&dependency) && dependency != name {
                findings.push(format!("{name} -> {dependency} (dev)"));
            }
        }
    }
    expect_none(
        &findings,
        "move the code to where the arrow is allowed; or, in a commit of its own, change ARROWS in tidy.rs and \
         ARCHITECTURE.md together and say why",
    );
}

#[test]
fn pure_crates_link_only_what_computes() {
    let mut findings = Vec::new();
    let manifests = manifests();
    for (name, allowed) in PURE {
        let manifest = manifests.get(*name).expect("the pure crates exist");
        for dependency in dependencies(manifest, &["dependencies", "build-dependencies"]) {
            if !is_ours(&dependency) && !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{name} -> {dependency}"));
            }
        }
        let lib = read(&format!("crates/{name}/src/lib.rs"));
        if !lib
            .lines()
            .any(|line| line.starts_with("#![") && line.contains("clippy::float_arithmetic"))
        {
            findings.push(format!(
                "crates/{name}/src/lib.rs lacks `#![deny(clippy::float_arithmetic)]`"
            ));
        }
    }
    let bans = |name: &str| {
        let file: toml::Table =
            read(&format!("crates/{name}/clippy.toml")).parse().expect("clippy.toml is TOML");
        ["disallowed-methods", "disallowed-types"].map(|key| file.get(key).cloned())
    };
    if bans("events").contains(&None) || bans("events") != bans("sla") {
        findings.push(
            "crates/events/clippy.toml and crates/sla/clippy.toml ban different things".to_owned(),
        );
    }
    expect_none(
        &findings,
        "`events` and `sla` give the same answer everywhere and for ever: do it in another crate, or argue it in \
         docs/decisions and then extend PURE in tidy.rs",
    );
}

#[test]
fn dependencies_come_from_the_registry() {
    let lock: toml::Table = read("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let packages =
        lock.get("package").and_then(toml::Value::as_array).expect("Cargo.lock lists packages");
    let sources = packages.iter().filter_map(|package| package.get("source")?.as_str());
    let findings: Vec<&str> = sources.filter(|source| !source.starts_with("registry+")).collect();
    expect_none(
        &findings,
        "a git source can be rewritten under us: wait for the release, or do without",
    );
}

#[test]
fn files_and_functions_stay_readable() {
    let mut findings = Vec::new();
    for path in tracked(".rs") {
        let text = read(&path);
        let lines = before_tests(&text).lines().count();
        if lines > FILE_LINES_MAX {
            findings
                .push(format!("{path}: {lines} lines before its tests, at most {FILE_LINES_MAX}"));
        }
        for (line, lines, name) in functions(&text) {
            if lines > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{path}:{line}: `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"
                ));
            }
        }
    }
    expect_none(
        &findings,
        "split by idea: push `if`s up and `for`s down, and name the parts after the domain",
    );
}

#[test]
fn files_say_first_what_they_are() {
    let sources = tracked(".rs").into_iter().filter(|path| path.starts_with("crates/"));
    let findings: Vec<String> = sources.filter(|path| !read(path).starts_with("//! ")).collect();
    expect_none(
        &findings,
        "begin the file with a `//!` paragraph: what this is, and what it never does",
    );
}

#[test]
fn names_say_what_is_inside() {
    let mut findings = Vec::new();
    for path in tracked(".rs") {
        if path.ends_with("/mod.rs") {
            findings.push(format!("{path}: give it its folder's name, `foo.rs` beside `foo/`"));
        }
        let parts = path.trim_end_matches(".rs").split('/').map(str::to_owned);
        let modules = read(&path).lines().filter_map(module_name).collect::<Vec<_>>();
        for name in parts.chain(modules).filter(|name| EMPTY_NAMES.contains(&name.as_str())) {
            findings.push(format!("{path}: `{name}` says nothing"));
        }
    }
    expect_none(&findings, "name the idea, not the drawer");
}

#[test]
fn every_refusal_code_is_explained() {
    let mut used = BTreeMap::new();
    for path in tracked(".rs")
        .into_iter()
        .filter(|path| path.starts_with("crates/") && path.contains("/src/"))
    {
        for code in codes(before_tests(&read(&path)), '"') {
            used.entry(code).or_insert_with(|| path.clone());
        }
    }
    let document =
        if exists("docs/refusals.md") { read("docs/refusals.md") } else { String::new() };
    let explained: BTreeSet<String> = codes(&document, '`').into_iter().collect();
    let missing = used.iter().filter(|(code, _)| !explained.contains(*code));
    let stale = explained.iter().filter(|code| !used.contains_key(*code));
    let findings: Vec<String> = missing
        .map(|(code, path)| format!("{code} of {path} is not in docs/refusals.md"))
        .chain(stale.map(|code| format!("{code} of docs/refusals.md is in no source file")))
        .collect();
    expect_none(
        &findings,
        "say in docs/refusals.md what the code means and what its sender can do",
    );
}

#[test]
fn configuration_is_documented_by_its_defaults() {
    if !exists("crates/naap/default.toml") {
        return;
    }
    read("crates/naap/default.toml")
        .parse::<toml::Table>()
        .expect("crates/naap/default.toml is TOML");
    // Only the configuration's own types know their keys, so the comparison is a test beside them.
    let is_comparison = |line: &str| line.trim_start().starts_with("fn default_toml_");
    let is_compared = tracked(".rs")
        .iter()
        .filter(|path| path.starts_with("crates/naap/") && !path.ends_with("/tidy.rs"))
        .any(|path| read(path).lines().any(is_comparison));
    let findings: &[&str] =
        if is_compared { &[] } else { &["crates/naap has no test `default_toml_…`"] };
    expect_none(
        findings,
        "test that default.toml gives every key of the configuration and no other, \
         for example in `fn default_toml_names_every_key`",
    );
}

#[test]
fn options_of_make_run_are_told_wherever_they_are_listed() {
    let script = read("scripts/run");
    let names = script.split("${").skip(1).filter_map(|rest| rest.split_once(":-"));
    let names: BTreeSet<&str> =
        names.map(|(name, _)| name).filter(|name| *name != "CARGO_TARGET_DIR").collect();
    assert!(names.contains("INTAKE") && names.contains("KAFKA"), "{names:?}");
    let mut findings = Vec::new();
    for page in ["Makefile", "scripts/run", "README.md"] {
        let text = read(page);
        let missing = names.iter().filter(|name| !text.contains(&format!("{name}=")));
        findings.extend(missing.map(|name| format!("{page}: {name}")));
    }
    expect_none(&findings, "say what the option does there");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut findings = Vec::new();
    for path in tracked("") {
        for (index, line) in read(&path).lines().enumerate() {
            if let Some(trace) = machine_trace(line) {
                findings.push(format!("{path}:{}: {trace}", index + 1));
            }
        }
    }
    expect_none(
        &findings,
        "use a path relative to the checkout, an argument, or a lock file that leaves out hosts",
    );
}

#[test]
fn documents_point_at_what_exists() {
    let mut findings = Vec::new();
    for path in tracked(".md") {
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        for target in links(&read(&path)) {
            if !root().join(folder).join(&target).exists() {
                findings.push(format!("{path}: {target} does not exist"));
            }
        }
    }
    let map = read("ARCHITECTURE.md");
    for name in manifests().keys().filter(|name| !map.contains(&format!("`crates/{name}`"))) {
        findings.push(format!("ARCHITECTURE.md: the code map lacks `crates/{name}`"));
    }
    expect_none(&findings, "mend the link or the map");
}

#[test]
fn comments_cite_what_can_be_read_here() {
    let mut findings = Vec::new();
    for path in [".rs", ".toml", ".md"].into_iter().flat_map(tracked) {
        for cited in citations(&read(&path)) {
            let is_there = match &cited {
                Citation::Section(document, heading) => {
                    let is_heading = |line: &str| line.trim_start_matches('#').trim() == heading;
                    exists(document)
                        && read(document)
                            .lines()
                            .any(|line| line.starts_with('#') && is_heading(line))
                }
                Citation::Case(number) => tracked("case.toml")
                    .iter()
                    .any(|case| case.starts_with(&format!("cases/{number}-"))),
                Citation::Elsewhere(_) => false,
            };
            if !is_there {
                findings.push(format!("{path}: {cited:?}"));
            }
        }
    }
    expect_none(&findings, "say it in words, or cite a section of docs/ or a case that exists");
}

/// Fails with every finding at once and what to do about them.
fn expect_none<T: Display>(findings: &[T], remedy: &str) {
    let list: String = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    assert!(findings.is_empty(), "{list}\nwhat to do: {remedy}\n");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The text of a file; bytes that are not UTF-8 are replaced, since no rule is about them.
fn read(path: &str) -> String {
    let bytes =
        std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("reading {path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The files in git, or about to be, whose path has this ending; paths are relative to the root.
fn tracked(ending: &str) -> Vec<String> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs: it says which files are ours");
    assert!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).expect("our file names are UTF-8");
    list.split('\0')
        .filter(|path| path.ends_with(ending) && root().join(path).is_file())
        .map(str::to_owned)
        .collect()
}

/// Every crate's manifest, by the crate's name.
fn manifests() -> BTreeMap<String, toml::Table> {
    let name =
        |path: &str| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").map(str::to_owned);
    let manifest =
        |path: &String| Some((name(path)?, read(path).parse().expect("a manifest is TOML")));
    tracked("/Cargo.toml").iter().filter_map(manifest).collect()
}

/// The names under these tables of a manifest, those for a single target included.
fn dependencies(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets =
        targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let mut names = BTreeSet::new();
    for parent in targets.chain([manifest]) {
        for table in tables.iter().filter_map(|key| parent.get(*key)?.as_table()) {
            names.extend(table.keys().cloned());
        }
    }
    names
}

fn lookup<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

fn is_ours(dependency: &str) -> bool {
    exists(&format!("crates/{dependency}/Cargo.toml"))
}
