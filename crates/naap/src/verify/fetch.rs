//! Fetches the files of an export: from the API of a naap, or from any place that serves an exported folder as it is.
//!
//! Addresses are judged by `channel`'s policy, redirects are not followed, names are ours and never the manifest's,
//! and both time and length are bounded before anything is read.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use channel::address::{Policy, Target};
use pipeline::export::Manifest;
use reqwest::{Client, Url};

use crate::console::Progress;

/// The file that lists the others.
const MANIFEST: &str = "manifest.json";

/// The longest manifest.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// The most bytes of all files together.
const TOTAL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// How long the manifest may take.
const MANIFEST_WAIT: Duration = Duration::from_secs(30);

/// How long one file may take.
const FILE_WAIT: Duration = Duration::from_secs(1_800);

/// Fetches the export at `url` into a folder.
pub(super) fn fetch(url: &str, loopback: bool, folder: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fetch_all(url, loopback, folder))
}

async fn fetch_all(url: &str, loopback: bool, folder: &Path) -> anyhow::Result<()> {
    // The policy wants a bare base; what is asked for stands behind each file's name.
    let (base, query) =
        url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let target =
        Policy { loopback, ..Policy::default() }.target(base).with_context(|| hint(loopback))?;
    let place = Place { client: target.client(FILE_WAIT)?, target };
    let path = folder.join(MANIFEST);
    place.file(MANIFEST, query, MANIFEST_BYTES_MAX, MANIFEST_WAIT, &path).await?;
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(&path)?)
        .with_context(|| format!("{base} serves no manifest of an export"))?;
    let total: u64 = manifest.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    ensure!(total <= TOTAL_BYTES_MAX, "the export has {total} bytes, more than {TOTAL_BYTES_MAX}");
    // The files of the revision that the manifest is of, whatever is settled meanwhile. A place that serves files as
    // they are passes over what stands behind the question mark.
    let pinned = format!("network={}&revision={}", manifest.network, manifest.revision);
    let names = manifest.names().context("the manifest does not list the files of an export")?;
    for name in names {
        let entry = manifest.files.iter().find(|file| file.name == name);
        let bytes = entry.map_or(0, |entry| entry.bytes);
        place.file(name, Some(&pinned), bytes, FILE_WAIT, &folder.join(name)).await?;
    }
    Ok(())
}

fn hint(loopback: bool) -> &'static str {
    if loopback {
        "the address is not allowed"
    } else {
        "the address is not allowed (this machine: --loopback)"
    }
}

/// Where the files are.
struct Place {
    client: Client,
    target: Target,
}

impl Place {
    /// Fetches one file, and not a byte more than `bytes_max`.
    async fn file(
        &self,
        name: &str,
        query: Option<&str>,
        bytes_max: u64,
        wait: Duration,
        path: &Path,
    ) -> anyhow::Result<()> {
        let mut url: Url = self.target.join(&[name]);
        url.set_query(query);
        let mut response = self
            .client
            .get(url.clone())
            .timeout(wait)
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("cannot fetch {url}: {}", root(&error)))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            bail!("{url} answered {status}");
        }
        let mut file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut progress = Progress::new();
        let mut bytes = 0;
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| anyhow::anyhow!("{url} ended after {bytes} bytes: {}", root(&error)))?
        {
            bytes += u64::try_from(part.len()).unwrap_or(u64::MAX);
            ensure!(bytes <= bytes_max, "{url} is longer than {bytes_max} bytes");
            file.write_all(&part).with_context(|| format!("cannot write {}", path.display()))?;
            progress.tell(|| format!("{name}: {bytes} of {bytes_max} bytes"));
        }
        Ok(())
    }
}

/// The innermost reason, which is the one that says something.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
