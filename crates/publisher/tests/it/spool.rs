//! The spool against crashes: every way its files can be cut, flipped, filled and reopened.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use publisher::spool::{Config, Error, Position, Raw, SeenIds, Source, Spool, Stored, frame};

pub fn raw(text: &str) -> Raw {
    Raw {
        received_ms: 1_000,
        source: Source::Kafka,
        key: Some(text.to_owned()),
        value: text.as_bytes().to_vec(),
    }
}

fn small(directory: &Path) -> Config {
    Config { segment_bytes: 256, quota_bytes: 4096, retention_ms: 0, ..Config::at(directory) }
}

pub async fn everything(spool: &Spool) -> Vec<Stored> {
    let mut reader = spool.read_from(spool.oldest());
    let mut all = Vec::new();
    loop {
        let some = reader.take(7).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

async fn keys(spool: &Spool) -> Vec<String> {
    everything(spool).await.into_iter().map(|stored| stored.raw.key.unwrap()).collect()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "spool"));
    paths.sort();
    paths
}

#[tokio::test]
async fn keeps_what_it_acknowledged_in_order_over_segments_and_restarts() {
    let home = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..5 {
        let spool = Spool::open(&small(home.path())).unwrap();
        for n in 0..7 {
            let name = format!("{round}-{n}");
            let at = spool.append(vec![raw(&name), raw("twin")]).await.unwrap();
            assert_eq!(at, Position(expected.len() as u64));
            expected.extend([name, "twin".to_owned()]);
        }
        assert_eq!(keys(&spool).await, expected);
        assert_eq!(spool.end(), Position(70 / 5 * (round + 1)));
    }
    assert!(segments(home.path()).len() > 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_appends_share_a_sync_and_none_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(&Config::at(home.path())).unwrap());
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move { (n, spool.append(vec![raw(&n.to_string())]).await.unwrap()) })
        })
        .collect();
    let mut places = Vec::new();
    for task in tasks {
        places.push(task.await.unwrap());
    }
    let kept = keys(&spool).await;
    for (n, at) in places {
        assert_eq!(kept[usize::try_from(at.0).unwrap()], n.to_string());
    }
    // Fewer frames than appends is what group commit means.
    let bytes = fs::read(&segments(home.path())[0]).unwrap();
    let frames = bytes.windows(4).filter(|window| *window == frame::MAGIC).count();
    assert!(frames < 400, "{frames} frames");
}

