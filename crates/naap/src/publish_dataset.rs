//! `naap publish-dataset`: the settled hours of a folder as Parquet files for anybody, under a signed manifest.
//!
//! It reads beside a running process and changes nothing in the data folder. A day whose scorecards are those that the
//! manifest names is left as it is, once its files have been read and found to be what was signed; so running it again
//! is cheap, and nothing is ever signed that was not looked at.

mod day;
mod kinds;
mod plan;
mod right;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use dataset::folder::Folder;
use dataset::manifest::{Card, FORMAT, File, Manifest};
use dataset::name::Day;

use crate::cli;
use crate::config::Config;
use crate::console::{Console, Progress, counted};
use crate::instance::Instance;
use crate::store;

use plan::Plan;
use right::Right;

pub use right::named;

/// Runs the verb.
pub fn run(
    arguments: &cli::PublishDataset,
    config: &Config,
    console: Console,
) -> anyhow::Result<()> {
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
    let range = Range::of(arguments)?;
    let right = Right::of(&instance)?;
    let warehouse = store::look_at_warehouse(&instance)?;
    let mut folder = Folder::open(&arguments.out, network)?;
    let plan = Plan::of(&warehouse, network)?;
    if plan.is_empty() {
        bail!("no hour of {network} is settled here: see /v1/windows, or name another --network");
    }
    let published = folder.published(&right.key()).cloned();
    let mut days = published.as_ref().map(by_day).unwrap_or_default();
    let mut progress = Progress::new();
    let mut written = 0_u64;
    let all: BTreeSet<Day> = days.keys().chain(plan.days()).cloned().collect();
    for day in all {
        progress.tell(|| day.to_string());
        if is_due(&folder, &plan, &range, &day, days.get(&day))? {
            let made = day::write(&folder, &warehouse, network, &day, &mut progress)?;
            days.insert(day, made);
            written += 1;
        }
    }
    drop(progress);
    let manifest = Manifest {
        cards: days.values().flat_map(|day| day.cards.iter().cloned()).collect(),
        files: sorted(days.values().flat_map(|day| day.files.iter().cloned()).collect()),
        format: FORMAT.to_owned(),
        network,
        published_ms: store::clock()(),
        publisher: right.publisher(config, network, published.as_ref()),
    };
    let counts = Counts::of(&days, written);
    let place = arguments.out.display();
    if published.is_some_and(|before| {
        (before.cards, &before.files) == (manifest.cards.clone(), &manifest.files)
    }) {
        folder.sweep()?;
        return Ok(console.line(format_args!("{network}: {counts}, nothing new, in {place}"))?);
    }
    let signer = named(&manifest.publisher);
    folder
        .publish(manifest, right.secret())
        .with_context(|| format!("cannot publish to {place}"))?;
    Ok(console.line(format_args!("{network}: {counts}, signed by {signer}, in {place}"))?)
}

/// The days that were asked for.
struct Range<'a> {
    from: Option<&'a Day>,
    to: Option<&'a Day>,
}

impl<'a> Range<'a> {
    fn of(arguments: &'a cli::PublishDataset) -> anyhow::Result<Self> {
        let (from, to) = (arguments.from.as_ref(), arguments.to.as_ref());
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            bail!("--from {from} is after --to {to}: swap them");
        }
        Ok(Self { from, to })
    }

    fn holds(&self, day: &Day) -> bool {
        self.from.is_none_or(|from| day >= from) && self.to.is_none_or(|to| day <= to)
    }
}

/// Whether a day is to be written: asked for and not as it was published, or published and spoiled since.
fn is_due(
    folder: &Folder,
    plan: &Plan,
    range: &Range<'_>,
    day: &Day,
    known: Option<&Published>,
) -> anyhow::Result<bool> {
    let is_settled = plan.has(day);
    let Some(known) = known else { return Ok(is_settled && range.holds(day)) };
    let is_current = plan.is_told_by(day, &known.cards) && has_every_kind(&known.files);
    if is_settled && range.holds(day) && !is_current {
        return Ok(true);
    }
    // What stays is signed once more, so it is looked at once more.
    let Some(difference) = spoiled(folder, &known.files)? else { return Ok(false) };
    if !is_settled {
        bail!("{difference}, and nothing of {day} is in this data folder: restore the file");
    }
    tracing::warn!(%day, difference, "a published file was spoiled; its day is written again");
    Ok(true)
}

/// What is published of one day.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// The scorecards, by window.
    pub cards: Vec<Card>,
    /// The files, by path.
    pub files: Vec<File>,
}

fn by_day(manifest: &Manifest) -> BTreeMap<Day, Published> {
    let mut days: BTreeMap<Day, Published> = BTreeMap::new();
    for card in &manifest.cards {
        days.entry(card.day.clone()).or_default().cards.push(card.clone());
    }
    for file in &manifest.files {
        days.entry(file.day.clone()).or_default().files.push(file.clone());
    }
    days
}

/// Whether a day has a file of every kind; one that an earlier version published may lack those that came since.
fn has_every_kind(files: &[File]) -> bool {
    kinds::ALL.iter().all(|rows| files.iter().any(|file| file.kind.to_string() == rows.name))
}

/// What is wrong first with files that are to stay; nothing where all are what was signed.
fn spoiled(folder: &Folder, files: &[File]) -> anyhow::Result<Option<String>> {
    for file in files {
        if let Some(difference) = folder.difference(file)? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

fn sorted(mut files: Vec<File>) -> Vec<File> {
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// What a run came to, for its one line.
struct Counts {
    days: u64,
    files: u64,
    rows: u64,
    written: u64,
}

impl Counts {
    fn of(days: &BTreeMap<Day, Published>, written: u64) -> Self {
        let files = || days.values().flat_map(|day| &day.files);
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            days: number(days.len()),
            files: number(files().count()),
            rows: files().map(|file| file.rows).sum(),
            written,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({} written), {}, {}",
            counted(self.days, "day", "days"),
            self.written,
            counted(self.files, "file", "files"),
            counted(self.rows, "row", "rows"),
        )
    }
}
