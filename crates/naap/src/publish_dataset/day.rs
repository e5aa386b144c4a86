//! One day as files: every kind has one, also where it has no row, so that no row and no file are not the same.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use dataset::folder::{Draft, Folder};
use dataset::manifest::Card;
use dataset::name::Day;
use dataset::table::Value;
use events::event::Network;
use events::identity::Digest;
use sla::scorecard::Scorecard;
use sla::window::{Hour, Span, Window};
use warehouse::Reader;
use warehouse::page::ROWS_MAX;

use super::Published;
use super::kinds::{self, At, Rows};
use crate::console::Progress;

/// How often a day is begun again whose hours were settled again while it was read.
const TRIES: u32 = 5;

/// Writes the files of a day from what is settled of it.
pub fn write(
    folder: &Folder,
    warehouse: &impl Reader,
    network: Network,
    day: &Day,
    progress: &mut Progress,
) -> anyhow::Result<Published> {
    for _ in 0..TRIES {
        if let Some(published) = try_write(folder, warehouse, network, day, progress)? {
            return Ok(published);
        }
    }
    bail!("hours of {day} were settled again {TRIES} times while it was read: try later")
}

/// As [`write`]; nothing where an hour was settled again in between, so that its rows are of two revisions.
fn try_write(
    folder: &Folder,
    warehouse: &impl Reader,
    network: Network,
    day: &Day,
    progress: &mut Progress,
) -> anyhow::Result<Option<Published>> {
    let mut drafts = BTreeMap::new();
    for rows in kinds::ALL {
        let draft = folder.draft(rows.name.parse()?, day.clone(), rows.columns())?;
        drafts.insert(rows.name, draft);
    }
    let mut writing = Writing { cards: Vec::new(), day, drafts, network, warehouse };
    let first: Hour = format!("{day}T00Z").parse()?;
    for hour in (first.0..first.0.saturating_add(24)).map(Hour) {
        progress.tell(|| format!("{hour}"));
        if !writing.hour(hour)? {
            return Ok(None);
        }
        for span in Span::ALL.iter().filter(|span| **span != Span::Hour) {
            writing.span(Window { last: hour, span: *span })?;
        }
    }
    let Writing { mut cards, drafts, .. } = writing;
    cards.sort_by(|one, other| one.window.cmp(&other.window));
    let files = drafts.into_values().map(Draft::finish).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Published { cards, files }))
}

/// A day while it is written.
struct Writing<'a, R> {
    cards: Vec<Card>,
    day: &'a Day,
    drafts: BTreeMap<&'static str, Draft>,
    network: Network,
    warehouse: &'a R,
}

impl<R: Reader> Writing<'_, R> {
    /// Adds an hour, if it is settled; tells whether it stayed as it was meanwhile.
    fn hour(&mut self, hour: Hour) -> anyhow::Result<bool> {
        let Some(view) = self.warehouse.hour_record(self.network, hour, None)? else {
            return Ok(true);
        };
        let at = At { hour, revision: view.revision };
        self.card(&view.scorecard_bytes, view.digest, view.revision)?;
        let drafts = &mut self.drafts;
        kinds::counts_of_hour(at, &view.tally, &view.refused, &mut |rows, row| {
            put(drafts, rows, row)
        })?;
        let mut after = None;
        loop {
            let jobs = self.warehouse.hour_jobs(self.network, hour, after)?;
            for fact in &jobs {
                kinds::of_job(at, fact, &mut |rows, row| put(drafts, rows, row))?;
            }
            after = jobs.last().map(|fact| fact.job_id);
            if jobs.len() < ROWS_MAX {
                break;
            }
        }
        for row in &self.warehouse.series(self.network, &kinds::sums_of(hour))? {
            kinds::of_sums(at, row, &mut |rows, row| put(drafts, rows, row))?;
        }
        for supply in &*self.warehouse.supply(self.network, hour..=hour)? {
            kinds::of_supply(at, supply, &mut |rows, row| put(drafts, rows, row))?;
        }
        let now = self.warehouse.revisions(self.network, hour)?;
        Ok(now.last().is_some_and(|latest| latest.revision == view.revision))
    }

    /// Adds a longer window, if it was made.
    fn span(&mut self, window: Window) -> anyhow::Result<()> {
        let Some(view) = self.warehouse.window_record(self.network, window)? else { return Ok(()) };
        self.card(&view.scorecard_bytes, view.digest, 0)
    }

    fn card(&mut self, bytes: &[u8], digest: Digest, revision: u32) -> anyhow::Result<()> {
        let card: Scorecard = serde_json::from_slice(bytes)
            .with_context(|| format!("cannot read the scorecard {digest}"))?;
        let drafts = &mut self.drafts;
        kinds::of_scorecard(&card, revision, &mut |rows, row| put(drafts, rows, row))?;
        self.cards.push(Card {
            day: self.day.clone(),
            digest,
            policy: card.policy.hash,
            policy_id: card.policy.id,
            revision,
            window: card.window.to_string(),
        });
        Ok(())
    }
}

fn put(
    drafts: &mut BTreeMap<&'static str, Draft>,
    rows: &'static Rows,
    row: Vec<Value>,
) -> anyhow::Result<()> {
    let draft = drafts.get_mut(rows.name).context("a kind of rows that is not published")?;
    Ok(draft.push(row)?)
}
