//! Draws a badge: two boxes with text, in fonts that every machine has. It knows no operator and fetches nothing.

use std::fmt::Write as _;

/// What a badge is to look like at a glance. White text stands out from each of the colours by 4.5 to 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A good score.
    Good,
    /// There is too little evidence to say: stripes and no colour.
    Insufficient,
    /// A low score.
    Low,
    /// A middling score.
    Middling,
    /// Nothing is known: an empty box with a broken edge.
    Unknown,
}

/// A badge to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is about.
    pub label: String,
    /// What it says.
    pub shown: String,
    /// All of it in words, for whoever does not see it.
    pub title: String,
    /// How it looks.
    pub tone: Tone,
}

/// The most characters of either text.
const CHARS_MAX: usize = 60;

/// How wide a character is taken to be, in tenths of a pixel. The texts are stretched to that, whatever the font.
const CHAR_TENTHS: usize = 66;

/// The room beside a text, in pixels.
const ROOM: usize = 6;

impl Picture {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let (label, shown) = (cut(&self.label), cut(&self.shown));
        let (left, right) = (width(&label), width(&shown));
        let whole = left + right;
        let title = escaped(&self.title);
        let (fill, edge, ink) = self.tone.paint();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
             aria-label=\"{title}\"><title>{title}</title>"
        );
        if self.tone == Tone::Insufficient {
            svg.push_str(
                "<defs><pattern id=\"stripes\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#57606a\"/><rect width=\"3\" \
                 height=\"8\" fill=\"#4a525b\"/></pattern></defs>",
            );
        }
        let parts = format!(
            "<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"19\" rx=\"3\" fill=\"#24292f\" stroke=\"#8b949e\"/>\
             <rect x=\"{left}\" y=\"0.5\" width=\"{}\" height=\"19\" rx=\"3\" fill=\"{fill}\" {edge}/>\
             <g font-family=\"Verdana,DejaVu Sans,Geneva,sans-serif\" font-size=\"11\">",
            whole - 1,
            whole - left - 1,
        );
        svg.push_str(&parts);
        for (from, room, text, ink) in [(0, left, &label, "#ffffff"), (left, right, &shown, ink)] {
            let (at, length) = (from + ROOM, room - 2 * ROOM);
            // A String takes whatever is written.
            write!(
                svg,
                "<text x=\"{at}\" y=\"14\" fill=\"{ink}\" textLength=\"{length}\" \
                 lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                escaped(text)
            )
            .ok();
        }
        svg.push_str("</g></svg>\n");
        svg
    }
}

impl Tone {
    /// The fill of the box, its edge, and the colour of the text in it.
    fn paint(self) -> (&'static str, &'static str, &'static str) {
        let (plain, broken) = ("stroke=\"#8b949e\"", "stroke=\"#57606a\" stroke-dasharray=\"3 2\"");
        match self {
            Self::Good => ("#1a7f37", plain, "#ffffff"),
            Self::Middling => ("#8a6100", plain, "#ffffff"),
            Self::Low => ("#b42318", plain, "#ffffff"),
            Self::Insufficient => ("url(#stripes)", plain, "#ffffff"),
            Self::Unknown => ("#f6f8fa", broken, "#24292f"),
        }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

fn width(text: &str) -> usize {
    (text.chars().count() * CHAR_TENTHS).div_ceil(10) + 2 * ROOM
}

/// A text as XML may hold it, in elements and attributes alike.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML 1.0 has no place for these at all, escaped or not.
            '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out() {
        let hostile = "\"/><script>alert('1')</script>&\u{1}";
        let picture = Picture {
            label: hostile.to_owned(),
            shown: hostile.to_owned(),
            title: hostile.to_owned(),
            tone: Tone::Low,
        };
        let svg = picture.svg();
        assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{svg}");
        assert_eq!(svg.matches("&lt;script&gt;").count(), 4, "{svg}");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(cut(&"m".repeat(200)).chars().count(), CHARS_MAX);
        assert_eq!(cut("short"), "short");
    }
}
