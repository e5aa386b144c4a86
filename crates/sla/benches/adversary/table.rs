//! What was measured, row by row, and whether it holds.

/// Rows as they come; a breach is remembered.
#[derive(Default)]
pub struct Table {
    breaches: Vec<String>,
}

/// Whether a row is held to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    Yes,
    /// It is beyond what the rules promise, and shown.
    Shown,
}

impl Table {
    pub fn title(&self, title: &str, columns: &str) {
        println!("\n## {title}\n\n{columns}");
        let bars = columns.matches('|').count();
        println!("{}", "|---".repeat(bars - 1) + "|");
    }

    /// A row of cells, and whether what it measured is within its bound.
    pub fn row(&mut self, cells: &[String], judged: Judged, is_held: bool) {
        let verdict = match (judged, is_held) {
            (Judged::Shown, true) => "within",
            (Judged::Shown, false) => "beyond, shown",
            (Judged::Yes, true) => "held",
            (Judged::Yes, false) => "BREACH",
        };
        println!("| {} | {verdict} |", cells.join(" | "));
        if judged == Judged::Yes && !is_held {
            self.breaches.push(cells.join(", "));
        }
    }

    /// What did not hold.
    pub fn breaches(&self) -> &[String] {
        &self.breaches
    }
}

/// Millionths as points, with two digits and a sign.
pub fn points(ppm: i64) -> String {
    let sign = if ppm < 0 { '-' } else { '+' };
    let hundredths = (ppm.unsigned_abs() + 50) / 100;
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Millionths as a share with four digits, rounded down.
pub fn share(ppm: u64) -> String {
    format!("{}.{:04}", ppm / 1_000_000, ppm % 1_000_000 / 100)
}