#[tokio::test]
async fn a_tail_cut_at_any_byte_loses_only_the_append_that_was_torn() {
    let home = tempfile::tempdir().unwrap();
    let mut ends = vec![32];
    {
        let spool = Spool::open(&Config::at(home.path())).unwrap();
        for n in 0..4 {
            spool.append(vec![raw(&format!("{n}a")), raw(&format!("{n}b"))]).await.unwrap();
            ends.push(fs::metadata(&segments(home.path())[0]).unwrap().len());
        }
    }
    let whole = fs::read(&segments(home.path())[0]).unwrap();
    for cut in 0..=whole.len() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("00000000000000000000.spool"), &whole[..cut]).unwrap();
        let complete = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        for _ in 0..2 {
            let spool = Spool::open(&Config::at(home.path())).unwrap();
            assert_eq!(everything(&spool).await.len(), complete * 2, "cut at {cut}");
        }
        let spool = Spool::open(&Config::at(home.path())).unwrap();
        assert_eq!(spool.append(vec![raw("next")]).await.unwrap(), Position(complete as u64 * 2));
        assert_eq!(keys(&spool).await.last().unwrap(), "next");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_a_tear_in_the_last_frame_and_damage_before_it() {
    let home = tempfile::tempdir().unwrap();
    let last;
    {
        let spool = Spool::open(&Config::at(home.path())).unwrap();
        spool.append(vec![raw("first")]).await.unwrap();
        last = usize::try_from(fs::metadata(&segments(home.path())[0]).unwrap().len()).unwrap();
        spool.append(vec![raw("second")]).await.unwrap();
    }
    let path = segments(home.path())[0].clone();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        match Spool::open(&Config::at(home.path())) {
            Ok(spool) if at >= last => assert_eq!(keys(&spool).await, ["first"], "flip at {at}"),
            Err(Error::Damaged { .. }) if at < last => {}
            other => panic!("flip at {at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn garbage_and_zeros_after_the_last_frame_are_a_tear() {
    let home = tempfile::tempdir().unwrap();
    Spool::open(&Config::at(home.path())).unwrap().append(vec![raw("kept")]).await.unwrap();
    let path = segments(home.path())[0].clone();
    let whole = fs::read(&path).unwrap();
    // A frame with another salt: what a client could have put into a value.
    let forged = frame::seal(7, 1, 1, &[frame::encode_records(&[raw("forged")])]);
    for tail in [vec![0; 5000], b"nSPLnSPLnSPL".to_vec(), forged] {
        fs::write(&path, [whole.as_slice(), &tail].concat()).unwrap();
        let spool = Spool::open(&Config::at(home.path())).unwrap();
        assert_eq!(keys(&spool).await, ["kept"]);
    }
}

#[tokio::test]
async fn a_value_that_looks_like_a_frame_is_only_a_value() {
    let home = tempfile::tempdir().unwrap();
    let value = frame::seal(0, 1, 1, &[frame::encode_records(&[raw("inner")])]);
    {
        let spool = Spool::open(&Config::at(home.path())).unwrap();
        spool.append(vec![Raw { value, ..raw("outer") }]).await.unwrap();
    }
    let path = segments(home.path())[0].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(everything(&Spool::open(&Config::at(home.path())).unwrap()).await.is_empty());
}

#[tokio::test]
async fn the_cursor_survives_and_consumed_segments_go_after_their_retention() {
    let home = tempfile::tempdir().unwrap();
    let config = Config { retention_ms: 500, ..small(home.path()) };
    {
        let spool = Spool::open(&config).unwrap();
        for n in 0..20 {
            spool.append(vec![raw(&n.to_string())]).await.unwrap();
        }
        spool.commit(Position(15), 1_400).await.unwrap();
        assert_eq!(spool.oldest(), Position(0), "too young to delete");
        spool.commit(Position(10), 1_500).await.unwrap();
        assert_eq!(spool.committed(), Position(15), "never backwards");
        let oldest = spool.oldest();
        assert!(oldest > Position(0) && oldest <= Position(15));
        assert!(matches!(spool.read_from(Position(0)).take(1).await, Err(Error::Deleted { .. })));
        assert!(matches!(spool.commit(Position(21), 0).await, Err(Error::Settings(_))));
    }
    let spool = Spool::open(&config).unwrap();
    assert_eq!(spool.committed(), Position(15));
    let rest = spool.read_from(spool.committed()).next(100).await.unwrap();
    let rest: Vec<_> =
        rest.into_iter().map(|stored| (stored.position.0, stored.raw.key.unwrap())).collect();
    assert_eq!(rest, (15..20).map(|n| (n, n.to_string())).collect::<Vec<_>>());
    drop(spool);
    fs::write(home.path().join("cursor"), "00000000000000000099 00000000\n").unwrap();
    assert!(matches!(Spool::open(&config), Err(Error::Damaged { .. })));
}

#[tokio::test]
async fn a_full_spool_refuses_counts_and_takes_more_once_consumed() {
    let home = tempfile::tempdir().unwrap();
    let config = Config { retention_ms: u64::MAX, ..small(home.path()) };
    let spool = Spool::open(&config).unwrap();
    let mut kept = 0;
    let refusal = loop {
        match spool.append(vec![raw("x"), raw("y")]).await {
            Ok(_) => kept += 2,
            Err(refusal) => break refusal,
        }
    };
    assert!(refusal.is_retryable() && matches!(refusal, Error::Full { .. }), "{refusal}");
    assert_eq!(spool.refused_records(), 2);
    assert!(spool.used_bytes() <= 4096);
    assert_eq!(everything(&spool).await.len(), kept);
    spool.commit(spool.end(), 0).await.unwrap();
    spool.append(vec![raw("again")]).await.unwrap();
    assert!(spool.oldest() > Position(0), "the quota goes before the retention");
    let large = Raw { value: vec![0; 64], ..raw("large") };
    let config = Config { append_bytes_max: 64, ..small(&home.path().join("other")) };
    let outcome = Spool::open(&config).unwrap().append(vec![large]).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn damage_in_a_closed_segment_is_reported_with_where_to_resume() {
    let home = tempfile::tempdir().unwrap();
    {
        let spool = Spool::open(&small(home.path())).unwrap();
        for n in 0..20 {
            spool.append(vec![raw(&n.to_string())]).await.unwrap();
        }
    }
    let path = segments(home.path())[1].clone();
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let spool = Spool::open(&small(home.path())).unwrap();
    let mut reader = spool.read_from(Position(0));
    let before = reader.next(100).await.unwrap();
    let Err(Error::Damaged { resume: Some(resume), .. }) = reader.next(100).await else {
        panic!("damage goes unseen")
    };
    assert!(resume > before.last().unwrap().position.advance(1));
    let after = spool.read_from(resume).next(100).await.unwrap();
    assert_eq!(after[0].position, resume);
    assert_eq!(after.last().unwrap().position, Position(19));
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_lets_go() {
    let home = tempfile::tempdir().unwrap();
    let first = Spool::open(&Config::at(home.path())).unwrap();
    assert!(matches!(Spool::open(&Config::at(home.path())), Err(Error::Locked(_))));
    drop(first);
    Spool::open(&Config::at(home.path())).unwrap();
}

#[tokio::test]
async fn a_reader_wakes_for_new_records_and_survives_being_cancelled() {
    let home = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(&Config::at(home.path())).unwrap());
    let mut reader = spool.read_from(Position(0));
    for n in 0..50 {
        // Polled once and dropped, possibly while a blocking read is under way.
        tokio::select! { biased; _ = reader.next(1) => panic!("there is nothing yet"), () = std::future::ready(()) => {} }
        spool.append(vec![raw(&n.to_string())]).await.unwrap();
        tokio::select! { biased; got = reader.next(1) => assert_eq!(got.unwrap()[0].position.0, n), () = std::future::ready(()) => {
            assert_eq!(reader.next(1).await.unwrap()[0].position.0, n);
        } }
    }
}

#[tokio::test]
async fn seen_ids_forget_the_oldest_and_come_back_by_replay() {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::open(&Config::at(home.path())).unwrap();
    for n in 0..10 {
        spool.append(vec![raw(&n.to_string())]).await.unwrap();
    }
    let mut seen = SeenIds::replay(&spool, Position(8), 3, |raw| raw.key.clone()).await.unwrap();
    assert_eq!(seen.len(), 3);
    assert!(!seen.insert("5") && !seen.insert("7"));
    assert!(seen.insert("4") && seen.insert("8"), "never replayed");
    assert!(seen.insert("5"), "the oldest was forgotten");
    assert!(
        SeenIds::replay(&spool, Position(99), 100, |raw| raw.key.clone()).await.unwrap().len()
            == 10
    );
}

fn raws() -> impl Strategy<Value = Vec<Raw>> {
    let source = prop_oneof![Just(Source::Kafka), Just(Source::Http), Just(Source::File)];
    let one = (any::<u64>(), source, any::<Option<String>>(), any::<Vec<u8>>());
    let one =
        one.prop_map(|(received_ms, source, key, value)| Raw { received_ms, source, key, value });
    proptest::collection::vec(one, 0..20)
}

proptest! {
    #[test]
    fn records_come_back_as_they_went_in(records in raws(), salt: u32, first: u64) {
        let count = u32::try_from(records.len()).unwrap();
        let sealed = frame::seal(salt, first, count, &[frame::encode_records(&records)]);
        let head = frame::open_head(&sealed).unwrap();
        let body = &sealed[frame::HEAD_BYTES..];
        let (at, many, bytes) = frame::open_body(salt, head, body).unwrap();
        prop_assert_eq!((at, many), (first, count));
        prop_assert_eq!(frame::decode_records(many, bytes).unwrap(), records);
    }

    #[test]
    fn no_flip_cut_or_other_salt_passes(records in raws(), salt: u32, flip in 0_usize..4096, bit in 0_u32..8) {
        let mut sealed = frame::seal(salt, 1, u32::try_from(records.len()).unwrap(), &[frame::encode_records(&records)]);
        let opens = |salt, bytes: &[u8]| frame::open_head(bytes)
            .and_then(|head| frame::open_body(salt, head, &bytes[frame::HEAD_BYTES..]).map(|_| ())).is_some();
        prop_assert!(!opens(salt ^ 1, &sealed));
        prop_assert!(!opens(salt, &sealed[..sealed.len() - 1]));
        let at = flip % sealed.len();
        sealed[at] ^= 1 << bit;
        prop_assert!(!opens(salt, &sealed));
    }

    #[test]
    fn arbitrary_bytes_never_panic_nor_reserve_much(count: u32, bytes: Vec<u8>) {
        prop_assert!(frame::decode_records(count, &bytes).is_none_or(|records| frame::encode_records(&records) == bytes));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_said_is_for_the_owners_eyes_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("nodes/spool");
    // A folder that an earlier version left open to others.
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let spool = Spool::open(&Config::at(&directory)).unwrap();
    let first = spool.append(vec![raw("a prompt")]).await.unwrap();
    spool.commit(first.advance(1), 0).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "lock, cursor and a segment: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
