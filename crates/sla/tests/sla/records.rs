//! Whose word counts: delegations, rosters and revocations one by one.
