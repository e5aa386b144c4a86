//! The open sessions, by a hash of their tokens: who reads this memory still cannot sign in.

use std::collections::BTreeMap;

use events::identity::{Address, Digest};
use events::unit::{Millis, UnixMillis};

use super::{Session, random};
use crate::problem::Problem;

/// The most sessions of one address; the oldest gives way.
const OF_ADDRESS_MAX: usize = 8;

/// The sessions of one process.
#[derive(Debug)]
pub struct Sessions {
    lifetime: Millis,
    most: usize,
    open: BTreeMap<Digest, Session>,
}

impl Sessions {
    /// None open yet.
    pub fn new(lifetime: Millis, most: usize) -> Self {
        Self { lifetime, most, open: BTreeMap::new() }
    }

    /// Opens a session; gives it and its token, 256 random bits that are told only here.
    pub fn open(
        &mut self,
        address: Address,
        now: UnixMillis,
    ) -> Result<(Session, String), Problem> {
        self.open.retain(|_, session| session.expires_ms > now);
        let mine = |(token, session): (&Digest, &Session)| {
            (session.address == address).then_some((session.expires_ms, *token))
        };
        let mine: Vec<_> = self.open.iter().filter_map(mine).collect();
        if mine.len() >= OF_ADDRESS_MAX
            && let Some((_, oldest)) = mine.iter().min()
        {
            self.open.remove(oldest);
        }
        if self.open.len() >= self.most {
            return Err(Problem::busy("people signed in"));
        }
        let mut token = [0; 32];
        getrandom::fill(&mut token).map_err(|error| random(&error))?;
        let token = hex::encode(token);
        let session = Session { address, expires_ms: now.plus(self.lifetime) };
        self.open.insert(Digest::of(&[token.as_bytes()]), session);
        Ok((session, token))
    }

    /// The session of a token.
    pub fn find(&self, token: &str, now: UnixMillis) -> Option<Session> {
        let session = self.open.get(&Digest::of(&[token.as_bytes()])).copied();
        session.filter(|session| session.expires_ms > now)
    }

    /// Closes the session of a token.
    pub fn close(&mut self, token: &str) {
        self.open.remove(&Digest::of(&[token.as_bytes()]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_in_number_and_time() {
        let mut sessions = Sessions::new(Millis(1_000), OF_ADDRESS_MAX + 1);
        let (one, two, now) = (Address([1; 20]), Address([2; 20]), UnixMillis(5_000));
        let (first, token) = sessions.open(one, now).unwrap();
        assert_eq!(sessions.find(&token, now), Some(first));
        assert_eq!(sessions.find(&token, UnixMillis(6_000)), None);
        for later in 1..=OF_ADDRESS_MAX {
            sessions.open(one, now.plus(Millis(u64::try_from(later).unwrap()))).unwrap();
        }
        assert_eq!(sessions.find(&token, now), None, "the oldest gave way");
        sessions.open(two, now).unwrap();
        assert!(sessions.open(Address([3; 20]), now).is_err());
        let (_, token) = sessions.open(Address([3; 20]), UnixMillis(9_000)).unwrap();
        sessions.close(&token);
        assert_eq!(sessions.find(&token, UnixMillis(9_000)), None);
    }
}
