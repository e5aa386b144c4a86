"""Compares the scorecard of an exported folder with the one its files give."""

from . import canonical, pooled
from .folder import Diverges, Folder, Unusable
from .hour import Settled, event_set
from .standing import standing

# What makes results of a tally, by the method a policy names.
METHODS = {"pooled": pooled.results}


def scorecard(folder):
    """The scorecard that a folder's files give."""
    method = folder.policy["score"].get("method", "pooled")
    if method not in METHODS:
        raise Unusable(f"the policy's method {method} is not known here")
    settled = Settled(folder)
    return {
        "basis": {"events": event_set(settled)},
        "context": canonical.sha256(canonical.write(folder.context)).hex(),
        "format": "naap/scorecard/1",
        "network": folder.trust["network"],
        "policy": {"hash": folder.policy_hash, "id": folder.policy["id"]},
        "results": METHODS[method](settled, folder.policy),
        "standing": canonical.sha256(canonical.write(standing(settled))).hex(),
        "trust": canonical.sha256(canonical.write(folder.trust)).hex(),
        "window": folder.hour.text,
    }


def difference(told, found, path=""):
    """The first place where two values differ, in words."""
    if isinstance(told, dict) and isinstance(found, dict):
        pairs = [(name, told.get(name), found.get(name)) for name in sorted({*told, *found})]
    elif isinstance(told, list) and isinstance(found, list):
        length = max(len(told), len(found))
        pad = lambda items: items + [None] * (length - len(items))  # noqa: E731
        pairs = list(zip(range(length), pad(told), pad(found)))
    else:
        return None if told == found else f"{path}: the scorecard says {_short(told)}, these files give {_short(found)}"
    for name, one, other in pairs:
        differs = difference(one, other, f"{path}/{name}")
        if differs:
            return differs
    return None


def _short(value):
    text = "nothing" if value is None else canonical.write(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}..."


def check(path):
    """The exit code and the line for one folder."""
    try:
        folder = Folder(path)
        found = scorecard(folder)
        written = canonical.write(found)
        if written != folder.scorecard:
            try:
                told = canonical.read(folder.scorecard)
            except canonical.NotCanonical as error:
                raise Diverges(f"scorecard.json is not canonical: {error}") from error
            raise Diverges(difference(told, found) or "scorecard.json has other bytes")
        digest = canonical.sha256(written).hex()
        for name, told, given in (
            ("digest", folder.digest, digest),
            ("event_set", folder.event_set, found["basis"]["events"]),
            ("network", folder.network, found["network"]),
        ):
            if told != given:
                raise Diverges(f"manifest.json: {name}: it says {_short(told)}, these files give {_short(given)}")
    except Diverges as why:
        return 1, f"diverges: {why}"
    except Unusable as why:
        return 2, f"cannot be checked: {why}"
    return 0, f"agrees: {folder.hour.text} {digest}"
