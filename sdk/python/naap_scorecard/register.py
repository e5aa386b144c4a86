"""Since when everybody is known, and what ties them (docs/scoring.md, "The register")."""

from . import forms
from .tally import link
from .window import Hour


def host_of(url):
    """The host of a service's URL; an IPv6 one with its brackets."""
    return url.split("//", 1)[1].rsplit(":", 1)[0]


class Register:
    """The standing of everybody; moments are the starts of hours."""

    def __init__(self, value=None):
        """That of a register.json; a ValueError, KeyError, TypeError or AttributeError where it is none."""
        value = value or {"hosts": {}, "links": [], "operators": {}, "reporters": {}}
        if set(value) != {"hosts", "links", "operators", "reporters"}:
            raise ValueError("another form")
        self.hosts = {
            operator: {host: set(tellers) for host, tellers in hosts.items()} for operator, hosts in value["hosts"].items()
        }
        self.links = {link(item) for item in value["links"]}
        self.operators = {operator: Hour(hour).start for operator, hour in value["operators"].items()}
        self.first = {address: Hour(known["first"]).start for address, known in value["reporters"].items()}
        self.told_of = {address: set(known["operators"]) for address, known in value["reporters"].items()}
        if not all(map(forms.ADDRESS, (*self.hosts, *self.operators, *self.first))):
            raise ValueError("an address of another form")

    def add(self, start, tally):
        """Takes what an hour adds."""
        for key in tally.rows:
            for source in key.sources:
                self._hear(source, start)
                if key.operator is not None:
                    self.told_of[source].add(key.operator)
            # What nobody but the operator told of begins nothing.
            if key.operator is None or not key.sources:
                continue
            self.operators[key.operator] = min(start, self.operators.get(key.operator, start))
            if key.url is not None:
                self.hosts.setdefault(key.operator, {}).setdefault(host_of(key.url), set()).update(key.sources)
        for reporter in tally.demanding:
            self._hear(reporter, start)
        self.links |= tally.links

    def _hear(self, reporter, start):
        self.first[reporter] = min(start, self.first.get(reporter, start))
        self.told_of.setdefault(reporter, set())

    def is_party(self, address):
        """Whether it reports, or is judged."""
        return address in self.first or address in self.operators
