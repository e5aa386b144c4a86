//! Why an orchestrator is listed or left out: stable codes for programs, and a sentence with the numbers for people.

use events::body::Price;
use events::unit::{Ppm, UnixMillis};
use serde::Serialize;

use super::policy::table::Tier;
use super::work::Work;
use crate::scorecard::Grade;

events::words! {
    /// Why one is listed.
    Listed {
        /// Its score and grade reach a tier.
        Tier = "tier",
        /// It has too little evidence, and it is its turn.
        Newcomer = "newcomer",
        /// It would be left out, but too many would be.
        Floor = "floor",
    }
}

events::words! {
    /// Why one is left out. Codes are added, never changed or removed.
    Code {
        /// Where it answers is not known.
        NoUrl = "no-url",
        /// Another address at the same URL is listed, or comes before it.
        UrlShared = "url-shared",
        /// It offers none of the work.
        NoCapability = "no-capability",
        /// It offers the work, but does not say that a model for it is loaded.
        NotWarm = "not-warm",
        /// It asks more than a cap.
        PriceAbove = "price-above",
        /// There is a cap, and what it asks is not known.
        PriceUnknown = "price-unknown",
        /// It was never seen in the region.
        RegionOther = "region-other",
        /// It was not seen for long.
        NotSeen = "not-seen",
        /// Its score is below what is asked.
        ScoreBelow = "score-below",
        /// Its grade is below what is asked.
        GradeBelow = "grade-below",
        /// There is too little evidence for a score.
        EvidenceInsufficient = "evidence-insufficient",
        /// The places of newcomers are taken in this turn.
        QuotaFull = "quota-full",
        /// Others of its party have all the places a party may have.
        ClusterFull = "cluster-full",
        /// The list is as long as it may be.
        ListFull = "list-full",
    }
}

impl Code {
    /// Whether a candidate left out for this could do the work: such are counted by the floor.
    pub fn is_about_scores(self) -> bool {
        matches!(
            self,
            Self::ScoreBelow
                | Self::GradeBelow
                | Self::EvidenceInsufficient
                | Self::QuotaFull
                | Self::ClusterFull
                | Self::ListFull
        )
    }
}

/// One reason, in both forms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// For programs.
    pub code: Code,
    /// For people, with the numbers.
    pub sentence: String,
}

/// Wei for units.
fn told(price: &Price) -> String {
    format!("{} wei for {} units", price.wei.0, price.units)
}

impl Reason {
    fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    pub(super) fn no_url() -> Self {
        Self::new(Code::NoUrl, "no service URL of it is known")
    }

    pub(super) fn url_shared(operator: impl std::fmt::Display) -> Self {
        Self::new(Code::UrlShared, format!("{operator} answers at the same URL and comes first"))
    }

    pub(super) fn no_capability(asked: &[Work], offers: usize) -> Self {
        let asked: Vec<_> = asked.iter().map(Work::to_string).collect();
        let asked = asked.join(", ");
        Self::new(Code::NoCapability, format!("none of its {offers} offers is for {asked}"))
    }

    pub(super) fn not_warm(offers: usize) -> Self {
        let sentence = format!("none of its {offers} offers of the work says that it is warm");
        Self::new(Code::NotWarm, sentence)
    }

    pub(super) fn price_above(work: &Work, price: &Price, cap: &Price) -> Self {
        let (price, cap) = (told(price), told(cap));
        Self::new(Code::PriceAbove, format!("it asks {price} for {work}, above the cap of {cap}"))
    }

    pub(super) fn price_unknown(work: &Work, cap: &Price) -> Self {
        let cap = told(cap);
        let sentence = format!("what it asks for {work} is not known, and there is a cap of {cap}");
        Self::new(Code::PriceUnknown, sentence)
    }

    pub(super) fn region_other(wanted: &str, seen: &str) -> Self {
        let sentence = format!("it was seen in {seen} and never in {wanted}");
        Self::new(Code::RegionOther, sentence)
    }

    pub(super) fn not_seen(last: UnixMillis, after_ms: u64) -> Self {
        let sentence = format!("it was last seen at {last} ms since 1970, over {after_ms} ms ago");
        Self::new(Code::NotSeen, sentence)
    }

    pub(super) fn score_below(score: Ppm, least: Ppm) -> Self {
        let sentence = format!("its score of {} ppm is below {} ppm", score.0, least.0);
        Self::new(Code::ScoreBelow, sentence)
    }

    pub(super) fn grade_below(grade: Grade, least: Grade) -> Self {
        let sentence = format!("its evidence is of grade {grade}, below grade {least}");
        Self::new(Code::GradeBelow, sentence)
    }

    pub(super) fn tier_grade(score: Ppm, grade: Grade, tier: &Tier) -> Self {
        let Tier { grade_min, name, .. } = tier;
        let sentence = format!(
            "its score of {} ppm would reach tier {name}, which needs grade {grade_min}; its evidence is of grade {grade}",
            score.0
        );
        Self::new(Code::GradeBelow, sentence)
    }

    pub(super) fn insufficient(why: Option<&str>) -> Self {
        let sentence = match why {
            Some(why) => format!("there is too little evidence for a score: {why}"),
            None => "no score of the work is known".to_owned(),
        };
        Self::new(Code::EvidenceInsufficient, sentence)
    }

    pub(super) fn quota_full(places: u64, parties: usize) -> Self {
        let sentence = format!(
            "{places} places are for those with too little evidence, and {parties} parties take turns at them"
        );
        Self::new(Code::QuotaFull, sentence)
    }

    pub(super) fn cluster_full(party: impl std::fmt::Display, places: u64) -> Self {
        let sentence = format!("others of its party {party} have the {places} places a party has");
        Self::new(Code::ClusterFull, sentence)
    }

    pub(super) fn list_full(places: u64) -> Self {
        Self::new(Code::ListFull, format!("the list has {places} places, taken by better ones"))
    }
}
