"""Checks schemas/vectors with nobody's code but this file and public libraries.

The rules are those of docs/events.md, written again; shapes come from the JSON Schemas. What each vector says is
computed here and compared; the first disagreement is printed and ends the run with exit code 1. Nothing is written.

    python -m pip install --requirement scripts/requirements.txt
    python scripts/check-vectors.py
"""

import hashlib
import io
import json
import pathlib
import sys

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from eth_keys import keys
from jsonschema import Draft202012Validator, ValidationError, validators

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "schemas"
LARGEST = 2**53 - 1
ZEROS = "0" * 64


class Refused(Exception):
    """An input that is not used, under its code."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Canonical JSON


def write(value):
    """The one spelling of a value; Python's escapes are those of RFC 8785."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def within(value, depth=0):
    """Whether a value stays within the limits: integers, plain names, depth."""
    if depth > 12 or isinstance(value, float):
        return False
    if isinstance(value, dict):
        plain = all(name.isascii() and write(name) == b'"%s"' % name.encode() for name in value)
        return plain and all(within(member, depth + 1) for member in value.values())
    if isinstance(value, list):
        return all(within(item, depth + 1) for item in value)
    return not isinstance(value, int) or abs(value) <= LARGEST


def read(data, code):
    """The value of canonical bytes."""
    try:
        value = json.loads(data.decode("utf-8"))
        if within(value) and write(value) == data:
            return value
    except (ValueError, RecursionError):
        pass
    raise Refused(code)


# Shapes


def whole_pattern(validator, pattern, text, schema):
    # Python's `$` also stands before a last line feed; `\Z` does not.
    expression = pattern[:-1] + "\\Z" if pattern.endswith("$") else pattern
    yield from Draft202012Validator.VALIDATORS["pattern"](validator, expression, text, schema)


def most_bytes(validator, most, text, schema):
    if isinstance(text, str) and len(text.encode()) > most:
        yield ValidationError(f"over {most} bytes")


Validator = validators.extend(Draft202012Validator, {"pattern": whole_pattern, "x-max-bytes": most_bytes})


def schema(name):
    contents = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(contents)
    return contents


EVENT = schema("event")
WHOLE_EVENT = Validator(EVENT)
HEADER = Validator(schema("batch-header"))
DELEGATION = Validator(schema("delegation"))
DATA = {
    rule["if"]["properties"]["kind"]["const"]: Validator(rule["then"]["properties"]["data"] | {"$defs": EVENT["$defs"]})
    for rule in EVENT["allOf"]
}
ENVELOPE = Validator(
    {name: part for name, part in EVENT.items() if name != "allOf"}
    | {"properties": EVENT["properties"] | {"data": True}}
)


def event(data):
    if len(data) > 16_384:
        raise Refused("E-EVENT-TOO-LARGE")
    value = read(data, "E-EVENT-NOT-CANONICAL")
    if not ENVELOPE.is_valid(value):
        raise Refused("E-EVENT-MALFORMED")
    if value["kind"] not in DATA:
        raise Refused("E-EVENT-KIND")
    if not isinstance(value["data"], dict) or not DATA[value["kind"]].is_valid(value["data"]):
        raise Refused("E-EVENT-MALFORMED")
    assert WHOLE_EVENT.is_valid(value)
    return value


# Batches


