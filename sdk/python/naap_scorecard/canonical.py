"""Canonical JSON, hashes and Merkle roots (docs/events.md, "Canonical JSON" and "A batch")."""

import hashlib
import json

LARGEST = 2**53 - 1
DEEPEST = 12


class NotCanonical(ValueError):
    """Bytes that are not the one spelling of a value."""


def write(value):
    """The one spelling of a value; Python's escapes are those of RFC 8785."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotCanonical("a name stands twice")
    for name in members:
        if not name.isascii() or any(ord(letter) < 0x20 or letter in '"\\' for letter in name):
            raise NotCanonical(f"the name {name!r}")
    return members


def _integer(text):
    # Counting the digits first keeps Python from refusing or labouring over absurd numbers.
    if len(text) > 17 or abs(int(text)) > LARGEST:
        raise NotCanonical("a number out of range")
    return int(text)


def _refuse(text):
    raise NotCanonical(f"the number {text}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse
)


def depth(value):
    """How many objects and arrays stand inside one another."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def read(data, deepest=DEEPEST):
    """The value of canonical bytes."""
    try:
        value = _DECODER.decode(data.decode())
        if depth(value) > deepest or write(value) != data:
            raise NotCanonical("another spelling")
    except RecursionError as error:
        raise NotCanonical("too deep") from error
    except ValueError as error:
        raise NotCanonical(str(error)) from error
    return value


def sha256(*parts):
    """SHA-256 over the parts joined."""
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(data):
    """The RFC 6962 hash of a leaf."""
    return sha256(b"\0", data)


def root(leaves):
    """The RFC 6962 tree hash over the hashes of leaves."""
    if not leaves:
        return sha256()
    # Pairing from the left and carrying an odd one up gives the same tree as splitting at powers of two.
    while len(leaves) > 1:
        pairs = [sha256(b"\1", left, right) for left, right in zip(leaves[::2], leaves[1::2])]
        leaves = pairs + leaves[len(pairs) * 2 :]
    return leaves[0]
