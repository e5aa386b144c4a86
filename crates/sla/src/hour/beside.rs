//! What is said beside jobs, for people to look at: payments, who was let in, and readings of cards and lines.

use events::body::Body;
use events::body::payment::Sent;
use events::event::{Event, Role};
use events::identity::Address;

use crate::admit::Admitted;
use crate::rollup::column::{Column, Plain};
use crate::rollup::{Rollup, RollupKey, Sums};
use crate::tally::cell::WorkClass;
use crate::window::Hour;

/// Wei in a million wei.
const MWEI: u128 = 1_000_000;

/// Adds what the events of an hour say beside jobs.
pub fn add(rollup: &mut Rollup, hour: Hour, admitted: &[Admitted<'_>]) {
    for claim in admitted.iter().filter(|claim| hour.holds(claim.counted_ms)) {
        if let Some((key, sums)) = read(claim.event) {
            rollup.row(key).at(claim.counted_ms).merge(&sums);
        }
    }
}

fn read(event: &Event) -> Option<(RollupKey, Sums)> {
    let mut sums = Sums::default();
    let mut add = |plain: Plain, count: u64| sums.add(Column::Plain(plain), count);
    let mut key = RollupKey {
        collected: event.role == Role::Collector,
        region: event.region.clone(),
        ..RollupKey::default()
    };
    match &event.body {
        // Whether it went through is not always said; what is said to have failed was not paid.
        Body::PaymentSent(said) if said.success != Some(false) => {
            key.gateway = Some(event.reporter);
            key.gateway_name.clone_from(&event.gateway);
            (key.operator, key.url) = (said.orchestrator.recipient, said.orchestrator.url.clone());
            key.signer = said.orchestrator.signer.filter(|_| key.operator.is_none());
            if let Some(workload) = event.workload {
                let (model, pipeline) = (event.model.clone(), event.pipeline.clone());
                key = key.of_class(&WorkClass { model, pipeline, workload });
            }
            add(Plain::Payments, 1);
            worth_mwei(said).into_iter().for_each(|worth| add(Plain::PaidMwei, worth));
        }
        Body::CounterSampled(said) => {
            let door = door(said.name.as_str())?;
            key.gateway = Some(event.reporter);
            key.gateway_name.clone_from(&event.gateway);
            let (model, pipeline) = (event.model.clone(), event.pipeline.clone());
            key = key.of_class(&WorkClass { model, pipeline, workload: event.workload? });
            add(door, u64::try_from(said.value).ok()?);
        }
        Body::GpuSampled(said) => {
            key.operator = Some(speaker(event)?);
            (key.gpu, key.hardware) = (Some(said.gpu.clone()), said.name.clone());
            let share = said.utilisation?;
            add(Plain::UtilisationSamples, 1);
            add(Plain::UtilisationPpm, u64::from(share.0));
        }
        Body::BandwidthSampled(said) => {
            key.operator = Some(speaker(event)?);
            let (down, up) = (said.down_bps?, said.up_bps?);
            add(Plain::BandwidthSamples, 1);
            add(Plain::DownKbps, down / 1_000);
            add(Plain::UpKbps, up / 1_000);
        }
        _ => return None,
    }
    Some((key, sums))
}

/// Whether a counter is of users who were let in or turned away.
fn door(counter: &str) -> Option<Plain> {
    match counter {
        "auth_webhook_successes" | "credential_verify_successes" => Some(Plain::LetIn),
        "auth_webhook_failures" | "credential_verify_failures" => Some(Plain::TurnedAway),
        _ => None,
    }
}

/// Whose machine a node speaks of: its own side's alone, so nobody tells of another's.
fn speaker(event: &Event) -> Option<Address> {
    let is_seller = matches!(event.role, Role::Orchestrator | Role::Worker | Role::Transcoder);
    is_seller.then_some(event.reporter)
}

/// What a payment is worth in millions of wei, rounded down: face value by the chance to win. None where either is not
/// said.
fn worth_mwei(said: &Sent) -> Option<u64> {
    let face = said.face_value_wei?.0.checked_mul(u128::from(said.tickets?))?;
    let worth = face.checked_mul(u128::from(said.win_probability_ppb?))? / 1_000_000_000;
    u64::try_from(worth / MWEI).ok()
}

#[cfg(test)]
mod tests {
    use events::body::Orchestrator;
    use events::body::node::CounterSample;
    use events::event::{Network, Workload};
    use events::unit::UnixMillis;

    use super::*;

    #[test]
    fn who_was_let_in_is_counted_by_capability() {
        let said = |name: &str, value| Event {
            at_ms: UnixMillis(1_767_908_945_298),
            body: Body::CounterSampled(CounterSample {
                name: name.parse().unwrap(),
                orchestrator: Orchestrator::default(),
                value,
            }),
            gateway: None,
            id: "event-1".parse().unwrap(),
            job_id: None,
            model: None,
            network: Network::Simulation,
            node: "3f6c1c0e-1111-4222-8333-444455556666".parse().unwrap(),
            origin: None,
            pipeline: Some("my cap".parse().unwrap()),
            region: None,
            reporter: Address([7; 20]),
            role: Role::Gateway,
            workload: Some(Workload::Byoc),
        };
        for (name, column) in [
            ("auth_webhook_successes", Plain::LetIn),
            ("credential_verify_successes", Plain::LetIn),
            ("auth_webhook_failures", Plain::TurnedAway),
            ("credential_verify_failures", Plain::TurnedAway),
        ] {
            let (key, sums) = read(&said(name, 3)).unwrap();
            assert_eq!(sums.columns, [(Column::Plain(column), 3)].into(), "{name}");
            assert_eq!(key.pipeline.unwrap().as_str(), "my cap");
        }
        assert!(read(&said("worker_capacity_exhausted", 1)).is_none());
        assert!(read(&said("auth_webhook_failures", -1)).is_none());
    }
}
