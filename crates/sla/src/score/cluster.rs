//! Which addresses are one party: clusters of those that evidence in the record ties together, each edge published.
//!
//! A word that ties somebody else to oneself must gain as little as can be, or a liar would tie itself to an honest source
//! and drown it. So a payer that speaks for itself must name the other in turn, and those who name one that does not speak
//! share a vote, each with those of one such payer. An operator's host counts once several reporters saw it there, and
//! never makes those who tell of work one party with others, unless a controller read it.

use std::collections::{BTreeMap, BTreeSet};

use events::event::Role;
use events::identity::Address;
use serde::{Deserialize, Serialize};

use crate::policy::rule::Evidence;
use crate::register::Register;
use crate::tally::link::{Link, Tie};
use crate::trust::TrustFile;

/// One tie between an address and what it has in common with others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// Whether it links; where not, it is only shown.
    pub counts: bool,
    /// The address.
    pub of: Address,
    /// How many said so.
    pub tellers: u64,
    /// How it is tied.
    pub tie: Tie,
    /// To what: an address, a host, or a registrable domain.
    pub to: String,
}

impl Edge {
    /// What it ends at, under a name that no other kind of end has.
    fn end(&self) -> String {
        match self.tie {
            Tie::Payer => self.to.clone(),
            Tie::Host => format!("host {}", self.to),
        }
    }
}

/// Addresses that are taken to be one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// What ties its members, sorted.
    pub edges: Vec<Edge>,
    /// Its members, sorted; the least of them names it.
    pub members: Vec<Address>,
}

/// Who is one party with whom.
#[derive(Debug, Default)]
pub struct Clusters {
    /// The name of each address's cluster; an address that is not here stands for itself.
    of: BTreeMap<Address, Address>,
    /// What somebody said it pays from, whether that links or not.
    paid_from: BTreeSet<(Address, Address)>,
    /// The name of each address's cluster of those whom no one-sided word ties.
    proven: BTreeMap<Address, Address>,
    /// Those with two members or more, by name.
    shown: Vec<Cluster>,
}

impl Clusters {
    /// The clusters that a register shows.
    pub fn of(register: &Register, trust: &TrustFile, rule: &Evidence) -> Self {
        let mut edges = payers(register);
        edges.extend(hosts(register, trust, rule));
        edges.sort_unstable();
        let mut clusters = Self::default();
        for group in groups(register, &edges, |edge| edge.counts) {
            let Some(name) = group.first().copied() else { continue };
            clusters.of.extend(group.iter().map(|member| (*member, name)));
            let theirs = edges.iter().filter(|edge| group.contains(&edge.of)).cloned();
            let members = group.iter().copied().collect();
            clusters.shown.push(Cluster { edges: theirs.collect(), members });
        }
        clusters.shown.sort_unstable_by(|one, other| one.members.cmp(&other.members));
        let is_proven = |edge: &Edge| {
            edge.counts && (edge.tie == Tie::Host || is_reporter(register, edge.to.parse().ok()))
        };
        for group in groups(register, &edges, is_proven) {
            let Some(name) = group.first().copied() else { continue };
            clusters.proven.extend(group.into_iter().map(|member| (member, name)));
        }
        clusters.paid_from = said_payers(register).collect();
        clusters
    }

    /// The name of the cluster that an address shares a vote with.
    pub fn name(&self, address: Address) -> Address {
        self.of.get(&address).copied().unwrap_or(address)
    }

    /// The name of those whom an address is proven to be one party with.
    pub fn party(&self, address: Address) -> Address {
        self.proven.get(&address).copied().unwrap_or(address)
    }

    /// Whether the word of `reporter` about `operator` is no independent one: they are proven to be one party, or the
    /// reporter says that it pays from the operator. What an operator says of itself leaves out nobody's word.
    pub fn are_linked(&self, reporter: Address, operator: Address) -> bool {
        self.party(reporter) == self.party(operator)
            || self.paid_from.contains(&(reporter, operator))
    }

    /// The clusters of two members or more.
    pub fn into_shown(self) -> Vec<Cluster> {
        self.shown
    }
}

