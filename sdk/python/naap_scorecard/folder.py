"""An exported folder: its files against its manifest, its batches and their events (docs/scoring.md, "What an export holds")."""

import pathlib
import re
import tomllib

from . import canonical, forms, tally
from .register import Register
from .window import Hour, Window

# What every folder has; besides, an hour has its batches, a longer window its tallies, and either perhaps a register.
FILES = ("scorecard.json", "policy.toml", "trust.json", "context.json")
EARLY_MS = 600_000
LATE_MS = 30_000
BATCH_EVENTS_MAX = 256
# 2020-01-01 and the last millisecond of 2099.
SEALED_MS = (1_577_836_800_000, 4_102_444_799_999)
HEADER = {
    "count": forms.U53, "epoch": forms.U53, "format": lambda text: text == "naap/batch/1", "key": forms.DIGEST,
    "network": forms.NETWORK, "prev": forms.DIGEST, "root": forms.DIGEST, "sealed_ms": forms.U53, "seq": forms.U53,
}  # fmt: skip
MEMBER = {"address": forms.ADDRESS, "key?": forms.DIGEST, "role": forms.ROLE}


class Unusable(Exception):
    """Why a folder cannot be checked."""


class Diverges(Exception):
    """The first thing that does not fit."""


class Batch:
    """One batch whose header, root and count hold together. Its signature is not looked at."""

    def __init__(self, line):
        value = canonical.read(line, canonical.DEEPEST + 2)
        if list(value) != ["events", "header", "signature"]:
            raise canonical.NotCanonical("other members than events, header and signature")
        header = value["header"]
        written = canonical.write(header)
        if not forms.fits(header, HEADER) or set(header) != set(HEADER):
            raise canonical.NotCanonical("a header of another form")
        if not SEALED_MS[0] <= header["sealed_ms"] <= SEALED_MS[1] or not 1 <= header["count"] <= BATCH_EVENTS_MAX:
            raise canonical.NotCanonical("a header out of range")
        if header["seq"] == 0 and header["prev"].strip("0"):
            raise canonical.NotCanonical("a first batch that names one before it")
        self.hash = canonical.sha256(written)
        self.key = bytes.fromhex(header["key"])
        self.epoch, self.seq, self.sealed_ms = header["epoch"], header["seq"], header["sealed_ms"]
        self.prev = bytes.fromhex(header["prev"])
        self.network = header["network"]
        said = [(canonical.write(item), item) if isinstance(item, dict) else (_unhex(item), None) for item in value["events"]]
        self.leaves = [canonical.leaf(data) for data, _ in said]
        if len(said) != header["count"] or canonical.root(self.leaves).hex() != header["root"]:
            raise canonical.NotCanonical("events of another count or root than the header's")
        events = enumerate(forms.event_of(data, item) if item is not None else None for data, item in said)
        self.events = [Said(self, index, event) for index, event in events if event is not None]

    @property
    def place(self):
        """Where it stands: key, epoch, sequence."""
        return self.key, self.epoch, self.seq


def _unhex(text):
    if not isinstance(text, str) or not re.fullmatch("([0-9a-f]{2})*", text, re.ASCII):
        raise canonical.NotCanonical("an event that is neither an object nor hex")
    data = bytes.fromhex(text)
    try:
        is_object = isinstance(canonical.read(data), dict)
    except canonical.NotCanonical:
        is_object = False
    if is_object:
        raise canonical.NotCanonical("hex where an object can stand")
    return data


class Said:
    """One event as it was said in one batch."""

    __slots__ = ("batch", "index", "hash", "kind", "rank", "when", "body", "event", "reporter", "role", "job")

    def __init__(self, batch, index, event):
        self.batch, self.index, self.event = batch, index, event
        self.hash = batch.leaves[index]
        self.kind, self.body = event["kind"], event["data"]
        self.rank = forms.RANK[self.kind]
        self.reporter, self.role, self.job = event["reporter"], event["role"], event.get("job_id")
        is_plausible = batch.sealed_ms - EARLY_MS <= event["at_ms"] <= batch.sealed_ms + LATE_MS
        self.when = event["at_ms"] if is_plausible else batch.sealed_ms

    @property
    def order(self):
        """The order in which claims are read."""
        return self.when, self.rank, self.hash

    @property
    def sealing(self):
        """Of the same said several times, the least counts."""
        return (self.batch.sealed_ms, self.hash, *self.batch.place, self.index)


