//! What tidy sees in the text of a file: functions, modules, codes, links, traces of a machine.
//!
//! It looks at lines and never parses; it leans on rustfmt for the shape of Rust, and knows no path.

/// The name of the module that this line declares or opens.
pub fn module_name(line: &str) -> Option<String> {
    let (before, after) = line.trim().split_once("mod ")?;
    let is_declaration = before.is_empty()
        || before == "pub "
        || (before.starts_with("pub(") && before.ends_with(' '));
    is_declaration.then(|| after.trim_end_matches(['{', '}', ';', ' ']).to_owned())
}

/// The part of a source file that is not its tests.
pub fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

/// First line, length and name of each function with a body.
///
/// It leans on rustfmt: a function that begins at some indentation ends at the next lone `}` of that indentation.
pub fn functions(text: &str) -> Vec<(usize, usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, first) in lines.iter().enumerate() {
        let Some(name) = function_name(first) else { continue };
        let indentation = first.strip_suffix(first.trim_start()).unwrap_or("");
        let (end, bodyless) = (format!("{indentation}}}"), format!("{indentation})"));
        for (offset, line) in lines.iter().enumerate().skip(start + 1) {
            let is_next =
                function_name(line).is_some() && !line.starts_with(&format!("{indentation} "));
            if is_next || (line.starts_with(&bodyless) && line.ends_with(';')) {
                break;
            }
            if *line == end {
                found.push((start + 1, offset - start + 1, name));
                break;
            }
        }
    }
    found
}

/// The name of the function that begins on this line and goes on below it.
fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let is_qualifier = |word: &str| {
        ["pub", "const", "async", "default"].contains(&word) || word.starts_with("pub(")
    };
    let is_whole = line.ends_with(';') || line.ends_with('}');
    let name = after.split(['(', '<']).next()?;
    (before.split_whitespace().all(is_qualifier) && !is_whole).then(|| name.to_owned())
}

/// The refusal codes that stand alone between two of these quotes.
pub fn codes(text: &str, quote: char) -> Vec<String> {
    let is_code_letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    let is_code = |word: &&str| {
        word.strip_prefix("E-")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_code_letter))
    };
    text.lines().flat_map(|line| line.split(quote)).filter(is_code).map(str::to_owned).collect()
}

/// What in this line makes sense on its author's machine only.
///
/// The patterns are put together here so that this file does not hold them itself.
pub fn machine_trace(line: &str) -> Option<String> {
    let folders = ["work", "farm", "home", "Users"].map(|folder| format!("/{folder}/"));
    let hosts = [["\"resolved\": ", "\"http"].concat(), ["index", "-url"].concat()];
    if let Some(trace) =
        folders.into_iter().chain(hosts).find(|trace| line.contains(trace.as_str()))
    {
        return Some(trace);
    }
    let scratch = ["/", "tmp", "/"].concat();
    let mut names = line
        .split(scratch.as_str())
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next());
    names
        .find(|name| *name == "naap" || name.ends_with("-lab"))
        .map(|name| format!("{scratch}{name}"))
}

/// The relative targets of a document's links, without their anchors.
pub fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let is_relative =
        |target: &&str| !target.is_empty() && !target.contains(':') && !target.starts_with('/');
    targets.filter(is_relative).map(str::to_owned).collect()
}

/// What a comment refers to.
#[derive(Debug, PartialEq, Eq)]
pub enum Citation {
    /// A case by its number.
    Case(String),
    /// A section of something that is not here.
    Elsewhere(String),
    /// A document and one of its headings.
    Section(String, String),
}

/// What a text cites: sections as a file below docs/, a comma and the quoted heading, and cases by their four digits.
pub fn citations(text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (before, after) in text.match_indices(".md, \"").map(|(at, _)| text.split_at(at)) {
        let name = before.rsplit(|c: char| !(c.is_alphanumeric() || "-_/".contains(c))).next();
        let heading = after.split('"').nth(1);
        found.extend(
            name.zip(heading)
                .filter(|(name, _)| name.starts_with("docs/"))
                .map(|(name, heading)| Citation::Section(format!("{name}.md"), heading.to_owned())),
        );
    }
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for (word, next) in words.iter().zip(words.iter().skip(1)) {
        let is_number = next.len() == 4 && next.chars().all(|c| c.is_ascii_digit());
        if ["case", "cases"].contains(word) && is_number {
            found.push(Citation::Case((*next).to_owned()));
        }
        if word.len() > 4 && *next == "section" && word.chars().all(|c| c.is_ascii_uppercase()) {
            found.push(Citation::Elsewhere((*word).to_owned()));
        }
    }
    found
}

#[test]
fn citations_are_found() {
    let text =
        ["x (docs/a-b.md", ", \"Open jobs\"; case ", "0041), case 41, (PAPER", " section 2)."]
            .concat();
    let section = Citation::Section("docs/a-b.md".to_owned(), "Open jobs".to_owned());
    let (case, other) =
        (Citation::Case("0041".to_owned()), Citation::Elsewhere("PAPER".to_owned()));
    assert_eq!(citations(&text), [section, case, other]);
}

#[test]
fn a_function_is_measured_from_its_name_to_its_brace() {
    let text = "
impl Shape {
    pub(crate) async fn long<T>(
        of: T,
    ) -> u8 {
        if true {
        }
        1
    }
    fn empty() {}
}
trait Sound {
    fn declared(
        a: u8,
    ) -> u8;
    fn given(&self)
    where
        Self: Sized,
    {
    }
}
// fn in a comment
";
    let expected = [(3, 7, "long".to_owned()), (16, 5, "given".to_owned())];
    assert_eq!(functions(text), expected);
}

#[test]
fn modules_codes_and_links_are_found() {
    assert_eq!(module_name("    pub(crate) mod utils {").as_deref(), Some("utils"));
    assert_eq!(module_name("mod tests;").as_deref(), Some("tests"));
    assert_eq!(module_name("// the mod utils"), None);
    assert_eq!(codes("| `E-A-B` | not `E-` nor E-C |", '`'), ["E-A-B"]);
    assert_eq!(links("[a](b.md#c) [d](#e) [f](https://g) ![h](i/j.png)"), ["b.md", "i/j.png"]);
    assert_eq!(before_tests("a\n#[cfg(test)]\nmod tests {}"), "a");
}

#[test]
fn traces_of_a_machine_are_found() {
    for trace in [
        ["see /", "home/somebody"],
        ["/tm", "p/naap/x"],
        ["/tm", "p/some-lab"],
        ["--extra-index", "-url x"],
    ] {
        assert!(machine_trace(&trace.concat()).is_some(), "{trace:?}");
    }
    for line in ["a / work / of art", "homework/x", "/tmp/naapish", "\"resolved\": false"] {
        assert_eq!(machine_trace(line), None, "{line}");
    }
}
