//! Whether others know more of a chain than the folder it is sealed in: then the folder is an old copy.
//!
//! Asked before anything is sealed, for a bounded time; whoever does not answer is gone on without. It seals nothing.

use std::sync::Arc;
use std::time::Duration;

use channel::Backfill;
use futures_util::future::join_all;
use publisher::outbox::Outbox;
use publisher::pump::newest;

/// What our own record is called among receivers and witnesses.
pub const RECORD: &str = "the record";

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Somebody who may hold what was sealed here before.
#[derive(Clone)]
pub struct Witness {
    /// Its name, for whoever reads the log.
    pub name: String,
    /// What it holds.
    pub source: Arc<dyn Backfill>,
}

/// Asks all of them, and begins a new epoch where one holds a batch of ours that the outbox does not have.
pub async fn compare(
    outbox: &mut Outbox,
    whose: &str,
    witnesses: &[Witness],
) -> anyhow::Result<()> {
    let key = outbox.key();
    let ask = |witness: &Witness| {
        let source = Arc::clone(&witness.source);
        tokio::time::timeout(PATIENCE, async move { newest(key, source.as_ref()).await })
    };
    let answers = join_all(witnesses.iter().map(ask)).await;
    for (Witness { name, .. }, answer) in witnesses.iter().zip(answers) {
        let why = match answer {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some((header, signature)))) => {
                let (epoch, seq) = (header.epoch, header.seq);
                if outbox.heard(&header, &signature)? {
                    tracing::warn!(
                        node = whose,
                        by = name,
                        epoch,
                        seq,
                        begun = outbox.epoch(),
                        "a later batch of this node is known elsewhere, so its folder is an old copy; began a new epoch"
                    );
                }
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(
            node = whose,
            of = name,
            why,
            "could not ask what was sealed before; going on"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use channel::{BoxFuture, Head};
    use events::body::Body;
    use events::body::node::CounterSample;
    use events::event::{Network, Role};
    use events::unit::UnixMillis;
    use publisher::outbox::{Options, Shelf};
    use publisher::pseudonym::PseudonymKey;
    use publisher::translate::Speaker;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_767_903_000_000);

    fn open(folder: &Path) -> Outbox {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        Outbox::open(Options::at(folder), secret, Network::Livepeer).unwrap().0
    }

    fn say(outbox: &mut Outbox, name: &str) {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let speaker = Speaker {
            network: Network::Livepeer,
            reporter: "0x00000000000000000000000000000000000000aa".parse().unwrap(),
            role: Role::Gateway,
            node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().unwrap(),
            pseudonyms: PseudonymKey::of(&secret),
            region: None,
        };
        let body = CounterSample {
            name: "tests".parse().unwrap(),
            orchestrator: events::body::Orchestrator::default(),
            value: 1,
        };
        let event = speaker.event(name.parse().unwrap(), NOW, Body::CounterSampled(body));
        outbox.push(&event, NOW).unwrap();
        outbox.seal(NOW).unwrap();
        outbox.sync().unwrap();
    }

    fn witness(source: impl Backfill + 'static) -> Witness {
        Witness { name: "another".to_owned(), source: Arc::new(source) }
    }

    /// Never answers.
    struct Silent;

    impl Backfill for Silent {
        fn fetch<'a>(
            &'a self,
            _: &'a str,
            _: u64,
            _: u64,
            _: u64,
            _: usize,
        ) -> BoxFuture<'a, channel::Result<Vec<bytes::Bytes>>> {
            Box::pin(std::future::pending())
        }

        fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_folder_copied_back_begins_a_new_epoch_and_a_silent_witness_holds_nobody_up() {
        let place = tempfile::tempdir().unwrap();
        let [present, past] = ["present", "past"].map(|name| place.path().join(name));
        say(&mut open(&present), "a");
        std::fs::create_dir(&past).unwrap();
        for file in std::fs::read_dir(&present).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), past.join(file.file_name())).unwrap();
        }
        let mut outbox = open(&present);
        say(&mut outbox, "b");
        let shelf: Shelf = outbox.shelf().clone();
        compare(&mut outbox, "gateway", &[witness(shelf.clone())]).await.unwrap();
        assert_eq!(outbox.epoch(), 0, "nobody knows more");

        let mut restored = open(&past);
        assert_eq!(restored.epoch(), 0, "by itself it cannot know");
        let begun = Instant::now();
        let witnesses = [witness(Silent), witness(shelf)];
        compare(&mut restored, "gateway", &witnesses).await.unwrap();
        assert_eq!(restored.epoch(), 1);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
