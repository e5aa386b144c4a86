//! What every path of the group can be asked: by which policy, for which work, and beyond which bounds.

use std::str::FromStr;

use events::body::Price;
use events::event::{Network, Workload};
use events::identity::{Model, Pipeline, Region};
use events::unit::{Ppm, Wei};
use serde::{Deserialize, Deserializer, de};
use sla::route::choose::{Route, choose};
use sla::route::policy::table::Combine;
use sla::route::policy::{Freshness, PLACES_MAX, RoutingPolicy};
use sla::route::turn::Turn;
use sla::route::work::{Asked, Work};
use sla::scorecard::Grade;
use utoipa::IntoParams;
use warehouse::Reader;

use crate::problem::{Code, Problem};
use crate::query::LIST_JOINT;
use crate::routing::{Field, field};
use crate::schema;
use crate::state::State;

/// The most kinds of work that one question names.
const WORK_MAX: usize = 32;

/// What is asked for. What is left out is as the policy says.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RouteQuery {
    /// Requested work, as `pipeline/model` or `pipeline`; given several times, any of them: `caps=a/b&caps=c`.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    caps: Option<Several<Cap>>,
    /// How the scores of several kinds of work are combined into one.
    #[param(inline, value_type = schema::Combine, required = false)]
    combine: Option<Combine>,
    /// Only with at least this evidence grade, in addition to what the policy asks: A is the best.
    #[param(inline, value_type = schema::Grade, required = false)]
    grade_min: Option<Grade>,
    /// The requested model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// The requested pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// The maximum number of orchestrators, in addition to the policy's own limit.
    #[param(value_type = u64, required = false, minimum = 1, maximum = 1000)]
    places_max: Option<u64>,
    /// The maximum price, in wei or as `wei/units`, in addition to the policy's caps.
    #[param(value_type = String, required = false, example = "4000/1")]
    price_max: Option<Cost>,
    /// The region of the gateway.
    #[param(value_type = String, required = false)]
    region: Option<Region>,
    /// The minimum score in parts per million, in addition to what the policy asks.
    #[param(value_type = u32, required = false, minimum = 0, maximum = 1000000)]
    score_min_ppm: Option<Ppm>,
    /// `true`: only offers whose model is reported as loaded.
    #[param(value_type = bool, required = false)]
    warm: Option<bool>,
    /// The requested workload; given several times, any of them.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    workload: Option<Several<Workload>>,
}

/// Values that may be given several times, or with commas between.
#[derive(Debug, Clone)]
struct Several<T>(Vec<T>);

impl<'de, T: FromStr> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = |text: &str| {
            let shown: String = text.chars().take(80).collect();
            text.parse().map_err(|_| de::Error::custom(format_args!("{shown:?} is unknown")))
        };
        let values: Vec<T> = text
            .split(LIST_JOINT)
            .flat_map(|text| text.split(','))
            .map(read)
            .collect::<Result<_, _>>()?;
        if values.len() > WORK_MAX {
            let why = format_args!("{} values, more than {WORK_MAX}", values.len());
            return Err(de::Error::custom(why));
        }
        Ok(Self(values))
    }
}

/// A capability as go-livepeer's clients write it.
#[derive(Debug, Clone)]
struct Cap(Work);

impl FromStr for Cap {
    type Err = events::identity::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Work::from_cap(text).map(Self)
    }
}

/// A price as `wei` or `wei/units`.
#[derive(Debug, Clone, Copy)]
struct Cost(Price);

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (wei, units) = text.split_once('/').unwrap_or((text.as_str(), "1"));
        let read = || Some(Price { wei: Wei(wei.parse().ok()?), units: units.parse().ok()? });
        let price = read().filter(|price| price.units > 0);
        price.map(Self).ok_or_else(|| de::Error::custom("not a price: send wei, or wei/units"))
    }
}

/// By which policy.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// The routing policy by its name; the instance's own if none is named. `/v1/route/policies` lists them.
    #[param(value_type = String, required = false, example = "standard-1")]
    policy: Option<String>,
}

/// The policy of this name; the instance's own if none is named.
pub fn named(policy: Option<&str>, state: &State) -> Result<RoutingPolicy, Problem> {
    let found = state.policies().get(policy).cloned();
    found.ok_or_else(|| {
        let shown: String = policy.unwrap_or_default().chars().take(80).collect();
        let names: Vec<&str> =
            state.policies().all().iter().map(|policy| policy.id.as_str()).collect();
        let instead = format!("Send one of: {}.", names.join(", "));
        Problem::parameter("policy", format!("there is no routing policy {shown:?}"), instead)
    })
}

