"""Every exported folder under NAAP_EXPORTS agrees, and none does once touched."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from naap_scorecard import bounds, canonical, check, forms, votes  # noqa: E402

EXPORTS = sorted(path for path in pathlib.Path(os.environ["NAAP_EXPORTS"]).iterdir() if path.is_dir())
CASES = pathlib.Path(__file__).resolve().parents[3] / "cases"


class Exports(unittest.TestCase):
    def test_every_case_and_world_agrees(self):
        found = {path.name: check.check(path) for path in EXPORTS}
        wrong = [f"{name}: {line}" for name, (code, line) in found.items() if code != 0]
        self.assertEqual(wrong, [])
        worlds = sum(name.startswith("world-") for name in found)
        print(f"{len(found) - worlds} hours of cases and {worlds} hours and longer windows of worlds agree")
        self.assertGreaterEqual(worlds, 200)

    def test_every_case_of_the_checkout_is_there(self):
        named = {path.name for path in CASES.iterdir() if path.is_dir()}
        self.assertEqual({name for name in named if not any(path.name.startswith(name) for path in EXPORTS)}, set())


class Touched(unittest.TestCase):
    ORIGINAL = EXPORTS[0]

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(self.ORIGINAL, self.folder, dirs_exist_ok=True)

    def rewrite(self, name, content):
        """Writes a file, and the manifest so that all its hashes fit."""
        (self.folder / name).write_bytes(content)
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        for entry in manifest["files"]:
            if entry["name"] == name:
                entry.update(bytes=len(content), sha256=canonical.sha256(content).hex())
        (self.folder / "manifest.json").write_bytes(canonical.write(manifest))

    def test_no_file_can_be_touched(self):
        for path in sorted(self.folder.iterdir()):
            original = path.read_bytes()
            middle = len(original) // 2
            path.write_bytes(original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1 :])
            self.assertNotEqual(check.check(self.folder)[0], 0, path.name)
            path.write_bytes(original)
        self.assertEqual(check.check(self.folder)[0], 0)

    def test_a_count_that_was_made_better_is_named(self):
        scorecard = json.loads((self.folder / "scorecard.json").read_bytes())
        scorecard["results"][0]["indicators"][0]["counts"]["good"] = 9
        self.rewrite("scorecard.json", canonical.write(scorecard))
        where = "/results/0/indicators/0/counts/good: the scorecard says 9, these files give 1"
        self.assertEqual(check.check(self.folder), (1, f"diverges: {where}"))

    def test_a_batch_that_was_taken_away_is_missed(self):
        lines = (self.folder / "batches.ndjson").read_bytes().splitlines(keepends=True)
        self.rewrite("batches.ndjson", b"".join(lines[:-1]))
        self.assertEqual(check.check(self.folder)[0], 1)

    def test_an_event_that_was_changed_breaks_its_batch(self):
        data = (self.folder / "batches.ndjson").read_bytes()
        self.rewrite("batches.ndjson", data.replace(b'"job.assigned"', b'"job.swapped"', 1))
        code, line = check.check(self.folder)
        self.assertEqual(code, 1)
        self.assertIn("count or root", line)

    def test_what_is_not_whole_or_not_known_cannot_be_checked(self):
        policy = (self.folder / "policy.toml").read_bytes()
        self.rewrite("policy.toml", policy.replace(b"[score]", b'[score]\nmethod = "dice"'))
        self.assertEqual(check.check(self.folder)[0], 2)
        (self.folder / "context.json").unlink()
        self.assertEqual(check.check(self.folder)[0], 2)
        self.assertEqual(check.check(self.folder / "nowhere")[0], 2)

    def test_policies_kept_for_comparison_are_said_to_be_unknown(self):
        for name in ("leaderboard", "naap-quality-benchmark-v1"):
            self.rewrite("policy.toml", (CASES.parent / "policies" / f"{name}.toml").read_bytes())
            code, line = check.check(self.folder)
            self.assertEqual((code, "is not known here" in line), (2, True), line)


class TouchedWindow(Touched):
    """The same of a longer window whose policy asks for a register."""

    ORIGINAL = next(
        path for path in EXPORTS
        if (path / "register.json").exists() and (path / "tallies.ndjson").exists()
        and b'"tenures":1' in (path / "tallies.ndjson").read_bytes()
    )  # fmt: skip

    def test_a_count_that_was_made_better_is_named(self):
        tallies = (self.folder / "tallies.ndjson").read_bytes()
        self.rewrite("tallies.ndjson", tallies.replace(b'"tenures":1', b'"tenures":2', 1))
        code, line = check.check(self.folder)
        self.assertEqual((code, line.startswith("diverges: /basis/hours/")), (1, True), line)

    def test_a_batch_that_was_taken_away_is_missed(self):
        lines = (self.folder / "tallies.ndjson").read_bytes().splitlines(keepends=True)
        self.rewrite("tallies.ndjson", b"".join(lines[:-1]))
        self.assertEqual(check.check(self.folder)[0], 1)

    def test_an_event_that_was_changed_breaks_its_batch(self):
        self.rewrite("register.json", b'{"hosts":{},"links":[],"operators":{},"reporters":{}}'.replace(b"[]", b"[ ]"))
        code, line = check.check(self.folder)
        self.assertEqual((code, line.startswith("diverges: register.json: the context says")), (1, True), line)


class Bounds(unittest.TestCase):
    RULE = {"exact_failures_max": 40, "tail_ppm": 50_000, "z_nano": 1_644_853_627}

    def test_bounds_are_those_of_the_document(self):
        # And of an independent program in exact fractions.
        known = {
            (0, 7): 0, (1, 0): 49_999, (30, 0): 904_966, (995, 5): 989_515, (160, 40): 747_750, (900, 100): 882_766,
            (5, 2): 341_261, (1, 32): 1_553, (2**64 - 1, 0): 999_999,
        }  # fmt: skip
        self.assertEqual({seen: bounds.lower_bound(*seen, self.RULE) for seen in known}, known)

    def test_nothing_buys_back_a_zero(self):
        self.assertEqual(bounds.compose([(0, 1), (1_000_000, 15)]), 0)
        self.assertEqual(bounds.compose([(1_000_000, 16)]), 1_000_000)
        self.assertEqual(bounds.compose([(49_999, 8), (49_999, 5), (49_999, 3)]), 49_999)


class Votes(unittest.TestCase):
    RULE = Bounds.RULE | {
        "cap_times": 1, "correlation_ppm": 100_000, "factor_ppm": 375_000, "outage": {"excused_share_max_ppm": 10_000},
        "source_observations_min": 20,
    }  # fmt: skip

    class Alone:
        """Clusters of one each."""

        @staticmethod
        def name(address):
            return address

    @staticmethod
    def told(*blocks):
        """Blocks of a source."""
        made = {place: votes.Block() for place, _ in enumerate(blocks)}
        for place, members in enumerate(blocks):
            vars(made[place]).update(members)
        return made

    def test_the_example_of_the_document_comes_out(self):
        met, missed = {"good": 11, "sessions": 11}, {"good": 10, "bad": 1, "sessions": 11}
        told = {"0xa": self.told(met, met, met, met), "0xb": self.told(met, met, met, missed)}
        known = {"decides": "0xb", "effect_ppm": 2_000_000, "evidence": 16, "failures": 1, "lower": 736_042, "rate": 977_272}
        self.assertLessEqual(known.items(), votes.Vote(told, self.Alone, self.RULE).proof().items())

    def test_the_oldest_of_an_outage_is_left_out(self):
        outage = {"good": 49, "outage": 1, "sessions": 50}
        source = votes.Source(self.told(outage, outage, {"good": 99, "sessions": 99}), self.RULE)
        self.assertEqual((source.excused, source.good, source.bad), (1, 197, 1))
        # 49, 50 and 99 sessions weigh 49 / 5.8, 50 / 5.9 and 99 / 10.8 observations; one of 50 failed.
        self.assertEqual((source.weight, source.failed), (8_448_275 + 8_474_576 + 9_166_666, 169_492))


class Forms(unittest.TestCase):
    def test_only_one_spelling_is_read(self):
        for text in ('{"a":1,"b":[]}', '"\\u001f"', '"\u007f/"', "[]", "-1", "9007199254740991"):
            self.assertEqual(canonical.write(canonical.read(text.encode())), text.encode())
        for text in (
            '{"b":1,"a":2}', '{"a":1,"a":1}', "1.0", "1e3", "-0", "01", "9007199254740992", " 1", "NaN", '"\\/"',
            '"\\ud800"', '{"ü":1}', "[" * 13 + "]" * 13, "1" * 9_999, '"\\u001F"',
        ):  # fmt: skip
            with self.assertRaises(canonical.NotCanonical, msg=text):
                canonical.read(text.encode())

    def test_merkle_roots_are_those_of_rfc_6962(self):
        leaves = [canonical.leaf(bytes([number])) for number in range(7)]

        def split(part):
            if len(part) == 1:
                return part[0]
            half = 1 << ((len(part) - 1).bit_length() - 1)
            return canonical.sha256(b"\1", split(part[:half]), split(part[half:]))

        for count in range(1, 8):
            self.assertEqual(canonical.root(leaves[:count]), split(leaves[:count]))
        self.assertEqual(canonical.root([]), canonical.sha256(b""))

    def test_an_event_is_what_the_reference_says(self):
        event = {
            "at_ms": 1, "data": {"orchestrator": {}, "witness": "gateway"}, "id": "a", "kind": "job.assigned",
            "network": "simulation", "node": "n", "reporter": "0x" + "e" * 40, "role": "gateway", "schema": 1,
        }  # fmt: skip

        def is_event(**changed):
            value = {name: member for name, member in (event | changed).items() if member != "absent"}
            return forms.event_of(canonical.write(value), value) is not None

        self.assertTrue(is_event())
        self.assertTrue(is_event(model=None, extra=[1]))
        self.assertTrue(is_event(kind="job.failed", data={"reason": "timeout", "witness": "gateway"}))
        for wrong in (
            {"at_ms": True}, {"schema": 2}, {"id": " a"}, {"id": "a\u0085"}, {"id": "ü" * 41}, {"node": None},
            {"kind": "job.imagined"}, {"data": {"orchestrator": {}}}, {"reporter": "0x" + "E" * 40}, {"role": "absent"},
            {"data": {"orchestrator": {"url": "https://Host:1"}, "witness": "gateway"}},
            {"kind": "job.failed", "data": {"orchestrator": None, "reason": "timeout", "witness": "gateway"}},
        ):  # fmt: skip
            self.assertFalse(is_event(**wrong), wrong)


if __name__ == "__main__":
    unittest.main()
