//! Nonces that need no room before they are signed: each proves by itself that we gave it out and when. Only those that
//! a signed message used up are remembered, for as long as they would hold. It never keeps anybody out for long: where
//! there is no room the earliest are forgotten, and with them nonces as old hold no more.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use events::unit::{Millis, UnixMillis};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::problem::{Code, Problem};

/// How long a nonce holds.
pub const LIFETIME: Millis = Millis(5 * 60_000);

/// The most nonces that are remembered as used up.
const SPENT_MAX: usize = 65_536;

/// Bytes of a nonce: when it was drawn, what was drawn, and the proof that we did.
const TIME: usize = 8;
const DRAWN: usize = 16;
const PROOF: usize = 16;

/// The nonces of one process.
#[derive(Debug)]
pub struct Nonces {
    most: usize,
    secret: [u8; 32],
    spent: Mutex<Spent>,
}

/// What was used up: nonces begin with the time they were drawn at, so their order is that of time.
#[derive(Debug, Default)]
struct Spent {
    /// Nonces drawn up to here hold no more: which of them were used was forgotten.
    floor: Option<UnixMillis>,
    nonces: BTreeSet<String>,
}

impl Nonces {
    /// None given out yet.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self { most: SPENT_MAX, secret, spent: Mutex::default() })
    }

    /// Another nonce: letters and digits, as ERC-4361 wants them.
    pub fn draw(&self, now: UnixMillis) -> Result<String, getrandom::Error> {
        let mut drawn = [0; DRAWN];
        getrandom::fill(&mut drawn)?;
        let head = [now.0.to_be_bytes().as_slice(), &drawn].concat();
        let proof = self.mac(&head).finalize().into_bytes();
        let proof = proof.iter().take(PROOF);
        Ok(hex::encode(head.iter().chain(proof).copied().collect::<Vec<u8>>()))
    }

    /// Uses up a nonce that we gave out in the last five minutes and that nobody used before.
    pub fn spend(&self, nonce: &str, now: UnixMillis) -> Result<(), Problem> {
        let refuse = |why: &str| {
            let instead =
                "GET /v1/private/nonce and sign a message with what it gives, within five minutes.";
            Problem::new(Code::SignInNonce, why, instead)
        };
        let drawn_ms = self.drawn(nonce).ok_or_else(|| refuse("the nonce was not issued here"))?;
        if drawn_ms.plus(LIFETIME) <= now {
            return Err(refuse("the nonce was issued more than five minutes ago"));
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.floor.is_some_and(|floor| drawn_ms <= floor) {
            return Err(refuse("the nonce was issued before many others that were used since"));
        }
        if !spent.nonces.insert(nonce.to_owned()) {
            return Err(refuse("the nonce was used before"));
        }
        if spent.nonces.len() > self.most
            && let Some(forgotten) = spent.nonces.pop_first()
        {
            spent.floor = spent.floor.max(self.drawn(&forgotten));
        }
        Ok(())
    }

    /// When we drew a nonce; nothing if we did not.
    fn drawn(&self, nonce: &str) -> Option<UnixMillis> {
        let is_ours = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        let bytes = hex::decode(nonce).ok().filter(|_| nonce.bytes().all(is_ours))?;
        let (head, proof) = bytes.split_at_checked(TIME + DRAWN)?;
        // Compared in constant time, and only whole.
        let is_whole = proof.len() == PROOF;
        self.mac(head).verify_truncated_left(proof).ok().filter(|()| is_whole)?;
        head.first_chunk().map(|time| UnixMillis(u64::from_be_bytes(*time)))
    }

    fn mac(&self, head: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret);
        mac.expect("HMAC takes keys of any length").chain_update(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_holds_once_and_for_five_minutes() {
        let (nonces, now) = (Nonces::new().unwrap(), UnixMillis(1_767_909_453_120));
        let nonce = nonces.draw(now).unwrap();
        assert!(nonce.len() >= 8 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(nonce, nonces.draw(now).unwrap());
        let late = now.plus(LIFETIME);
        assert_eq!(nonces.spend(&nonce, late).unwrap_err().code, Code::SignInNonce);
        nonces.spend(&nonce, late.minus(Millis(1))).unwrap();
        assert_eq!(nonces.spend(&nonce, now).unwrap_err().code, Code::SignInNonce);
        let upper = nonces.draw(now).unwrap().to_ascii_uppercase();
        let other = Nonces::new().unwrap().draw(now).unwrap();
        let short = nonces.draw(now).unwrap()[..60].to_owned();
        for strange in ["", "12345678", &upper, &other, &short] {
            assert_eq!(
                nonces.spend(strange, now).unwrap_err().code,
                Code::SignInNonce,
                "{strange}"
            );
        }
    }
    #[test]
    fn a_crowd_makes_nonces_hold_shorter_and_keeps_nobody_out() {
        let now = UnixMillis(1_767_909_453_120);
        let nonces = Nonces { most: 3, ..Nonces::new().unwrap() };
        let old = nonces.draw(now).unwrap();
        let first = nonces.draw(now.plus(Millis(1))).unwrap();
        nonces.spend(&first, now).unwrap();
        for later in 2..9 {
            nonces.spend(&nonces.draw(now.plus(Millis(later))).unwrap(), now).unwrap();
        }
        for refused in [&old, &first] {
            assert_eq!(nonces.spend(refused, now).unwrap_err().code, Code::SignInNonce);
        }
        assert_eq!(nonces.spent.lock().unwrap().nonces.len(), 3);
    }
}
