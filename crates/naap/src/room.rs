//! Waiting for room on the disk: what cannot be opened or noted on a full disk is tried again until it can.
//!
//! It tells a full disk from everything else that goes wrong, and gives up on that at once.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long is waited before something is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether something failed because the disk has no room just now.
pub fn is_short(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let full = [StorageFull, QuotaExceeded, FileTooLarge];
    error.chain().any(|cause| {
        let is_kind = |error: &io::Error| full.contains(&error.kind());
        let warehouse = cause.downcast_ref::<warehouse::Error>();
        let outbox = cause.downcast_ref::<publisher::outbox::Error>();
        let spool = cause.downcast_ref::<publisher::spool::Error>();
        cause.downcast_ref::<io::Error>().is_some_and(is_kind)
            || cause.downcast_ref::<Arc<io::Error>>().is_some_and(|error| is_kind(error))
            || matches!(warehouse, Some(warehouse::Error::Full { .. }))
            || matches!(outbox, Some(publisher::outbox::Error::NoRoom(_)))
            || matches!(spool, Some(publisher::spool::Error::NoRoom { .. }))
    })
}

/// Tries until it succeeds or fails for another reason than a full disk. What is tried has to leave nothing behind.
pub async fn wait<T, W: Future<Output = anyhow::Result<T>>>(
    what: &str,
    attempt: impl FnMut() -> W,
) -> anyhow::Result<T> {
    wait_each(AGAIN, what, attempt).await
}

async fn wait_each<T, W: Future<Output = anyhow::Result<T>>>(
    pause: Duration,
    what: &str,
    mut attempt: impl FnMut() -> W,
) -> anyhow::Result<T> {
    let mut waited = false;
    loop {
        match attempt().await {
            Err(error) if is_short(&error) => {
                if !std::mem::replace(&mut waited, true) {
                    tracing::warn!(
                        what,
                        error = format!("{error:#}"),
                        "the disk is full; waiting for room"
                    );
                }
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn failed(kind: io::ErrorKind) -> anyhow::Result<()> {
        Err(io::Error::from(kind)).context("cannot write a file")
    }

    #[tokio::test]
    async fn a_full_disk_is_waited_for_and_nothing_else() {
        let mut answers = vec![
            failed(io::ErrorKind::PermissionDenied),
            Ok(()),
            failed(io::ErrorKind::QuotaExceeded),
            Err(publisher::outbox::Error::NoRoom("could not write it".to_owned()).into()),
            failed(io::ErrorKind::StorageFull),
        ];
        let mut next = || {
            let answer = answers.pop().unwrap();
            async move { answer }
        };
        wait_each(Duration::ZERO, "a folder", &mut next).await.unwrap();
        let error = wait_each(Duration::ZERO, "a folder", &mut next).await.unwrap_err();
        assert!(!is_short(&error), "{error:#}");
    }
}
