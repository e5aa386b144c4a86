"""Which bytes are an event (docs/events.md, "An event" and "Reference").

The reference's tables, written again: a member whose name ends in `?` need not be there.
"""

import re
import unicodedata

from . import canonical

EVENT_MAX_BYTES = 16_384
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"([a-z0-9._-]*[a-z0-9_-]|\[[a-z0-9._:-]*:([a-z0-9._:-]*[a-z0-9_:-])?\])"


def _number(low, high):
    return lambda value: type(value) is int and low <= value <= high


def _words(text):
    words = frozenset(text.split())
    return lambda value: type(value) is str and value in words


def _matches(pattern):
    whole = re.compile(pattern, re.ASCII)
    return lambda value: type(value) is str and whole.fullmatch(value) is not None


def _name(most):
    def fits(value):
        if type(value) is not str or not 1 <= len(value.encode()) <= most:
            return False
        return value.strip() == value and not any(unicodedata.category(letter) == "Cc" for letter in value)

    return fits


def _list(form):
    return lambda value: type(value) is list and all(fits(item, form) for item in value)


BOOL = lambda value: type(value) is bool  # noqa: E731
U16, U32, U53 = _number(0, 2**16 - 1), _number(0, 2**32 - 1), _number(0, canonical.LARGEST)
I53 = _number(-canonical.LARGEST, canonical.LARGEST)
ADDRESS = _matches("0x[0-9a-f]{40}")
DIGEST = _matches("[0-9a-f]{64}")
JOB = _matches("[0-9a-f]{32}")
URL = _matches(f"https?://{_HOST}:{_PORT}")
WEI = lambda value: _matches("0|[1-9][0-9]{0,38}")(value) and int(value) < 2**128  # noqa: E731
LABEL, MODEL, PIPELINE, NODE = _name(96), _name(128), _name(64), _name(36)
NETWORK = _words("livepeer simulation")
ROLES = "gateway orchestrator worker transcoder tester collector controller".split()
ROLE = _words(" ".join(ROLES))
WITNESS = _words("gateway orchestrator runner")
WORKLOADS = "live-video ai-batch llm byoc transcoding live-runner".split()
REASON = _words(
    "timeout model_error runner_disconnect transport_disconnect capacity gateway_reset orchestrator_reset"
    " user_disconnect input_failed no_orchestrator invalid_request payment unknown"
)
ORCHESTRATOR = {"recipient?": ADDRESS, "signer?": ADDRESS, "url?": URL}
PRICE = {"units": U53, "wei": WEI}
GPU = {"id?": LABEL, "memory_free_bytes?": U53, "memory_total_bytes?": U53, "model?": MODEL, "name?": LABEL, "pipeline?": PIPELINE}
OFFER = {"capacity?": U32, "in_use?": U32, "model?": MODEL, "pipeline": PIPELINE, "price?": PRICE, "runner_version?": LABEL, "warm?": BOOL}
TOKENS = {"completion?": U53, "prompt?": U53, "rate_milli?": U53, "ttft_ms?": U53}
TRACK = {"jitter_us?": U53, "loss?": U32, "media": _words("video audio"), "packets_lost?": U53, "packets_received?": U53, "rtt_us?": U53}
FAULT = {"code": LABEL, "count": U32}
MEASURED = {
    "download_us?": U53, "faults": _list(FAULT), "round_trip_us?": U53, "segment_us?": U53, "segments_received?": U32,
    "segments_sent?": U32, "success_ppm?": U32, "transcode_us?": U53, "upload_us?": U53, "warm?": BOOL,
}  # fmt: skip
DELEGATION = {"expiry_ms": U53, "key": DIGEST, "network": NETWORK, "node": NODE, "operator": ADDRESS, "role": ROLE, "serial": U53}
WORKER = {"capability": PIPELINE, "models": _list(MODEL), "orchestrator": ORCHESTRATOR, "price?": PRICE, "worker": _matches("[0-9a-f]{16}")}

EVENT = {
    "at_ms": U53, "data": lambda value: type(value) is dict, "gateway?": _name(128), "id": _name(80), "job_id?": JOB,
    "kind": lambda value: type(value) is str, "model?": MODEL, "network": NETWORK, "node": NODE,
    "origin?": _words("organic probe"), "pipeline?": PIPELINE, "region?": _name(16), "reporter": ADDRESS, "role": ROLE,
    "schema": _number(1, 1), "workload?": _words(" ".join(WORKLOADS)),
}  # fmt: skip

