//! Counters in the text format of Prometheus, gathered from whoever has some. It keeps no counter of others.
//!
//! Each role passes in a contributor, which writes its families into an [`Exposition`] whenever somebody asks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The media type of the text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the counters of one role. It may block for a moment; it must end by itself.
pub type Contributor = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

/// Whether a family only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    meaning: &'static str,
    /// Labels as they are written, with the value.
    samples: BTreeMap<String, u64>,
}

/// All families that were contributed, each once, whoever wrote into it.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
}

impl Exposition {
    /// Adds to a counter `naap_<noun>_<unit>_total`, under these labels.
    ///
    /// Values under equal labels add up. A name against the convention is a mistake of ours: tests of the contributors
    /// find it by [`Self::faults`].
    pub fn counter(
        &mut self,
        name: &'static str,
        meaning: &'static str,
        labels: &[(&str, &str)],
        value: u64,
    ) {
        self.add(Kind::Counter, name, meaning, labels, value);
    }

    /// Adds to a gauge `naap_<noun>_<unit>`, which also goes down, under these labels.
    pub fn gauge(
        &mut self,
        name: &'static str,
        meaning: &'static str,
        labels: &[(&str, &str)],
        value: u64,
    ) {
        self.add(Kind::Gauge, name, meaning, labels, value);
    }

    fn add(
        &mut self,
        kind: Kind,
        name: &'static str,
        meaning: &'static str,
        labels: &[(&str, &str)],
        value: u64,
    ) {
        let samples = BTreeMap::new;
        let family = self.families.entry(name).or_insert_with(|| Family {
            kind,
            meaning,
            samples: samples(),
        });
        let sum = family.samples.entry(written(labels)).or_default();
        *sum = sum.saturating_add(value);
    }

    /// The names and labels that break the convention; empty where all is well.
    pub fn faults(&self) -> Vec<String> {
        let is_word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let is_fault = |(name, family): &(&&str, &Family)| {
            let counts = name.ends_with("_total");
            !is_word(name) || !name.starts_with("naap_") || counts != (family.kind == Kind::Counter)
        };
        self.families.iter().filter(is_fault).map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.families {
            let meaning = family.meaning.replace('\\', "\\\\").replace('\n', "\\n");
            text.push_str(&format!(
                "# HELP {name} {meaning}\n# TYPE {name} {}\n",
                family.kind.word()
            ));
            for (labels, value) in &family.samples {
                text.push_str(&format!("{name}{labels} {value}\n"));
            }
        }
        text
    }
}

/// Labels as the format wants them: backslash, quote and line feed escaped.
fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut text = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let comma = if index > 0 { "," } else { "" };
        write!(text, "{comma}{name}=\"{value}\"").expect("writing to a string does not fail");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut exposition = Exposition::default();
        exposition.counter(
            "naap_batches_refused_total",
            "Batches.\nRefused.",
            &[("code", "a\"b\\c\nd")],
            2,
        );
        exposition.counter(
            "naap_batches_refused_total",
            "Batches.\nRefused.",
            &[("code", "a\"b\\c\nd")],
            1,
        );
        exposition.gauge("naap_backlog_bytes", "Waiting.", &[], 7);
        let expected = "# HELP naap_backlog_bytes Waiting.\n# TYPE naap_backlog_bytes gauge\nnaap_backlog_bytes 7\n\
            # HELP naap_batches_refused_total Batches.\\nRefused.\n# TYPE naap_batches_refused_total counter\n\
            naap_batches_refused_total{code=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert_eq!(exposition.text(), expected);
        assert!(exposition.faults().is_empty());
    }

    #[test]
    fn names_against_the_convention_are_found() {
        let mut exposition = Exposition::default();
        exposition.counter("naap_batches", "", &[], 1);
        exposition.counter("batches_total", "", &[], 1);
        exposition.gauge("naap_Backlog", "", &[], 1);
        exposition.gauge("naap_backlog_total", "", &[], 1);
        assert_eq!(exposition.faults().len(), 4);
    }
}
