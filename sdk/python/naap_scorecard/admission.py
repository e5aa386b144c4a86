"""Whose word counts (docs/scoring.md, "Admission")."""

from collections import defaultdict

from .forms import ROLES

DELEGATION_MS = 90 * 24 * 3_600_000
NAMED_ROLES = ("controller", "collector", "tester")
LISTED_AS = {"gateway": "gateway", "orchestrator": "orchestrator", "worker": "orchestrator", "transcoder": "orchestrator"}


def _said(batches, kind):
    return [said for batch in batches for said in batch.events if said.kind == kind]


def delegation_order(delegation):
    """The order in which delegations are listed: member by member, roles in the order of their words."""
    return [ROLES.index(value) if name == "role" else value for name, value in sorted(delegation.items())]


class Authority:
    """What the batches themselves say of who may speak."""

    def __init__(self, trust, batches):
        self.trust = trust
        self.named = {(member["role"], member["address"]) for member in trust["members"]}
        self.named_keys = {
            (member["role"], member["address"], bytes.fromhex(member["key"])) for member in trust["members"] if "key" in member
        }
        # What stands where, in the network; forks are such in whichever.
        self.hashes, sealed = defaultdict(set), defaultdict(set)
        for batch in batches:
            sealed[batch.place].add(batch.hash)
            if batch.network == trust["network"]:
                self.hashes[batch.place].add(batch.hash)
        self.forks = {}
        for (key, epoch, seq), hashes in sealed.items():
            if len(hashes) > 1:
                self.forks[key, epoch] = min(seq, self.forks.get((key, epoch), seq))
        # By key and operator, and by key.
        self.delegations = defaultdict(dict)
        self.revocations = defaultdict(set)
        self.rosters = defaultdict(dict)
        # Each step leans on those before.
        for said in _said(batches, "delegation.granted"):
            self._grant(said)
        standing = [batch for batch in batches if self.stands(batch)]
        for said in _said(standing, "delegation.revoked"):
            self._revoke(said)
        for said in _said(standing, "roster.observed"):
            self._list(said)

    def stands(self, batch):
        """Whether a batch is of the network and before every fork of its epoch."""
        fork = self.forks.get((batch.key, batch.epoch))
        return batch.network == self.trust["network"] and (fork is None or batch.seq < fork)

    def _grant(self, said):
        delegation = said.body["delegation"]
        if delegation["network"] == self.trust["network"]:
            key = bytes.fromhex(delegation["key"])
            granted = self.delegations[key].setdefault(delegation["operator"], [])
            if delegation not in granted:
                granted.append(delegation)

    def _revoke(self, said):
        body = said.body
        if said.event["network"] == said.batch.network and self._speaks(said):
            self.revocations[bytes.fromhex(body["key"])].add((said.reporter, body["epoch"], body["hash"], body["seq"]))

    def _list(self, said):
        is_controller = said.role == "controller" and ("controller", said.reporter) in self.named
        is_heard = is_controller and said.event["network"] == said.batch.network
        if is_heard and self._speaks(said) and not self._revoked(said):
            body = said.body
            roster = self.rosters[said.reporter].setdefault(body["as_of_ms"], (set(), set()))
            roster[0].add(body["count"])
            roster[1].add((body["member"], body["role"]))

    def in_force(self, key, operator, moment):
        """The delegation of an address to a key that holds at a moment."""
        begun = [
            delegation
            for delegation in self.delegations.get(key, {}).get(operator, ())
            if delegation["expiry_ms"] - DELEGATION_MS <= moment
        ]
        return max(begun, key=lambda delegation: (delegation["serial"], *delegation_order(delegation)), default=None)

    def _speaks(self, said):
        """Whether an event's key may speak for its reporter, node and role."""
        batch = said.batch
        if (said.role, said.reporter, batch.key) in self.named_keys:
            return True
        delegation = self.in_force(batch.key, said.reporter, batch.sealed_ms)
        if delegation is None or batch.sealed_ms > delegation["expiry_ms"]:
            return False
        return (delegation["node"], delegation["role"]) == (said.event["node"], said.role)

    def contested(self, key, epoch, seq, good):
        """Whether another batch stands where a revocation names the last good one, and that one is not known."""
        known = self.hashes.get((key, epoch, seq), set())
        return bool(known) and bytes.fromhex(good) not in known

    def _revoked(self, said):
        batch = said.batch
        for author, epoch, good, seq in self.revocations.get(batch.key, ()):
            if author == said.reporter or ("controller", author) in self.named:
                is_after = (batch.epoch, batch.seq) > (epoch, seq)
                if is_after or (batch.epoch == epoch and self.contested(batch.key, epoch, seq, good)):
                    return True
        return False

    def holding(self, controller, moment):
        """The roster of a controller that holds at a moment: when it is of, and its members."""
        complete = [
            as_of_ms
            for as_of_ms, (counts, members) in self.rosters.get(controller, {}).items()
            if as_of_ms <= moment and len(members) >= max(counts)
        ]
        if not complete:
            return None
        return max(complete), self.rosters[controller][max(complete)][1]

    def _listed(self, address, role, moment):
        listed = 0
        for controller in self.rosters:
            roster = self.holding(controller, moment)
            listed += roster is not None and (address, LISTED_AS[role]) in roster[1]
        return listed >= self.trust["roster_quorum"]

    def admits(self, said):
        """Whether an event counts, but for its being said again."""
        batch = said.batch
        if not self.stands(batch) or said.event["network"] != batch.network:
            return False
        if not self._speaks(said) or self._revoked(said):
            return False
        if said.role in NAMED_ROLES:
            return (said.role, said.reporter) in self.named
        return self._listed(said.reporter, said.role, batch.sealed_ms)
