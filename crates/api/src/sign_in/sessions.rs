//! The open sessions, by a hash of their tokens: who reads this memory still cannot sign in. It never turns anybody away:
//! where there is no room the oldest session ends, so that a crowd of fresh keys can cost others a session and no more.

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
    /// None open yet; there may be `most`.
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
        self.make_room(OF_ADDRESS_MAX, |session| session.address == address);
        self.make_room(self.most, |_| true);
        let mut token = [0; 32];
        getrandom::fill(&mut token).map_err(|error| random(&error))?;
        let token = hex::encode(token);
        let session = Session { address, expires_ms: now.plus(self.lifetime) };
        self.open.insert(Digest::of(&[token.as_bytes()]), session);
        Ok((session, token))
    }

    /// Ends the oldest of some sessions where one more would be more than `most`.
    fn make_room(&mut self, most: usize, is_one: impl Fn(&Session) -> bool) {
        let some = self.open.iter().filter(|(_, session)| is_one(session));
        let some = some.map(|(token, session)| (session.expires_ms, *token));
        let (count, oldest) = some.fold((0, None), |(count, oldest): (usize, Option<_>), it| {
            (count + 1, Some(oldest.map_or(it, |old| it.min(old))))
        });
        if let Some((_, oldest)) = oldest
            && count >= most
        {
            self.open.remove(&oldest);
        }
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
        let (_, second) = sessions.open(two, now.plus(Millis(500))).unwrap();
        // A crowd of addresses makes the oldest sessions end, and keeps nobody out.
        for stranger in 3..=u8::try_from(OF_ADDRESS_MAX + 3).unwrap() {
            let (_, token) = sessions.open(Address([stranger; 20]), now.plus(Millis(600))).unwrap();
            assert!(sessions.find(&token, now).is_some());
        }
        assert_eq!(sessions.find(&second, now), None);
        let (_, token) = sessions.open(two, now.plus(Millis(700))).unwrap();
        assert!(sessions.find(&token, now).is_some());
        assert_eq!(sessions.open.len(), OF_ADDRESS_MAX + 1);
        let (_, token) = sessions.open(Address([3; 20]), UnixMillis(9_000)).unwrap();
        sessions.close(&token);
        assert_eq!(sessions.find(&token, UnixMillis(9_000)), None);
    }
}
