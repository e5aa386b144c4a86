//! What is on offer, made of what several tell: no single stranger decides, silence takes nothing back, and an
//! orchestrator's own word stands before all.

use std::collections::BTreeMap;

use events::body::capability::{Gpu, Offer, Offered};
use events::body::{Body, Price};
use events::event::Role;
use events::unit::{HOUR_MS, Millis, UnixMillis, Wei};
use sla::admit::Admitted;
use sla::opened::Opened;
use sla::supply::{Supply, Word, offered, told};
use sla::window::Hour;

use crate::cast::{Chains, Person, encode};
use crate::routing::{address, url};

const MINUTE_MS: u64 = 60_000;

fn price(wei: u128) -> Option<Price> {
    Some(Price { units: 1, wei: Wei(wei) })
}

fn model(model: &str, wei: u128, warm: bool) -> Offer {
    Offer {
        capacity: Some(2),
        in_use: None,
        model: model.parse().ok(),
        pipeline: "llm".parse().unwrap(),
        price: price(wei),
        runner_version: None,
        warm: Some(warm),
    }
}

fn card(id: &str) -> Gpu {
    Gpu {
        id: id.parse().ok(),
        memory_free_bytes: None,
        memory_total_bytes: Some(24 << 30),
        model: None,
        name: None,
        pipeline: None,
    }
}

/// What gateway `teller` says of orchestrator 1 so many minutes after the beginning of time.
fn word(teller: u8, minutes: u64, offers: Vec<Offer>) -> Word {
    Word {
        at_ms: UnixMillis(100 * HOUR_MS + minutes * MINUTE_MS),
        gpus: Vec::new(),
        offers,
        omitted: None,
        operator: address(1),
        price: None,
        region: format!("r{teller}").parse().ok(),
        reporter: address(teller),
        role: Role::Gateway,
        signer: None,
        url: url(1),
        version: None,
    }
}

/// What holds, whatever the order of the words.
fn one(mut words: Vec<Word>) -> Supply {
    let [first] = <[Supply; 1]>::try_from(offered(&words)).unwrap();
    words.reverse();
    assert_eq!(offered(&words), std::slice::from_ref(&first));
    first
}

fn names(supply: &Supply) -> Vec<&str> {
    supply.offers.iter().map(|offer| offer.model.as_ref().unwrap().as_str()).collect()
}

#[test]
fn an_orchestrator_is_in_the_region_of_everybody_who_tells_of_it() {
    let supply =
        one(vec![word(7, 0, Vec::new()), word(8, 60, Vec::new()), word(9, 30, Vec::new())]);
    let regions: Vec<&str> = supply.regions.iter().map(|region| region.as_str()).collect();
    assert_eq!(regions, ["r7", "r8", "r9"]);
    assert_eq!((supply.tellers, supply.reporter, supply.region), (3, address(8), None));
}

#[test]
fn silence_takes_nothing_back() {
    let full = Word {
        gpus: vec![card("GPU-1"), card("GPU-2")],
        price: price(5),
        signer: Some(address(3)),
        ..word(7, 0, vec![model("a", 10, true)])
    };
    for later in [word(7, 50, Vec::new()), word(8, 50, Vec::new())] {
        let supply = one(vec![full.clone(), later.clone()]);
        assert_eq!(
            (supply.gpus.len(), supply.price, supply.signer),
            (2, price(5), Some(address(3)))
        );
        assert_eq!(supply.offers, full.offers);
        assert_eq!(supply.at_ms, later.at_ms);
    }
}

#[test]
fn no_single_gateway_decides_what_another_orchestrator_offers() {
    let honest = |teller| word(teller, 0, vec![model("a", 10, true)]);
    let liar = word(9, 60, vec![model("b", 99, true), model("a", 1_000_000, false)]);
    let supply = one(vec![honest(7), liar.clone()]);
    assert_eq!(names(&supply), ["a", "b"]);
    assert_eq!((supply.offers[0].price, supply.offers[0].warm), (price(10), Some(true)));
    // Said a hundred times it is one voice still, and two who are honest outweigh one who would make it cheap.
    let cheap = word(9, 60, vec![model("a", 0, true); 100]);
    let supply = one(vec![honest(7), honest(8), cheap]);
    assert_eq!((supply.offers.len(), supply.offers[0].price), (1, price(10)));
    // As for general prices and cards.
    let told = |word: Word, wei, cards: &[&str]| Word {
        gpus: cards.iter().map(|id| card(id)).collect(),
        price: price(wei),
        ..word
    };
    let (one_says, another) = (told(honest(7), 10, &["x", "y"]), told(honest(8), 12, &["x", "y"]));
    let supply = one(vec![one_says, another, told(liar, 1_000_000, &["x"; 32])]);
    assert_eq!((supply.price, supply.gpus.len()), (price(12), 2));
}