class Folder:
    """Everything a scorecard is made of."""

    def __init__(self, path):
        path = pathlib.Path(path)
        try:
            manifest = canonical.read((path / "manifest.json").read_bytes())
            if manifest.get("format") != "naap/export/1":
                raise Unusable("manifest.json is of another format")
            self.window = Window(manifest["window"])
            beside = "batches.ndjson" if self.window.is_hour() else "tallies.ndjson"
            listed = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]}
            names = (*FILES, beside, *(["register.json"] if "register.json" in listed else []))
            content = {name: (path / name).read_bytes() for name in names}
            self.network = manifest["network"]
            self.digest, self.event_set = manifest["digest"], manifest.get("event_set")
            batches = manifest["batches"] if self.window.is_hour() else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unusable(f"{path} is not a whole export: {error}") from error
        for name in names:
            found = (len(content[name]), canonical.sha256(content[name]).hex())
            if listed.get(name) != found:
                raise Diverges(f"{name}: the manifest says {listed.get(name)}, it has {found}")
        self.scorecard = content["scorecard.json"]
        self.policy_hash = canonical.sha256(content["policy.toml"]).hex()
        try:
            self.policy = tomllib.loads(content["policy.toml"].decode())
        except ValueError as error:
            raise Unusable(f"policy.toml: {error}") from error
        self.trust = _trust(content["trust.json"])
        self.context_hash = canonical.sha256(content["context.json"]).hex()
        self.open, register = _context(content["context.json"])
        self.register = _register(register, content.get("register.json"))
        self.batches, self.tallies = [], []
        if self.window.is_hour():
            self.batches = _batches(content["batches.ndjson"])
        else:
            self.tallies = _tallies(content["tallies.ndjson"], self.window)
        if batches is not None and len(self.batches) != batches:
            raise Diverges(f"batches.ndjson: the manifest says {batches} batches, it has {len(self.batches)}")


def _trust(data):
    try:
        trust = canonical.read(data)
        is_good = set(trust) == {"members", "network", "roster_quorum"} and forms.NETWORK(trust["network"])
        is_good = is_good and forms.U32(trust["roster_quorum"]) and trust["roster_quorum"] > 0
        if not is_good or not all(forms.fits(member, MEMBER) for member in trust["members"]):
            raise ValueError("another form")
    except (ValueError, TypeError) as error:
        raise Unusable(f"trust.json: {error}") from error
    return trust


def _context(data):
    """The open jobs, and the digest of the register where the context names one."""
    try:
        context = canonical.read(data)
        is_standing = set(context) == {"open", "register"}
        jobs = context["open"] if is_standing else context
        register = context["register"] if is_standing else None
        if not all(forms.JOB(job) and forms.U53(moment) for job, moment in jobs.items()):
            raise ValueError("another form")
    except (ValueError, AttributeError) as error:
        raise Unusable(f"context.json: {error}") from error
    return jobs, register


def _register(digest, data):
    if digest is None:
        return None
    if data is None:
        raise Unusable("the context names a register, and register.json is missing")
    if canonical.sha256(data).hex() != digest:
        raise Diverges(f"register.json: the context says {digest}, it has {canonical.sha256(data).hex()}")
    try:
        return Register(canonical.read(data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(f"register.json: {error}") from error


class Counted:
    """A line of tallies.ndjson: an hour's tally at a revision."""

    def __init__(self, line):
        value = canonical.read(line)
        if set(value) != {"hour", "revision", "tally"} or not forms.U32(value["revision"]):
            raise ValueError("another form")
        self.hour, self.revision = Hour(value["hour"]), value["revision"]
        self.digest = canonical.sha256(canonical.write(value["tally"])).hex()
        self.tally = tally.read(value["tally"])


def _tallies(data, window):
    lines = data.split(b"\n")
    if lines.pop():
        raise Diverges("tallies.ndjson: the last line does not end")
    try:
        counted = sorted(map(Counted, lines), key=lambda one: one.hour.start)
        hours = [one.hour.start for one in counted]
        if len(set(hours)) != len(hours) or not all(window.holds(one.hour) for one in counted):
            raise ValueError("an hour stands twice, or outside the window")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Diverges(f"tallies.ndjson: {error}") from error
    return counted


def _batches(data):
    lines = data.split(b"\n")
    if lines.pop():
        raise Diverges("batches.ndjson: the last line does not end")
    batches = []
    for number, line in enumerate(lines, 1):
        try:
            batches.append(Batch(line))
        except (ValueError, TypeError, AttributeError) as error:
            raise Diverges(f"batches.ndjson: line {number}: {error}") from error
    return batches
