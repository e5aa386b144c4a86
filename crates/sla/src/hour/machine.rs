//! What the work ran on, as far as the offer that told who had it says: the hardware for the model, and whether it was
//! warm.

use events::body::Body;
use events::body::capability::{Gpu, Offered};
use events::identity::{Label, Model, Pipeline};

use crate::admit::Admitted;
use crate::tally::cell::WorkClass;

/// The hardware behind a tenure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The one card that runs the model, where there is just one and it has an id.
    pub gpu: Option<Label>,
    /// The name of the graphics cards offered for the model, where all of them are of one kind.
    pub hardware: Option<Label>,
    /// Whether the model was offered warm.
    pub warm: Option<bool>,
}

impl Machine {
    /// What `tie` says about the hardware for work of `class`.
    pub fn of(class: &WorkClass, tie: Option<Admitted<'_>>) -> Self {
        let Some(Body::CapabilityOffered(said)) = tie.map(|tie| &tie.event.body) else {
            return Self::default();
        };
        let cards = cards(class, said);
        Self { gpu: one_card(&cards), hardware: one_kind(&cards), warm: warm(class, said) }
    }
}

/// The cards that run the model; those that name no model where none that does is all of one kind.
fn cards<'a>(class: &WorkClass, said: &'a Offered) -> Vec<&'a Gpu> {
    let runs = |gpu: &&Gpu| is_for(class, gpu.pipeline.as_ref(), gpu.model.as_ref());
    let idle = |gpu: &&Gpu| gpu.model.is_none() && gpu.pipeline.is_none();
    let running: Vec<&Gpu> = said.gpus.iter().filter(runs).collect();
    if one_kind(&running).is_some() { running } else { said.gpus.iter().filter(idle).collect() }
}

fn one_kind(cards: &[&Gpu]) -> Option<Label> {
    let mut names = cards.iter().map(|gpu| gpu.name.as_ref());
    let first = names.next()??;
    names.all(|name| name == Some(first)).then(|| first.clone())
}

fn one_card(cards: &[&Gpu]) -> Option<Label> {
    match cards {
        [card] => card.id.clone(),
        _ => None,
    }
}

fn warm(class: &WorkClass, said: &Offered) -> Option<bool> {
    let mut offers = said
        .offers
        .iter()
        .filter(|offer| is_for(class, Some(&offer.pipeline), offer.model.as_ref()));
    offers.find_map(|offer| offer.warm)
}

/// Whether something names the model of `class`, and no other pipeline.
fn is_for(class: &WorkClass, pipeline: Option<&Pipeline>, model: Option<&Model>) -> bool {
    let fits =
        class.pipeline.is_none() || pipeline.is_none() || pipeline == class.pipeline.as_ref();
    class.model.is_some() && model == class.model.as_ref() && fits
}