/// Reporters and operators that the edges of a kind tie together, two or more at a time.
fn groups(
    register: &Register,
    edges: &[Edge],
    ties: impl Fn(&Edge) -> bool,
) -> Vec<BTreeSet<Address>> {
    let mut union = Union::default();
    for edge in edges.iter().filter(|edge| ties(edge)) {
        union.join(edge.of.to_string(), edge.end());
    }
    let paid = edges.iter().filter(|edge| edge.tie == Tie::Payer);
    let payers = paid.filter_map(|edge| edge.to.parse().ok());
    let named = edges.iter().map(|edge| edge.of).chain(payers);
    let mut groups: BTreeMap<String, BTreeSet<Address>> = BTreeMap::new();
    for address in named.filter(|address| is_party(register, *address)) {
        groups.entry(union.root(&address.to_string())).or_default().insert(address);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

fn is_reporter(register: &Register, address: Option<Address>) -> bool {
    address.is_some_and(|address| register.reporters.contains_key(&address))
}

/// Whether an address reports, or is judged.
fn is_party(register: &Register, address: Address) -> bool {
    register.reporters.contains_key(&address) || register.operators.contains_key(&address)
}

/// Who says that it pays from which other address.
fn said_payers(register: &Register) -> impl Iterator<Item = (Address, Address)> {
    let said =
        register.links.iter().filter(|link| link.tie == Tie::Payer && link.teller == link.of);
    let pairs = said.filter_map(|link: &Link| Some((link.of, link.to.parse().ok()?)));
    pairs.filter(|(of, to)| of != to)
}

/// A payer links all who name it. One that reports itself must name them in turn; of those that do not, only the least
/// that somebody names counts, so that nobody joins several others.
fn payers(register: &Register) -> Vec<Edge> {
    let said: BTreeSet<(Address, Address)> = said_payers(register).collect();
    let speaks = |to: &Address| register.reporters.contains_key(to);
    let mut silent: BTreeMap<Address, Address> = BTreeMap::new();
    for (of, to) in said.iter().filter(|(_, to)| !speaks(to)) {
        silent.entry(*of).or_insert(*to);
    }
    let edges = said.iter().map(|(of, to)| {
        let counts =
            if speaks(to) { said.contains(&(*to, *of)) } else { silent.get(of) == Some(to) };
        Edge { counts, of: *of, tellers: 1, tie: Tie::Payer, to: to.to_string() }
    });
    edges.collect()
}

/// Hosts link those who answer there: as controllers read it, or as several reporters saw it, of whoever tells of no work
/// itself.
fn hosts(register: &Register, trust: &TrustFile, rule: &Evidence) -> Vec<Edge> {
    let mut tellers: BTreeMap<(Address, String), BTreeSet<Address>> = BTreeMap::new();
    let mut read: BTreeSet<(Address, String)> = BTreeSet::new();
    for link in register.links.iter().filter(|link| link.tie == Tie::Host) {
        if trust.names(Role::Controller, link.teller) {
            let place = (link.of, site(&link.to, rule));
            read.insert(place.clone());
            tellers.entry(place).or_default().insert(link.teller);
        }
    }
    for (operator, hosts) in &register.hosts {
        for (host, seen_by) in hosts {
            let others = seen_by.iter().filter(|teller| *teller != operator);
            tellers.entry((*operator, site(host, rule))).or_default().extend(others);
        }
    }
    let edges = tellers.into_iter().map(|((of, to), tellers)| {
        let count = u64::try_from(tellers.len()).unwrap_or(u64::MAX);
        let is_seen = count >= rule.host_tellers_min && !register.reporters.contains_key(&of);
        let counts =
            (is_seen && !trust.names(Role::Tester, of)) || read.contains(&(of, to.clone()));
        Edge { counts, of, tellers: count, tie: Tie::Host, to }
    });
    edges.collect()
}

/// What two hosts of one owner have in common: the registrable domain, or the whole host where it is an address or a
/// name without a dot.
fn site(host: &str, rule: &Evidence) -> String {
    let is_address =
        host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_address {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.split('.').collect();
    // The longest listed suffix, else the last label, and one label before it.
    let tails = (0..labels.len()).filter_map(|from| Some((from, labels.get(from..)?.join("."))));
    let listed = tails.into_iter().find(|(_, tail)| rule.suffixes.contains(tail));
    let suffix_from = listed.map_or(labels.len().saturating_sub(1), |(from, _)| from);
    labels.get(suffix_from.saturating_sub(1)..).unwrap_or_default().join(".")
}

/// Which names belong together, by joining two at a time.
#[derive(Default)]
struct Union(BTreeMap<String, String>);

impl Union {
    fn root(&self, name: &str) -> String {
        let mut root = name;
        while let Some(above) = self.0.get(root) {
            root = above;
        }
        root.to_owned()
    }

    /// Joins two names under the lesser root, so that the order of joining does not matter.
    fn join(&mut self, one: String, other: String) {
        let (one, other) = (self.root(&one), self.root(&other));
        if one != other {
            let (above, below) = if one < other { (one, other) } else { (other, one) };
            self.0.insert(below, above);
        }
    }
}
