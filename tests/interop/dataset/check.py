"""Reads a published dataset with DuckDB and with pandas, and compares both with the manifest and with the API.

Usage: check.py FOLDER API_URL. The exit code is 1 with what differs first. It shares no code with naap.
"""

import hashlib
import json
import sys
import urllib.request
from pathlib import Path

import duckdb
import pandas
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

folder, api = Path(sys.argv[1]), sys.argv[2]


def same(what, one, other):
    if one != other:
        sys.exit(f"FAILED {what}: {one!r} is not {other!r}")


def pages(path):
    """Every item of a list of the API."""
    after = ""
    while True:
        with urllib.request.urlopen(f"{api}{path}{after}", timeout=60) as answer:
            page = json.load(answer)
        yield from page["items"]
        if not page.get("next"):
            return
        after = f"&cursor={page['next']}"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# The signature, over bytes made again from what was parsed, and the hash of every file.
document = (folder / "manifest.json").read_bytes()
sealed = json.loads(document)
manifest = sealed["manifest"]
same("the document", canonical(sealed) + b"\n", document)
key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(manifest["publisher"]["key"]))
key.verify(bytes.fromhex(sealed["signature"]), b"naap/dataset/1\n" + canonical(manifest))
for file in manifest["files"]:
    content = (folder / file["path"]).read_bytes()
    same(file["path"], (hashlib.sha256(content).hexdigest(), len(content)), (file["sha256"], file["bytes"]))
found = sorted(str(path.relative_to(folder)) for path in folder.glob("kind=*/day=*/*.parquet"))
same("the files in the folder", found, [file["path"] for file in manifest["files"]])

# Every kind by both readers: rows as the manifest says, and for every column the same unknowns and sums.
kinds = sorted({file["kind"] for file in manifest["files"]})
frames = {}
values = 0
for kind in kinds:
    files = [file for file in manifest["files"] if file["kind"] == kind]
    paths = [str(folder / file["path"]) for file in files]
    frame = pandas.concat([pandas.read_parquet(path, partitioning=None) for path in paths], ignore_index=True)
    frames[kind] = frame
    relation = duckdb.read_parquet(paths, hive_partitioning=True)
    rows = sum(file["rows"] for file in files)
    same(f"{kind} by pandas", len(frame), rows)
    same(f"{kind} by DuckDB", duckdb.sql("SELECT count(*) FROM relation").fetchall()[0][0], rows)
    by_day = dict(duckdb.sql("SELECT strftime(day, '%Y-%m-%d'), count(*) FROM relation GROUP BY day").fetchall())
    same(f"{kind} by day", by_day, {file["day"]: file["rows"] for file in files if file["rows"]})
    same(f"{kind} columns", [name for name in relation.columns if name not in ("kind", "day")], list(frame.columns))
    for column, dtype in zip(relation.columns, relation.types):
        if column in ("kind", "day"):
            continue
        total = f'sum("{column}")' if str(dtype) == "BIGINT" else "NULL"
        known, summed = duckdb.sql(f'SELECT count("{column}"), {total} FROM relation').fetchall()[0]
        same(f"{kind}.{column} known", known, int(frame[column].notna().sum()))
        if summed is not None:
            same(f"{kind}.{column} summed", int(summed), sum(int(value) for value in frame[column].dropna()))
        values += known

# What the API says over the same data folder.
network = manifest["network"]
cards = {card["window"]: card for card in manifest["cards"]}
scores, jobs, windows = frames["scores"], frames["jobs"], 0
for row in pages(f"/v1/windows?network={network}&limit=100"):
    hour, latest = row["window"], row["latest"]
    if latest is None:
        same(f"unsettled {hour}", hour in cards, False)
        continue
    same(f"digest of {hour}", cards[hour]["digest"], latest["digest"])
    same(f"revision of {hour}", cards[hour]["revision"], latest["revision"])
    same(f"jobs of {hour}", jobs[jobs["hour"] == hour]["job_id"].nunique(), row["jobs"])
    windows += 1
same("hours", windows, sum("/" not in window for window in cards))
for window in cards:
    served = list(pages(f"/v1/scores?network={network}&window={window}&limit=100"))
    ours = scores[scores["window"] == window]
    same(f"results of {window}", len(ours), len(served))
    for column in ("score_ppm", "upper_ppm", "tenures"):
        expected = sum(row[column] or 0 for row in served)
        same(f"{column} of {window}", int(ours[column].fillna(0).sum()), expected)

# What was added up for people and what was counted for scores tell of the same jobs.
sums, demand, cells = frames["sums"], frames["demand"], frames["cells"]
for column, counted in (("jobs", demand), ("served_ms", demand), ("unserved", demand), ("tenures", cells)):
    added = sums[sums["sum"] == column].groupby("hour")["value"].sum()
    for hour, total in counted.groupby("hour")[column].sum().items():
        same(f"{column} of {hour}", int(added.get(hour, 0)), int(total))
known = set(cells["operator"].dropna())
same("offers of known operators", known & set(frames["offers"]["operator"]), known)

same("jobs that were read", len(jobs) > 0 and len(frames["histograms"]) > 0, True)
print(
    f"ok DuckDB {duckdb.__version__} and pandas {pandas.__version__}: {len(manifest['files'])} files, "
    f"{sum(file['rows'] for file in manifest['files'])} rows, {values} known values, {len(cards)} scorecards"
)
