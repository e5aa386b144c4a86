//! Laws of canonical JSON, of Merkle roots and of names.

use events::identity::{Address, Digest, Pseudonym, ServiceUrl};
use events::unit::{MAX_JSON_INTEGER, Ppm};
use events::{canonical, job, merkle};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use crate::strategies;

/// Any JSON value, most of them with a canonical form: now and then a fraction, a large number or an odd name.
fn json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        6 => any::<i32>().prop_map(Value::from),
        2 => (0..=MAX_JSON_INTEGER).prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => "-?[0-9]{1,3}\\.[0-9]{1,3}(e[0-9])?"
            .prop_map(|text| serde_json::from_str(&text).unwrap_or(Value::Null)),
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x1f\"\\\\/a-c]{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 6, |inner| {
        let names = prop_oneof![9 => "[a-c\"!#]{0,3}", 1 => "[a-cé\\\\]{0,3}"];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(names, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What the checker must say, by reading and writing again.
fn is_canonical_by_definition(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    canonical::write(&value).is_ok_and(|written| written == bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_canonical_and_means_the_same(value in json()) {
        let Ok(bytes) = canonical::write(&value) else { return Ok(()) };
        prop_assert!(canonical::check(&bytes).is_ok());
        prop_assert_eq!(&serde_json::from_slice::<Value>(&bytes).unwrap(), &value);
        prop_assert_eq!(canonical::write(&value).unwrap(), bytes);
    }

    #[test]
    fn checking_equals_reading_and_writing_again(value in json()) {
        let bytes = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(canonical::check(&bytes).is_ok(), is_canonical_by_definition(&bytes));
        let bytes = serde_json::to_vec_pretty(&value).unwrap();
        prop_assert_eq!(canonical::check(&bytes).is_ok(), is_canonical_by_definition(&bytes));
    }

    #[test]
    fn checking_mutated_bytes_equals_reading_and_writing_again(
        value in json(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        for (place, byte, way) in changes {
            let at = place.index(bytes.len() + 1);
            match way {
                0 => bytes.insert(at, *b"{}[]\",:\\0129-+.eEutn \n\xff".get(usize::from(byte) % 23).unwrap()),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
                _ => bytes.push(byte),
            }
        }
        prop_assert_eq!(canonical::check(&bytes).is_ok(), is_canonical_by_definition(&bytes));
    }

    #[test]
    fn any_bytes_are_checked_without_a_panic(bytes in vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(canonical::check(&bytes).is_ok(), is_canonical_by_definition(&bytes));
    }

    #[test]
    fn a_root_commits_to_every_leaf_and_to_their_order(
        leaves in vec(vec(any::<u8>(), 0..9), 1..40),
        at in any::<prop::sample::Index>(),
        other in vec(any::<u8>(), 0..9),
    ) {
        let root = |leaves: &[Vec<u8>]| merkle::root(leaves.iter().map(Vec::as_slice));
        prop_assert_eq!(root(&leaves), merkle::root_of_hashes(leaves.iter().map(|leaf| merkle::leaf(leaf))));
        let at = at.index(leaves.len());
        let mut changed = leaves.clone();
        changed[at] = other;
        prop_assert_eq!(changed == leaves, root(&changed) == root(&leaves));
        let mut longer = leaves.clone();
        longer.insert(at, leaves[at].clone());
        prop_assert_ne!(root(&longer), root(&leaves));
        let mut turned = leaves.clone();
        turned.reverse();
        prop_assert_eq!(turned == leaves, root(&turned) == root(&leaves));
    }

    #[test]
    fn names_are_read_back_as_they_are_written(bytes in any::<[u8; 20]>(), digest in any::<[u8; 32]>(), text in ".*") {
        let address = Address(bytes);
        prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        prop_assert_eq!(Address::parse_any(&address.to_string().to_uppercase().replacen("0X", "0x", 1)).unwrap(), address);
        prop_assert_eq!(Digest(digest).to_string().parse::<Digest>().unwrap(), Digest(digest));
        let pseudonym = Pseudonym::of(&Digest(digest), &text);
        prop_assert_eq!(pseudonym.to_string().parse::<Pseudonym>().unwrap(), pseudonym);
    }

    #[test]
    fn a_url_in_normal_form_stays_as_it_is(url in strategies::url(), tail in "(/[a-z]*)?(\\?[a-z=]*)?") {
        prop_assert_eq!(ServiceUrl::normalise(url.as_str()).unwrap(), url.clone());
        let messy = format!(" {}{tail} ", url.as_str().to_uppercase());
        prop_assert_eq!(ServiceUrl::normalise(&messy).unwrap(), url);
    }

    #[test]
    fn any_text_normalises_once_or_never(text in "(https?://)?[\\[\\]a-zA-Z0-9.:@/é -]{0,24}") {
        if let Ok(url) = ServiceUrl::normalise(&text) {
            prop_assert_eq!(url.as_str().parse::<ServiceUrl>().unwrap(), url);
        }
    }

    #[test]
    fn no_two_lists_of_ids_are_one_job(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
        let same = (&a, &b) == (&c, &d);
        prop_assert_eq!(job::live_video(&a, &b) == job::live_video(&c, &d), same);
    }

    #[test]
    fn ratios_stay_between_nothing_and_the_whole(part in any::<u64>(), whole in 1..=u64::MAX) {
        let ratio = Ppm::ratio_floor(part, whole).unwrap();
        prop_assert!(ratio <= Ppm::ONE);
        prop_assert_eq!(ratio == Ppm::ONE, part >= whole);
    }
}