#[test]
fn its_own_word_stands_before_everybodys() {
    let own = Word { role: Role::Orchestrator, ..word(1, 0, vec![model("a", 10, true)]) };
    let told: Vec<Word> =
        (7..=9).map(|teller| word(teller, 60, vec![model("b", 99, false)])).collect();
    let supply = one([vec![own.clone()], told.clone()].concat());
    assert_eq!(
        (names(&supply), supply.reporter, supply.role),
        (vec!["a"], address(1), Role::Orchestrator)
    );
    assert_eq!((supply.tellers, supply.region), (4, "r1".parse().ok()));
    // Of what it says nothing, others are heard; and so they are when it has been silent for long.
    let carded: Vec<Word> =
        told.iter().map(|word| Word { gpus: vec![card("x")], ..word.clone() }).collect();
    assert_eq!(one([vec![own.clone()], carded].concat()).gpus.len(), 1);
    let late = word(7, 4 * 60, vec![model("b", 99, false)]);
    assert_eq!(names(&one(vec![own, late])), ["b"]);
}

#[test]
fn what_is_told_no_more_is_offered_no_more() {
    let old = word(7, 0, vec![model("a", 10, true)]);
    let still = word(8, 3 * 60, vec![model("b", 10, true)]);
    assert_eq!(names(&one(vec![old.clone(), still])), ["a", "b"], "within three hours");
    let late = word(8, 3 * 60 + 1, vec![model("b", 10, true)]);
    assert_eq!(names(&one(vec![old.clone(), late.clone()])), ["b"]);
    let renewed = word(7, 2 * 60, vec![model("c", 10, true)]);
    assert_eq!(names(&one(vec![old, renewed, late])), ["b", "c"], "each teller by its latest word");
}

#[test]
fn each_teller_is_kept_by_its_latest_word_and_sellers_speak_for_themselves_only() {
    let hour = Hour(490_000);
    let at = |minutes: u64| hour.start().plus(Millis(minutes * MINUTE_MS));
    let seller = Person::new("orchestrator-1", "orchestrator-1", Role::Orchestrator);
    let rival = Person::new("orchestrator-2", "orchestrator-2", Role::Orchestrator);
    let gateways = [1, 2].map(|number| {
        let name = format!("gateway-{number}");
        Person::new(&name, &name, Role::Gateway)
    });
    let says = |name: &str| {
        let offers = (!name.is_empty()).then(|| model(name, 10, true));
        Body::CapabilityOffered(Offered {
            gpus: Vec::new(),
            offers: offers.into_iter().collect(),
            omitted: None,
            orchestrator: seller.named(),
            price: None,
            version: None,
        })
    };
    let [one, two] = &gateways;
    let said = [
        (one, 1, "a"),
        (two, 2, "b"),
        (one, 3, "c"),
        (one, 4, ""),
        (&rival, 5, "d"),
        (&seller, 6, "e"),
        (two, 60, "f"),
    ];
    let mut chains = Chains::default();
    let batches = said.map(|(by, minutes, name)| {
        let events = [by.says(minutes, at(minutes), says(name))];
        Opened::of(&chains.seal(by, 0, at(minutes), &encode(&events)))
    });
    let readable = batches.iter().flat_map(|batch| {
        batch.readable().map(move |(opened, event)| Admitted::of(batch, opened, event))
    });
    let mut admitted: Vec<Admitted<'_>> = readable.collect();
    let words = told(hour, &admitted);
    let found: BTreeMap<_, _> = words
        .iter()
        .map(|word| {
            let offers = word.offers.iter().map(|offer| offer.model.as_ref().unwrap().as_str());
            (word.reporter, (word.at_ms, offers.collect::<Vec<_>>()))
        })
        .collect();
    let expected = [
        (one.address, (at(4), vec!["c"])),
        (two.address, (at(2), vec!["b"])),
        (seller.address, (at(6), vec!["e"])),
    ];
    assert_eq!((words.len(), found), (3, expected.into()));
    admitted.reverse();
    assert_eq!(told(hour, &admitted), words, "their order never matters");
}
