"""Which addresses are one party (docs/scoring.md, "Method `evidence`", Clusters)."""

from collections import defaultdict

from .tally import TIES


def site(host, suffixes):
    """What two hosts of one owner have in common."""
    if host.startswith("[") or all(letter in "0123456789." for letter in host):
        return host
    labels = host.split(".")
    for begin in range(len(labels)):
        if ".".join(labels[begin:]) in suffixes:
            break
    else:
        begin = len(labels) - 1
    return ".".join(labels[max(0, begin - 1) :])


class Clusters:
    """Who is one party with whom, and who shares a vote."""

    def __init__(self, register, trust, rule):
        self.register = register
        self.paid = {(of, to) for of, teller, tie, to in register.links if tie == "payer" and of == teller != to}
        edges = [*self._payers(), *self._hosts(trust, rule)]
        self.shown = []
        self.names = self._named(edges)
        for name in sorted(set(self.names.values())):
            members = sorted(member for member, theirs in self.names.items() if theirs == name)
            theirs = [edge for edge in edges if edge["of"] in members]
            theirs.sort(key=lambda edge: (edge["counts"], edge["of"], edge["tellers"], TIES.index(edge["tie"]), edge["to"]))
            self.shown.append({"edges": theirs, "members": members})
        # Whoever is no reporter cannot deny that it pays.
        self.parties = self._named(edge for edge in edges if edge["tie"] == "host" or edge["to"] in register.first)

    def _named(self, edges):
        """The names of those whom counting edges join with others."""
        names = {}
        for joined in self._joined(edges):
            members = sorted(filter(self.register.is_party, joined))
            if len(members) > 1:
                names.update(dict.fromkeys(members, members[0]))
        return names

    def _payers(self):
        silent = {}
        for of, to in sorted(self.paid, reverse=True):
            if to not in self.register.first:
                silent[of] = to
        for of, to in self.paid:
            counts = (to, of) in self.paid if to in self.register.first else silent[of] == to
            yield {"counts": counts, "of": of, "tellers": 1, "tie": "payer", "to": to}

    def _hosts(self, trust, rule):
        controllers = {member["address"] for member in trust["members"] if member["role"] == "controller"}
        testers = {member["address"] for member in trust["members"] if member["role"] == "tester"}
        tellers, read = defaultdict(set), set()
        for of, teller, tie, to in self.register.links:
            if tie == "host" and teller in controllers:
                place = of, site(to, rule["suffixes"])
                tellers[place].add(teller)
                read.add(place)
        for operator, hosts in self.register.hosts.items():
            for host, seen_by in hosts.items():
                tellers[operator, site(host, rule["suffixes"])] |= seen_by - {operator}
        for place, seen_by in tellers.items():
            tells = place[0] in self.register.first or place[0] in testers
            counts = place in read or (len(seen_by) >= rule["host_tellers_min"] and not tells)
            yield {"counts": counts, "of": place[0], "tellers": len(seen_by), "tie": "host", "to": place[1]}

    @staticmethod
    def _joined(edges):
        """Addresses that counting edges join, a set each."""
        beside = defaultdict(set)
        for edge in edges:
            if edge["counts"]:
                # A payer is an address like others, a site is not.
                one, other = ("payer", edge["of"]), (edge["tie"], edge["to"])
                beside[one].add(other)
                beside[other].add(one)
        left = set(beside)
        while left:
            found, waiting = set(), [left.pop()]
            while waiting:
                place = waiting.pop()
                found.add(place)
                waiting += beside[place] - found
            left -= found
            yield {address for tie, address in found if tie == "payer"}

    def name(self, address):
        """The name of the cluster of an address."""
        return self.names.get(address, address)

    def party(self, address):
        """The name of the party of an address."""
        return self.parties.get(address, address)

    def are_linked(self, reporter, operator):
        """Whether the word of the one about the other is no independent one."""
        return self.party(reporter) == self.party(operator) or (reporter, operator) in self.paid
