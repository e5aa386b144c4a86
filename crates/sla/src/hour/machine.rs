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
        Self { hardware: hardware(class, said), warm: warm(class, said) }
    }
}

/// The one kind of card among those that run the model; those that name no model where none names it.
fn hardware(class: &WorkClass, said: &Offered) -> Option<Label> {
    let runs = |gpu: &&Gpu| is_for(class, gpu.pipeline.as_ref(), gpu.model.as_ref());
    let idle = |gpu: &&Gpu| gpu.model.is_none() && gpu.pipeline.is_none();
    one_kind(said.gpus.iter().filter(runs)).or_else(|| one_kind(said.gpus.iter().filter(idle)))
}

fn one_kind<'a>(gpus: impl Iterator<Item = &'a Gpu>) -> Option<Label> {
    let mut names = gpus.map(|gpu| gpu.name.as_ref());
    let first = names.next()??;
    names.all(|name| name == Some(first)).then(|| first.clone())
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
