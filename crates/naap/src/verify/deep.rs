//! The hours that a long window rests on, each verified from its own export, one after the other.

use std::path::Path;

use anyhow::Context;
use events::event::Network;
use pipeline::export::span::hour_folder;
use pipeline::verify::span::{pinned, verify_pinned};
use sla::scorecard::PinnedHour;

use super::fetch;
use crate::console::Progress;

/// Where the exports of the hours are.
pub(super) enum Place<'a> {
    /// In the folder of the window, where `naap export --deep` puts them.
    Folder,
    /// Beside the export of the window.
    Url {
        /// Whether it may be on this machine.
        loopback: bool,
        /// That of the window's export.
        url: &'a str,
    },
}

impl Place<'_> {
    /// Verifies the hours of the window in `folder`; gives the first difference.
    pub(super) fn check(&self, folder: &Path, threads: usize) -> anyhow::Result<Option<String>> {
        let (network, pinned) = pinned(folder)?;
        let mut progress = Progress::new();
        for (place, pin) in pinned.iter().enumerate() {
            progress.tell(|| format!("{place} of {} hours checked", pinned.len()));
            let of_hour = || format!("{} cannot be checked", pin.hour);
            let difference = match self {
                Self::Folder => verify_pinned(&hour_folder(folder, pin.hour), pin, threads)
                    .with_context(of_hour)
                    .context("a deep folder is one that `naap export --deep` wrote")?,
                Self::Url { loopback, url } => {
                    let folder = tempfile::tempdir().context("cannot make a folder")?;
                    let url = hour_url(url, network, pin);
                    fetch::fetch(&url, *loopback, folder.path()).with_context(of_hour)?;
                    verify_pinned(folder.path(), pin, threads).with_context(of_hour)?
                }
            };
            if difference.is_some() {
                return Ok(difference);
            }
        }
        Ok(None)
    }
}

/// The address of an hour's export, beside that of a window's.
fn hour_url(window: &str, network: Network, pin: &PinnedHour) -> String {
    let base = window.split_once('?').map_or(window, |(base, _)| base).trim_end_matches('/');
    let beside = base.rsplit_once('/').map_or(base, |(beside, _)| beside);
    let PinnedHour { hour, revision, .. } = pin;
    format!("{beside}/{hour}?network={network}&revision={revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_stand_beside_their_window() {
        let pin = PinnedHour {
            hour: sla::window::Hour(491_085),
            revision: 2,
            tally: events::identity::Digest::ZERO,
        };
        let expected = "https://naap.example/v1/exports/2026-01-08T21Z?network=livepeer&revision=2";
        for window in
            ["2026-01-08T23Z%2F7d", "2026-01-08T23Z%2F7d/", "2026-01-08T23Z%2F7d?network=x"]
        {
            let url = format!("https://naap.example/v1/exports/{window}");
            assert_eq!(hour_url(&url, Network::Livepeer, &pin), expected);
        }
    }
}
