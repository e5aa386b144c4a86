"""Compares the scorecard of an exported folder with the one its files give."""

from collections import defaultdict

from . import canonical, evidence, pooled
from .folder import Diverges, Folder, Unusable
from .hour import Settled, event_set
from .standing import standing
from .tally import Pair, Row

# What makes results of a tally, by the method a policy names.
METHODS = {"evidence": evidence.made_of, "pooled": pooled.made_of}


class Counted:
    """The tallies of a window."""

    def __init__(self, hours):
        # By the starts of hours.
        self.hours = hours
        self.rows, self.pairs = defaultdict(Row), defaultdict(Pair)
        for _, tally in hours:
            for key, row in tally.rows.items():
                self.rows[key].add(row)
            for key, pair in tally.pairs.items():
                self.pairs[key].add(pair.numbers, pair.disagreed)


def scorecard(folder):
    """The scorecard that a folder's files give."""
    method = folder.policy["score"].get("method", "pooled")
    if method not in METHODS:
        raise Unusable(f"the policy's method {method} is not known here")
    made = {
        "context": folder.context_hash,
        "format": "naap/scorecard/1",
        "network": folder.trust["network"],
        "policy": {"hash": folder.policy_hash, "id": folder.policy["id"]},
        "trust": canonical.sha256(canonical.write(folder.trust)).hex(),
        "window": folder.window.text,
    }
    if folder.window.is_hour():
        settled = Settled(folder)
        hours = [(settled.hour.start, settled.tally)]
        made["basis"] = {"events": event_set(settled)}
        made["standing"] = canonical.sha256(canonical.write(standing(settled))).hex()
    else:
        hours = [(one.hour.start, one.tally) for one in folder.tallies]
        pinned = [{"hour": one.hour.text, "revision": one.revision, "tally": one.digest} for one in folder.tallies]
        made["basis"] = {"hours": pinned}
    if method == "evidence" and folder.register is None:
        raise Unusable("the policy asks for a register, and the context names none")
    return made | METHODS[method](Counted(hours), folder)


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
            ("event_set", folder.event_set, found["basis"].get("events")),
            ("network", folder.network, found["network"]),
        ):
            if told != given:
                raise Diverges(f"manifest.json: {name}: it says {_short(told)}, these files give {_short(given)}")
    except Diverges as why:
        return 1, f"diverges: {why}"
    except Unusable as why:
        return 2, f"cannot be checked: {why}"
    return 0, f"agrees: {folder.window.text} {digest}"
