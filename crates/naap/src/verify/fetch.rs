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
use pipeline::export::{FileEntry, Manifest, span};
use reqwest::{Client, Url};
use sla::window::Window;

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
    let manifest: Listed = serde_json::from_slice(&std::fs::read(&path)?)
        .with_context(|| format!("{base} serves no manifest of an export"))?;
    let (files, names, pinned) = manifest.read();
    let total: u64 = files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    ensure!(total <= TOTAL_BYTES_MAX, "the export has {total} bytes, more than {TOTAL_BYTES_MAX}");
    let names = names.context("the manifest does not list the files of an export")?;
    for name in names {
        let entry = files.iter().find(|file| file.name == name);
        let bytes = entry.map_or(0, |entry| entry.bytes);
        place.file(name, Some(&pinned), bytes, FILE_WAIT, &folder.join(name)).await?;
    }
    Ok(())
}

/// A manifest of either kind.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Listed {
    Hour(Manifest),
    Window(span::Manifest),
}

impl Listed {
    /// The files, their names as far as they are ours, and what is asked for behind the question mark: the revision
    /// that the manifest is of, whatever is settled meanwhile. A place that serves files as they are passes over it.
    fn read(&self) -> (&[FileEntry], Option<Vec<&'static str>>, String) {
        match self {
            Self::Hour(of) => {
                let pinned = format!("network={}&revision={}", of.network, of.revision);
                (&of.files, of.names(), pinned)
            }
            Self::Window(of) => (&of.files, of.names(), format!("network={}", of.network)),
        }
    }
}

/// The address as the API has it: the slash of a long window is written `%2F`.
pub(super) fn address(url: &str) -> String {
    let (base, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let parts: Vec<&str> = base.trim_end_matches('/').rsplitn(3, '/').collect();
    if let [span, hour, before] = parts.as_slice()
        && format!("{hour}/{span}").parse::<Window>().is_ok()
    {
        return format!("{before}/{hour}%2F{span}{query}");
    }
    url.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_window_is_one_segment() {
        let exports = "https://naap.example/v1/exports";
        let encoded = format!("{exports}/2026-01-08T21Z%2F7d?network=simulation");
        assert_eq!(address(&format!("{exports}/2026-01-08T21Z/7d?network=simulation")), encoded);
        assert_eq!(address(&encoded), encoded);
        for other in
            ["https://naap.example/old/7d", "https://naap.example/v1/exports/2026-01-08T21Z"]
        {
            assert_eq!(address(other), other);
        }
    }
}
