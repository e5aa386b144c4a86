//! What a published folder holds, by hash, under the publisher's signature. It reads and writes no file.
//!
//! The document is `{"manifest":…,"signature":…}` as canonical JSON and a line feed. The signature covers
//! [`SIGNED_AS`] and the bytes of `manifest` as they stand there.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use events::batch::publisher_key;
use events::body::record::Granted;
use events::canonical;
use events::event::Network;
use events::identity::{BatchSignature, Digest, PublisherKey};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::name::{Day, Kind};

/// The format of the manifest and of the files it names.
pub const FORMAT: &str = "naap/dataset/1";

/// What stands before the manifest where it is signed, so that no signature of something else can stand for it.
pub const SIGNED_AS: &[u8] = b"naap/dataset/1\n";

/// The most bytes a document may have: that of a century of hours.
pub const BYTES_MAX: u64 = 1 << 30;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// How long it is.
    pub bytes: u64,
    /// The day whose windows end in it.
    pub day: Day,
    /// What its rows are.
    pub kind: Kind,
    /// Where it is in the folder: [`path_of`] its kind, day and hash.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

/// A scorecard that the files tell the content of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The day that its window ends in.
    pub day: Day,
    /// Its digest.
    pub digest: Digest,
    /// The hash of the policy that made it.
    pub policy: Digest,
    /// The id of that policy.
    pub policy_id: String,
    /// Which revision of its hour; 0 for a longer window, which has one only.
    pub revision: u32,
    /// Its window, such as `2026-01-08T21Z` or `2026-01-08T21Z/7d`.
    pub window: String,
}

/// Who vouches for the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    /// The key that signed.
    pub key: PublisherKey,
    /// By what right it speaks for an address; absent where it speaks for itself alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks_for: Option<Granted>,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The scorecards, by day and window.
    pub cards: Vec<Card>,
    /// The files, by path.
    pub files: Vec<File>,
    /// [`FORMAT`].
    pub format: String,
    /// The network that everything in it is of.
    pub network: Network,
    /// When this was signed. What the files say does not depend on it.
    pub published_ms: UnixMillis,
    /// Who signed.
    pub publisher: Publisher,
}

/// Where a file is in the folder. Nothing that somebody wrote into a manifest becomes a path otherwise.
pub fn path_of(kind: &Kind, day: &Day, sha256: &Digest) -> String {
    format!("kind={kind}/day={day}/{sha256}.parquet")
}

impl Manifest {
    /// The document, signed.
    pub fn seal(&self, secret: &SigningKey) -> Result<Vec<u8>, Error> {
        if publisher_key(secret) != self.publisher.key {
            return Err(Error::OtherKey { key: self.publisher.key });
        }
        let failed = |why: String| Error::Manifest { why };
        let value = serde_json::to_value(self).map_err(|error| failed(error.to_string()))?;
        let body = canonical::write(&value).map_err(|refusal| failed(refusal.to_string()))?;
        let signature = BatchSignature(secret.sign(&[SIGNED_AS, &body].concat()).to_bytes());
        let end = format!(",\"signature\":\"{signature}\"}}\n");
        Ok([b"{\"manifest\":", body.as_slice(), end.as_bytes()].concat())
    }