impl PolicyQuery {
    /// The policy that is asked for.
    pub fn policy(&self, state: &State) -> Result<RoutingPolicy, Problem> {
        named(self.policy.as_deref(), state)
    }
}

/// A question, and what is known when it is asked.
pub struct Situation {
    /// What was asked.
    pub asked: Asked,
    /// Who there is.
    pub field: Field,
    /// Whether the scores are young enough to be an answer.
    pub freshness: Freshness,
    /// The network.
    pub network: Network,
    /// By which policy.
    pub policy: RoutingPolicy,
    /// The turn it is asked in.
    pub turn: Turn,
}

impl Situation {
    /// The orchestrators that are listed.
    pub fn route(&self) -> Route {
        choose(&self.policy, &self.asked, &self.field.candidates, self.turn)
    }
}

impl RouteQuery {
    /// What is asked, in the words of `sla::route`.
    pub fn asked(&self) -> Result<Asked, Problem> {
        let caps = self.caps.iter().flat_map(|Several(caps)| caps).map(|Cap(work)| work.clone());
        let mut work: Vec<Work> = caps.collect();
        if self.pipeline.is_some() || self.model.is_some() {
            let (model, pipeline) = (self.model.clone(), self.pipeline.clone());
            work.push(Work { model, pipeline, workload: None });
        }
        let workloads = self.workload.iter().flat_map(|Several(workloads)| workloads);
        work.extend(workloads.map(|workload| Work::of_workload(*workload)));
        if self.score_min_ppm.is_some_and(|score| score > Ppm::ONE) {
            let detail = "score_min_ppm: more than 1000000";
            return Err(Problem::parameter("score_min_ppm", detail, "Send parts per million."));
        }
        if self.places_max.is_some_and(|most| !(1..=PLACES_MAX).contains(&most)) {
            let detail = format!("places_max: not 1 to {PLACES_MAX}");
            let instead = format!("Send a whole number from 1 to {PLACES_MAX}.");
            return Err(Problem::parameter("places_max", detail, instead));
        }
        Ok(Asked {
            combine: self.combine,
            grade_min: self.grade_min,
            places_max: self.places_max,
            price_max: self.price_max.map(|Cost(price)| price),
            region: self.region.clone(),
            score_min: self.score_min_ppm,
            warm: self.warm.unwrap_or_default(),
            work,
        })
    }

    /// What `read` makes of the question as things stand now.
    pub async fn ask<T: Send + 'static>(
        &self,
        state: &State,
        policy: RoutingPolicy,
        read: impl FnOnce(&dyn Reader, &Situation) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(Situation, T), Problem> {
        let (network, now) = (state.network(self.network), state.now());
        let asked = self.asked()?;
        let answered = state.read(move |sources| {
            let warehouse = sources.warehouse.as_ref();
            let field = field(warehouse, network, &policy, now).map_err(Problem::warehouse)?;
            let freshness = policy.freshness(field.scores_to(), now);
            let turn = policy.turn(now);
            let situation = Situation { asked, field, freshness, network, policy, turn };
            let answer = read(warehouse, &situation)?;
            Ok((situation, answer))
        });
        answered.await
    }

    /// Who is listed as things stand now.
    pub async fn answer(
        &self,
        state: &State,
        policy: RoutingPolicy,
    ) -> Result<(Situation, Route), Problem> {
        self.ask(state, policy, |_, situation| Ok(situation.route())).await
    }
}

impl Situation {
    /// Refuses where the scores are too old to be an answer, so that a gateway keeps what it has.
    pub fn check_fresh(&self) -> Result<(), Problem> {
        let Freshness::Stale { age_ms } = self.freshness else { return Ok(()) };
        let detail = match age_ms {
            Some(age_ms) => format!("the newest scores end {} s ago", age_ms.0 / 1_000),
            None => format!("no window of {} or less has scores yet", self.policy.scores.window),
        };
        let instead = "Keep the list you have, and ask again later; GET /v1/route/orchestrators shows what is known.";
        Err(Problem::new(Code::Stale, detail, instead))
    }
}
