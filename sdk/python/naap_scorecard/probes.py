"""Which jobs were tests (docs/scoring.md, "Tests")."""

from collections import defaultdict

from . import canonical

EARLIEST_MS = 24 * 3_600_000
CLOSES_MS = 900_000
JOBS_MAX = 256


def stands(said):
    """From when a commitment or reveal stands."""
    return max(said.when, said.batch.sealed_ms)


class Probes:
    """The commitments and reveals that are in time for an hour."""

    def __init__(self, batches, authority, hour):
        first = {}
        for batch in batches:
            for said in batch.events:
                is_kind = said.kind in ("probe.committed", "probe.revealed") and said.role == "tester"
                is_in_time = hour.start - EARLIEST_MS <= stands(said) < hour.end + CLOSES_MS
                if is_kind and is_in_time and authority.admits(said):
                    if said.hash not in first or said.sealing < first[said.hash].sealing:
                        first[said.hash] = said
        self.commitments, self.reveals = defaultdict(list), defaultdict(list)
        for said in first.values():
            if said.kind == "probe.committed":
                self.commitments[said.reporter, said.body["commitment"]].append(said)
            else:
                for job in set(said.body["jobs"]):
                    self.reveals[job].append(said)

    def about(self, job):
        """Every reveal that names a job and every commitment to their bindings."""
        for reveal in self.reveals.get(job, ()):
            yield reveal
            yield from self.commitments.get((reveal.reporter, reveal.body["commitment"]), ())

    def is_test(self, job, first_word):
        """Whether a job was bound to before its teller told of it."""
        for reveal in self.reveals.get(job, ()):
            if not opens(reveal.body):
                continue
            for commitment in self.commitments.get((reveal.reporter, reveal.body["commitment"]), ()):
                if commitment.body["jobs"] == len(reveal.body["jobs"]) and stands(commitment) < first_word.when:
                    return True
        return False


def opens(reveal):
    """Whether the jobs and nonce of a reveal hash to its binding."""
    jobs = reveal["jobs"]
    shown = canonical.write({"jobs": sorted(jobs), "nonce": reveal["nonce"]})
    return len(jobs) <= JOBS_MAX and canonical.sha256(shown).hex() == reveal["commitment"]