    /// Reads a document, and checks its form and its signatures. An error says what is wrong first.
    pub fn open(document: &[u8]) -> Result<Self, Error> {
        let wrong = |why: String| Error::Manifest { why };
        let line = document
            .strip_suffix(b"\n")
            .ok_or_else(|| wrong("it does not end with a line feed".to_owned()))?;
        let mut members = Vec::new();
        canonical::members(line, |name, value| members.push((name, value)))
            .map_err(|refusal| wrong(refusal.to_string()))?;
        let [("manifest", body), ("signature", signature)] = members.as_slice() else {
            return Err(wrong("it does not have the members manifest and signature".to_owned()));
        };
        let manifest: Self =
            serde_json::from_str(body).map_err(|error| wrong(error.to_string()))?;
        let signature: BatchSignature =
            serde_json::from_str(signature).map_err(|error| wrong(error.to_string()))?;
        manifest.verify(body.as_bytes(), &signature)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether the publisher signed these bytes, and may speak for whom it names.
    fn verify(&self, body: &[u8], signature: &BatchSignature) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::Manifest { why });
        let Publisher { key, speaks_for } = &self.publisher;
        let is_signed = VerifyingKey::from_bytes(&key.0).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            key.verify_strict(&[SIGNED_AS, body].concat(), &signature).is_ok()
        });
        if !is_signed {
            return wrong(format!("its signature is not that of {key} over its content"));
        }
        let Some(Granted { delegation, signature }) = speaks_for else { return Ok(()) };
        let operator = delegation.operator;
        if let Err(refusal) = delegation.verify(signature) {
            return wrong(format!("{operator} did not sign that the key speaks for it: {refusal}"));
        }
        let is_ours = delegation.key == *key && delegation.network == self.network;
        if !is_ours || !delegation.covers(self.published_ms) {
            return wrong(format!(
                "what {operator} signed is for another key, network or time than this"
            ));
        }
        Ok(())
    }

    /// Whether it is a manifest of this format: each file where its kind, day and hash put it, lists in order.
    fn check(&self) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::Manifest { why });
        if self.format != FORMAT {
            return wrong(format!(
                "its format is {:?} and this version reads {FORMAT}",
                self.format
            ));
        }
        for file in &self.files {
            if file.path != path_of(&file.kind, &file.day, &file.sha256) {
                return wrong(format!(
                    "{:?} is not where its kind, day and hash put it",
                    file.path
                ));
            }
        }
        if !self.files.is_sorted_by(|one, other| one.path < other.path) {
            return wrong("its files are not in the order of their paths".to_owned());
        }
        if !self
            .cards
            .is_sorted_by(|one, other| (&one.day, &one.window) < (&other.day, &other.window))
        {
            return wrong("its scorecards are not in the order of day and window".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::delegation::{Delegation, address_of};
    use events::event::Role;
    use serde_json::{Value, json};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_767_903_000_000);

    fn secret() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn manifest() -> Manifest {
        let (day, kind) = ("2026-01-08".parse().unwrap(), "scores".parse().unwrap());
        let sha256 = Digest::of(&[b"x"]);
        let path = path_of(&kind, &day, &sha256);
        let card = Card {
            day: "2026-01-08".parse().unwrap(),
            digest: Digest::of(&[b"card"]),
            policy: Digest::of(&[b"policy"]),
            policy_id: "evidence-1".to_owned(),
            revision: 1,
            window: "2026-01-08T21Z".to_owned(),
        };
        Manifest {
            cards: vec![card],
            files: vec![File { bytes: 1, day, kind, path, rows: 3, sha256 }],
            format: FORMAT.to_owned(),
            network: Network::Livepeer,
            published_ms: NOW,
            publisher: Publisher { key: publisher_key(&secret()), speaks_for: None },
        }
    }

    fn granted(key: PublisherKey, expiry_ms: UnixMillis, forger: bool) -> Granted {
        let keys = [3, 4].map(|byte| k256::ecdsa::SigningKey::from_slice(&[byte; 32]).unwrap());
        let [operator, other] = &keys;
        let delegation = Delegation {
            expiry_ms,
            key,
            network: Network::Livepeer,
            node: "a5d41402-abc4-4b2a-b6b9-719d91101732".parse().unwrap(),
            operator: address_of(operator.verifying_key()),
            role: Role::Controller,
            serial: 1,
        };
        let signature = delegation.sign(if forger { other } else { operator });
        Granted { delegation, signature }
    }

    #[test]
    fn what_is_sealed_opens() {
        let mut manifest = manifest();
        let sealed = manifest.seal(&secret()).unwrap();
        assert_eq!(Manifest::open(&sealed).unwrap(), manifest);
        assert_eq!(manifest.seal(&secret()).unwrap(), sealed);
        let later = NOW.plus(events::unit::Millis(1000));
        manifest.publisher.speaks_for = Some(granted(manifest.publisher.key, later, false));
        assert_eq!(Manifest::open(&manifest.seal(&secret()).unwrap()).unwrap(), manifest);
        let other = SigningKey::from_bytes(&[6; 32]);
        assert!(matches!(manifest.seal(&other), Err(Error::OtherKey { .. })));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let sealed = manifest().seal(&secret()).unwrap();
        for at in 0..sealed.len() {
            let mut spoiled = sealed.clone();
            spoiled[at] ^= 1;
            assert!(Manifest::open(&spoiled).is_err(), "byte {at}");
            assert!(Manifest::open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    /// The document of a manifest with something else in it, signed all the same.
    fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut value = serde_json::to_value(manifest()).unwrap();
        change(&mut value);
        let body = canonical::write(&value).unwrap();
        let signature = BatchSignature(secret().sign(&[SIGNED_AS, &body].concat()).to_bytes());
        let end = format!(",\"signature\":\"{signature}\"}}\n");
        [b"{\"manifest\":", body.as_slice(), end.as_bytes()].concat()
    }

    #[test]
    fn a_signed_manifest_of_another_form_is_refused() {
        assert!(Manifest::open(&with(|_| {})).is_ok());
        let says = |document: Vec<u8>, why: &str| {
            let said = Manifest::open(&document).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        };
        says(with(|it| it["format"] = json!("naap/dataset/2")), "naap/dataset/2");
        says(with(|it| it["files"][0]["path"] = json!("../x.parquet")), "../x.parquet");
        says(with(|it| it["files"][0]["kind"] = json!("..")), "a kind of rows");
        says(with(|it| it["files"][0]["day"] = json!("2026-02-30")), "a day such as");
        says(with(|it| it["more"] = json!(1)), "more");
        says(
            with(|it| {
                let file = it["files"][0].clone();
                it["files"].as_array_mut().unwrap().push(file);
            }),
            "order of their paths",
        );
        says(
            with(|it| {
                let card = it["cards"][0].clone();
                it["cards"].as_array_mut().unwrap().push(card);
            }),
            "order of day and window",
        );
        let key = publisher_key(&secret());
        let with_right = |right: Granted| {
            with(|it| it["publisher"]["speaks_for"] = serde_json::to_value(right).unwrap())
        };
        let soon = NOW.plus(events::unit::Millis(1));
        assert!(Manifest::open(&with_right(granted(key, soon, false))).is_ok());
        says(with_right(granted(key, soon, true)), "did not sign");
        says(with_right(granted(PublisherKey([1; 32]), soon, false)), "another key");
        says(with_right(granted(key, NOW.minus(events::unit::Millis(1)), false)), "time");
    }
}