def merkle(leaves):
    """RFC 6962 section 2.1, as it is defined there."""
    if len(leaves) < 2:
        return sha256(b"\0", leaves[0]) if leaves else sha256()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", merkle(leaves[:split]), merkle(leaves[split:]))


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    """The sum of two points of edwards25519 (RFC 8032 section 5.1.4, in plain coordinates)."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def is_small_order(encoded):
    """Whether eight times the point is the neutral one; the sign of x does not matter for that."""
    y = (int.from_bytes(encoded, "little") & (1 << 255) - 1) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    point = (x, y)
    for _ in range(3):
        point = add(point, point)
    return x * x % P == square and point == (0, 1)


def verify(key, signature, message):
    try:
        if is_small_order(key) or is_small_order(signature[:32]):
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("E-BATCH-SIGNATURE") from None


def header(data):
    value = read(data, "E-BATCH-MALFORMED")
    if not isinstance(value, dict) or not isinstance(value.get("format"), str):
        raise Refused("E-BATCH-MALFORMED")
    if value["format"] != "naap/batch/1":
        raise Refused("E-BATCH-FORMAT")
    # Counts and times have verdicts of their own, so the schema judges the header without them.
    count, sealed = value.get("count"), value.get("sealed_ms")
    numbers = type(count) is int and 0 <= count < 65_536 and type(sealed) is int and sealed >= 0
    if not numbers or not HEADER.is_valid(value | {"count": 1, "sealed_ms": 1_577_836_800_000}):
        raise Refused("E-BATCH-MALFORMED")
    if not 1 <= count <= 256:
        raise Refused("E-BATCH-TOO-LARGE")
    if not 1_577_836_800_000 <= sealed < 4_102_444_800_000:
        raise Refused("E-BATCH-TIME")
    if value["seq"] == 0 and value["prev"] != ZEROS:
        raise Refused("E-BATCH-CHAIN")
    assert HEADER.is_valid(value)
    return value


def sealed(head, signature, events):
    """Checks the signature, then the events."""
    verify(bytes.fromhex(head["key"]), signature, b"naap/batch/1\n" + write(head))
    if len(events) != head["count"] or merkle(events).hex() != head["root"]:
        raise Refused("E-BATCH-ROOT")


def is_object(data):
    try:
        return isinstance(read(data, ""), dict)
    except Refused:
        return False


def to_line(head, signature, events):
    items = [data if is_object(data) else b'"%s"' % data.hex().encode() for data in events]
    return b'{"events":[%s],"header":%s,"signature":"%s"}' % (b",".join(items), write(head), signature.hex().encode())


def from_line(text):
    malformed = Refused("E-BATCH-MALFORMED")
    try:
        value = json.loads(text)
        items, head, signature = value["events"], write(value["header"]), bytes.fromhex(value["signature"])
        events = [bytes.fromhex(item) if isinstance(item, str) else write(item) for item in items]
    except (ValueError, TypeError, KeyError):
        raise malformed from None
    head = header(head)
    if len(signature) != 64 or not events or any(b"\n" in data for data in events):
        raise malformed
    if to_line(head, signature, events) != text.encode():
        raise malformed
    sealed(head, signature, events)
    return head, signature, events


def inflate(compressed, announced):
    """The payload of exactly one zstd frame, which is never read past what was announced."""
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(compressed))
        payload = reader.read(announced + 1)
        if len(payload) != announced:
            raise Refused("E-BATCH-MALFORMED")
        whole = zstandard.ZstdDecompressor().decompressobj()
        whole.decompress(compressed)
    except zstandard.ZstdError:
        raise Refused("E-BATCH-MALFORMED") from None
    if not whole.eof or whole.unused_data:
        raise Refused("E-BATCH-MALFORMED")
    return payload


def from_frame(data):
    if len(data) > 50_251:
        raise Refused("E-BATCH-TOO-LARGE")
    length = int.from_bytes(data[5:7])
    if data[:5] != b"naap\x01" or length > 1_024 or len(data) < 7 + length + 64 + 4:
        raise Refused("E-BATCH-MALFORMED")
    head, signature = data[7 : 7 + length], data[7 + length : 71 + length]
    announced = int.from_bytes(data[71 + length : 75 + length])
    if announced > 4_194_560:
        raise Refused("E-BATCH-TOO-LARGE")
    head = header(head)
    verify(bytes.fromhex(head["key"]), signature, b"naap/batch/1\n" + write(head))
    payload = inflate(data[75 + length :], announced)
    if not payload.endswith(b"\n"):
        raise Refused("E-BATCH-MALFORMED")
    events = payload[:-1].split(b"\n")
    sealed(head, signature, events)
    return head, signature, events


def link(before, after):
    if after["seq"] != before["seq"] + 1 or after["prev"] != sha256(write(before)).hex():
        raise Refused("E-BATCH-CHAIN")
    if after["sealed_ms"] < before["sealed_ms"]:
        raise Refused("E-BATCH-TIME")


# Delegations


FIELDS = [
    ("network", "string"), ("node", "string"), ("key", "bytes32"),
    ("role", "string"), ("serial", "uint64"), ("expiry", "uint64"),
]
DOMAIN = [("name", "string"), ("version", "string"), ("chainId", "uint256")]
HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


def typed_data(delegation):
    def fields(pairs):
        return [{"name": name, "type": kind} for name, kind in pairs]

    return {
        "types": {"EIP712Domain": fields(DOMAIN), "Delegation": fields(FIELDS)},
        "primaryType": "Delegation",
        "domain": {"name": "naap", "version": "1", "chainId": 42161},
        "message": {
            "network": delegation["network"],
            "node": delegation["node"],
            "key": "0x" + delegation["key"],
            "role": delegation["role"],
            "serial": str(delegation["serial"]),
            "expiry": str(delegation["expiry_ms"]),
        },
    }


def signing_hash(delegation):
    """EIP-712, by its definition."""

    def struct(name, fields, values):
        kind = f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})"
        words = [keccak(kind.encode())]
        for (_, kind), value in zip(fields, values, strict=True):
            words.append({"string": lambda v: keccak(v.encode()), "bytes32": bytes.fromhex}.get(
                kind, lambda v: v.to_bytes(32))(value))
        return keccak(b"".join(words))

    names = ["network", "node", "key", "role", "serial", "expiry_ms"]
    domain = struct("EIP712Domain", DOMAIN, ["naap", "1", 42161])
    return keccak(b"\x19\x01" + domain + struct("Delegation", FIELDS, [delegation[name] for name in names]))


def delegated(delegation, signature):
    """Checks that the operator signed, and nothing but one form of its signature."""
    signature = bytes.fromhex(signature.removeprefix("0x"))
    r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
    try:
        if v not in (27, 28) or s > HALF_ORDER:
            raise ValueError
        key = keys.Signature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(signing_hash(delegation))
        if key.to_address() == delegation["operator"]:
            return
    except Exception:  # the library has many ways to say no
        pass
    raise Refused("E-DELEGATION-SIGNATURE")


# Names that are hashes


def job_id(workload, ids):
    parts = [part.encode() for part in [workload, *ids]]
    return sha256(b"naap/job/1", *(len(part).to_bytes(4) + part for part in parts))[:16].hex()


def commitment(jobs, nonce):
    return sha256(write({"jobs": sorted(jobs), "nonce": nonce})).hex()


# The vectors


def raw(case):
    return bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()


def verdict(check, *inputs):
    try:
        check(*inputs)
    except Refused as refused:
        return str(refused)
    return None


def equal(found, stated, what):
    if found != stated:
        sys.exit(f"disagreement: {what}: stated {stated!r}, found {found!r}")


def check_events(vectors):
    for case in vectors["good"]:
        equal(verdict(event, raw(case)), None, case["name"])
        equal(sha256(b"\0", raw(case)).hex(), case["leaf"], case["name"])
    for case in vectors["bad"]:
        equal(verdict(event, raw(case)), case["code"], case["name"])


def check_batches(vectors):
    for case in vectors["good"]:
        equal(verdict(from_line, case["line"]), None, case["name"])
        head, _, events = from_line(case["line"])
        equal([sha256(write(head)).hex(), merkle(events).hex()], [case["hash"], case["root"]], case["name"])
    for case in vectors["bad"]:
        equal(verdict(from_line, case["line"]), case["code"], case["name"])
    for case in vectors["links"]:
        before, after = from_line(case["before"])[0], from_line(case["after"])[0]
        equal(verdict(link, before, after), case["code"], case["name"])
    for case in vectors["equivocations"]:
        one, other = (from_line(line)[0] for line in case["lines"])
        same_place = all(one[name] == other[name] for name in ("key", "epoch", "seq"))
        equal(same_place and one != other, case["equivocation"], case["name"])


def check_frames(vectors):
    for case in vectors["good"]:
        equal(verdict(from_frame, raw(case)), None, case["name"])
        equal(from_frame(raw(case)), from_line(case["line"]), case["name"])
    for case in vectors["bad"]:
        equal(verdict(from_frame, raw(case)), case["code"], case["name"])


def check_delegations(vectors):
    for case in vectors["good"]:
        delegation, what = case["delegation"], case["name"]
        equal(DELEGATION.is_valid(delegation), True, what)
        equal(typed_data(delegation), case["typed_data"], what)
        # Three ways to one hash: the definition above, eth-account's from the typed data, and the stated one.
        message = encode_typed_data(full_message=case["typed_data"])
        theirs = keccak(b"\x19" + message.version + message.header + message.body)
        equal([signing_hash(delegation).hex(), theirs.hex()], [case["signing_hash"]] * 2, what)
        equal(verdict(delegated, delegation, case["signature"]), None, what)
    for case in vectors["bad"]:
        equal(verdict(delegated, case["delegation"], case["signature"]), case["code"], case["name"])
    for case in vectors["covers"]:
        left = case["expiry_ms"] - case["sealed_ms"]
        equal(0 <= left <= 90 * 24 * 3_600_000, case["covers"], case["name"])


def check_job_ids(vectors):
    for case in vectors["good"]:
        equal(job_id(case["workload"], case["ids"]), case["job_id"], case["name"])


def check_digests(vectors):
    for case in vectors["pseudonyms"]:
        secret = bytes.fromhex(case["secret"])
        equal(sha256(b"naap/pseudonym/2\0", secret, case["text"].encode())[:8].hex(), case["pseudonym"], case["text"])
    for case in vectors["commitments"]:
        equal(commitment(case["jobs"], case["nonce"]), case["commitment"], "commitment")


def check_merkle(vectors):
    for case in vectors["good"]:
        equal(merkle([bytes.fromhex(leaf) for leaf in case["leaves"]]).hex(), case["root"], "root")


CHECKS = {
    "batches": check_batches,
    "delegations": check_delegations,
    "digests": check_digests,
    "events": check_events,
    "frames": check_frames,
    "job-ids": check_job_ids,
    "merkle": check_merkle,
}


def main():
    folder = SCHEMAS / "vectors"
    equal(sorted(path.stem for path in folder.glob("*.json")), sorted(CHECKS), "the files of schemas/vectors")
    for name, check in CHECKS.items():
        vectors = json.loads((folder / f"{name}.json").read_text())
        check(vectors)
        lists = {part: len(cases) for part, cases in vectors.items() if isinstance(cases, list)}
        print(f"{name}: {', '.join(f'{count} {part}' for part, count in lists.items())}")


if __name__ == "__main__":
    main()
