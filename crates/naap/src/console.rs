//! What a person at the terminal sees: results on standard output, the progress of long work on standard error.
//!
//! Results are lines that scripts may read; progress is not, and can be thrown away. Log lines are `tracing`'s.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Standard output, for results.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console;

impl Console {
    /// Writes a line. A reader that has gone away (`naap … | head`) is told as any other error.
    pub fn line(self, text: impl std::fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Writes text as it is.
    pub fn text(self, text: impl std::fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{text}")?;
        out.flush()
    }
}

/// A line on standard error that tells how far long work has come.
///
/// On a terminal it is rewritten up to five times a second, elsewhere there is a new line every five seconds. What is
/// done within the first second tells nothing.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
    is_terminal: bool,
    next: Instant,
}

impl Progress {
    /// Nothing told yet.
    pub fn new() -> Self {
        let next = Instant::now() + Duration::from_secs(1);
        Self { is_shown: false, is_terminal: io::stderr().is_terminal(), next }
    }

    /// Tells, if it is time to.
    pub fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let mut out = io::stderr().lock();
        let (start, end, pause) =
            if self.is_terminal { ("\r\x1b[2K", "", 200) } else { ("", "\n", 5_000) };
        // Nobody misses progress that cannot be written.
        write!(out, "{start}{}{end}", text()).and_then(|()| out.flush()).ok();
        self.is_shown = true;
        self.next = now + Duration::from_millis(pause);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown && self.is_terminal {
            let mut out = io::stderr().lock();
            // As above.
            write!(out, "\r\x1b[2K").and_then(|()| out.flush()).ok();
        }
    }
}

/// A count with thin groups, so that millions can be read: `5 760 000`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 batch`, `2 batches`: a count with its noun, whose plural ends in `s` or is given.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (5_760_000, "5 760 000")] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!(counted(1, "batch", "batches"), "1 batch");
        assert_eq!(counted(2_000, "batch", "batches"), "2 000 batches");
    }
}
