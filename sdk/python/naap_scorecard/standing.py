"""What admission rests on beyond the hour (docs/scoring.md, "The standing facts")."""

from . import canonical
from .admission import delegation_order
from .forms import ROLES


def standing(settled):
    """The standing facts, for the keys that sealed the event set."""
    authority = settled.authority
    keys = {leaf[32:64] for leaf in settled.leaves}
    sealed = {int.from_bytes(leaf[80:88]) for leaf in settled.leaves}
    chains = sorted(batch.hash for batch in settled.proving if batch.key in keys)
    delegations = [one for key in keys for granted in authority.delegations.get(key, {}).values() for one in granted]
    forks = {(key, epoch, seq) for (key, epoch), seq in authority.forks.items() if key in keys}
    revocations = [(author, epoch, good, key, seq) for key in keys for author, epoch, good, seq in authority.revocations.get(key, ())]
    contested = {(key, epoch, seq) for _, epoch, good, key, seq in revocations if authority.contested(key, epoch, seq, good)}
    facts = {
        "chains": canonical.root([canonical.leaf(chain) for chain in chains]).hex(),
        "delegations": sorted(delegations, key=delegation_order),
        "forks": _places(forks),
        "revocations": [
            [author, {"epoch": epoch, "hash": good, "key": key.hex(), "seq": seq}]
            for author, epoch, good, key, seq in sorted(revocations)
        ],
        "rosters": _rosters(authority, sealed),
    }
    if contested:
        facts["contested"] = _places(contested)
    return facts


def _places(places):
    return [{"epoch": epoch, "key": key.hex(), "seq": seq} for key, epoch, seq in sorted(places)]


def _rosters(authority, sealed):
    facts = []
    for controller in authority.rosters:
        holding = {roster[0]: roster[1] for roster in (authority.holding(controller, moment) for moment in sealed) if roster}
        for as_of_ms, members in holding.items():
            listed = sorted(members, key=lambda member: (member[0], ROLES.index(member[1])))
            digest = canonical.sha256(canonical.write([list(member) for member in listed])).hex()
            facts.append({"as_of_ms": as_of_ms, "controller": controller, "members": digest})
    return sorted(facts, key=lambda fact: (fact["as_of_ms"], fact["controller"]))