# In the order of the table of kinds.
KINDS = {
    "job.requested": {"streaming?": BOOL},
    "job.assigned": {"attempt?": U32, "orchestrator": ORCHESTRATOR, "said_ms?": U53, "witness": WITNESS},
    "job.first_output": {"orchestrator": ORCHESTRATOR, "output": _words("media data"), "said_ms?": U53, "witness": WITNESS},
    "job.playable": {"orchestrator": ORCHESTRATOR},
    "job.swapped": {"orchestrator": ORCHESTRATOR, "reason": REASON},
    "job.unserved": {"reason": REASON},
    "job.failed": {
        "duration_ms?": U53, "http_status?": U16, "orchestrator?": ORCHESTRATOR, "reason": REASON, "tries?": U32,
        "witness": WITNESS,
    },
    "job.completed": {
        "duration_ms?": U53, "http_status?": U16, "orchestrator?": ORCHESTRATOR, "price_wei?": WEI, "reason?": REASON,
        "tokens?": TOKENS, "tries?": U32, "witness": WITNESS,
    },
    "segment.attempted": {
        "attempt": U32, "attempts": U32, "duration_ms?": U53, "latency_ms?": U53, "orchestrator": ORCHESTRATOR,
        "reason?": REASON, "size_bytes?": U53, "success": BOOL,
    },
    "stream.status": {
        "error?": REASON, "fps_in?": U32, "fps_out?": U32, "orchestrator": ORCHESTRATOR, "restarts?": U32,
        "running_ms?": U53, "state?": _words("online degraded_input degraded_inference loading offline error"),
        "witness": WITNESS,
    },
    "stream.ingest": {"bytes_received?": U53, "quality?": LABEL, "tracks": _list(TRACK)},
    "capability.offered": {
        "gpus": _list(GPU), "offers": _list(OFFER), "omitted?": U32, "orchestrator": ORCHESTRATOR, "price?": PRICE,
        "version?": LABEL,
    },
    "discovery.answered": {
        "capacity?": U32, "http_status?": U16, "latency_ms?": U53, "orchestrator?": ORCHESTRATOR, "success": BOOL,
    },
    "payment.sent": {
        "balance_wei?": WEI, "face_value_wei?": WEI, "orchestrator": ORCHESTRATOR, "price?": PRICE, "sender?": ADDRESS,
        "success?": BOOL, "tickets?": U32, "win_probability_ppb?": U53,
    },
    "payment.signed": {
        "billable_ms?": U53, "fee_wei?": WEI, "orchestrator": ORCHESTRATOR, "pixels?": U53, "sequence?": U53,
        "status?": LABEL, "tickets?": U32,
    },
    "node.heartbeat": {"dropped": U53, "uptime_ms": U53, "version": LABEL},
    "gpu.sampled": {"gpu": LABEL, "memory_free_bytes?": U53, "memory_total_bytes?": U53, "name?": LABEL, "utilisation?": U32},
    "bandwidth.sampled": {"down_bps?": U53, "up_bps?": U53},
    "counter.sampled": {"name": LABEL, "orchestrator?": ORCHESTRATOR, "value": I53},
    "worker.joined": WORKER,
    "worker.left": WORKER,
    "probe.committed": {"commitment": DIGEST, "jobs": U32},
    "probe.revealed": {"commitment": DIGEST, "jobs": _list(JOB), "nonce": DIGEST},
    "probe.observed": {
        "duration_ms?": U53, "first_output_ms?": U53, "measured?": MEASURED, "orchestrator": ORCHESTRATOR,
        "reason?": REASON, "scenario": LABEL, "success": BOOL,
    },
    "roster.observed": {"as_of_ms": U53, "count": U32, "member": ADDRESS, "role": ROLE, "urls": _list(URL)},
    "delegation.granted": {"delegation": DELEGATION, "signature": _matches("0x[0-9a-f]{130}")},
    "delegation.revoked": {"epoch": U53, "hash": DIGEST, "key": DIGEST, "seq": U53},
    "events.dropped": {"count": U53, "reason": LABEL},
    "scorecard.published": {"digest": DIGEST, "revision": U32, "window": LABEL},
}  # fmt: skip
RANK = {kind: rank for rank, kind in enumerate(KINDS)}


def fits(value, form):
    """Whether a value has a form; members that are null where they need not be are taken out of it."""
    if not isinstance(form, dict):
        return form(value)
    if type(value) is not dict:
        return False
    for name, member_form in form.items():
        plain = name.rstrip("?")
        member = value.get(plain)
        if member is None:
            # Of all that need not be there, only an orchestrator is never null.
            if plain == name or (plain in value and member_form is ORCHESTRATOR):
                return False
            value.pop(plain, None)
        elif not fits(member, member_form):
            return False
    return True


def event_of(data, value):
    """The event that an already read canonical object is, or None; `data` are its bytes."""
    is_event = len(data) <= EVENT_MAX_BYTES and canonical.depth(value) <= canonical.DEEPEST and fits(value, EVENT)
    if not is_event or value["kind"] not in KINDS or not fits(value["data"], KINDS[value["kind"]]):
        return None
    return value
