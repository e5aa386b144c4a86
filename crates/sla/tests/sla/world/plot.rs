//! What happens to one job, and what each party says of it.

use events::body::job::{
    Assigned, Completed, Failed, FirstOutput, Output, Playable, Requested, SegmentAttempted,
    Swapped, Tokens, Unserved,
};
use events::body::payment::Sent;
use events::body::stream::Status;
use events::body::{Body, Orchestrator, Reason, Witness};
use events::event::{Origin, Workload};
use events::identity::{Address, JobId};
use events::job;
use events::unit::{HOUR_MS, MilliFps, Millis, UnixMillis};

use super::chance::Chance;
use super::{
    BEGIN, COLLECTOR, GATEWAYS, HOURS, ORCHESTRATORS, OWN_GATEWAY, Said, TESTER, UNLISTED,
};
use crate::cast::Person;

/// The telling of one job.
struct Plot<'a> {
    at_ms: UnixMillis,
    job_id: JobId,
    name: String,
    /// An address that several gateways pay from, and that never speaks.
    payer: Option<Address>,
    people: &'a [Person],
    said: Vec<Said>,
    /// Those on the gateway's side who tell everything.
    tellers: Vec<usize>,
    workload: Workload,
}

/// A job somewhere in the world's hours.
pub fn job(chance: &mut Chance, people: &[Person], number: u64, is_crowded: bool) -> Vec<Said> {
    let workloads = [
        Workload::LiveVideo,
        Workload::LiveVideo,
        Workload::LiveVideo,
        Workload::Byoc,
        Workload::Llm,
        Workload::AiBatch,
        Workload::Transcoding,
    ];
    let workload = chance.pick(&workloads);
    let name = format!("job-{number}");
    let job_id = match workload {
        Workload::LiveVideo => job::live_video(&name, "request"),
        Workload::Transcoding => job::segment(&name, number, None),
        other => job::request(other, &name),
    };
    let sides =
        [GATEWAYS[0], GATEWAYS[0], GATEWAYS[1], GATEWAYS[1], COLLECTOR, OWN_GATEWAY, UNLISTED];
    let mut tellers = vec![chance.pick(&sides)];
    if is_crowded && chance.in_ten(4) {
        tellers.push(chance.pick(&[COLLECTOR, GATEWAYS[0], GATEWAYS[1], TESTER]));
        tellers.dedup();
    }
    let at_ms = BEGIN.plus(Millis(chance.below(HOURS * HOUR_MS - 600_000)));
    let payer = (is_crowded && chance.in_ten(5)).then_some(Address([7; 20]));
    let said = Vec::new();
    let mut plot = Plot { at_ms, job_id, name, payer, people, said, tellers, workload };
    match workload {
        Workload::LiveVideo => plot.live(chance),
        Workload::Transcoding => plot.segment(chance),
        _ => plot.request(chance),
    }
    if chance.in_ten(1) {
        let observed = events::body::probe::Observed {
            duration_ms: None,
            first_output_ms: None,
            measured: None,
            orchestrator: Orchestrator::default(),
            reason: None,
            scenario: "round-trip/1".parse().unwrap(),
            success: true,
        };
        plot.say(TESTER, Body::ProbeObserved(observed));
    }
    plot.said
}

impl Plot<'_> {
    fn say(&mut self, by: usize, body: Body) {
        let id = format!("{}-{}-{}", self.name, by, self.said.len());
        let mut event = self.people[by].says(id, self.at_ms, body);
        event.job_id = Some(self.job_id);
        event.workload = Some(self.workload);
        // Of a live session only statuses name the model.
        let names_model =
            self.workload != Workload::LiveVideo || matches!(event.body, Body::StreamStatus(_));
        event.model = names_model.then(|| "model-1".parse().unwrap());
        event.origin = (by == TESTER).then_some(Origin::Probe);
        let sealed_ms = self.at_ms.plus(Millis(200));
        self.said.push(Said { by, event, sealed_ms });
    }

    fn tell(&mut self, body: Body) {
        for by in self.tellers.clone() {
            self.say(by, body.clone());
        }
    }

    fn wait(&mut self, ms: u64) {
        self.at_ms = self.at_ms.plus(Millis(ms));
    }

    fn live(&mut self, chance: &mut Chance) {
        self.tell(Body::JobRequested(Requested::default()));
        for leg in 0..=chance.below(3) {
            let orchestrator = chance.pick(&ORCHESTRATORS);
            let seen = self.people[orchestrator].seen();
            self.wait(chance.below(2_000));
            if !chance.in_ten(1) {
                self.tell(assigned(&seen, leg));
            }
            if chance.in_ten(3) {
                self.tell(payment(&seen, self.payer));
            }
            let is_alive = !chance.in_ten(3);
            let lies = chance.in_ten(2);
            let beats = chance.pick(&[0, 1, 3, 20, 400]);
            for beat in 0..chance.below(beats + 1) {
                self.wait(1_000 + chance.below(13_000));
                if beat == 0 && is_alive {
                    self.tell(first(&seen));
                    self.tell(Body::JobPlayable(Playable { orchestrator: seen.clone() }));
                }
                if is_alive {
                    let fps_in = chance.pick(&[0, 20_000, 30_000]);
                    let fps_out = chance.pick(&[0, 17_000, 17_000, 29_000]);
                    self.tell(status(&seen, fps_in, fps_out));
                }
                if beat < 3 && (is_alive || lies) {
                    self.say(orchestrator, first(&self.people[orchestrator].named()));
                }
            }
            if chance.in_ten(5) {
                self.tell(Body::JobSwapped(Swapped {
                    orchestrator: if chance.in_ten(1) { Orchestrator::default() } else { seen },
                    reason: reason(chance),
                }));
            }
        }
        self.wait(chance.below(20_000));
        match chance.below(5) {
            0 | 1 => self.tell(completed(Orchestrator::default(), Some(Reason::UserDisconnect))),
            2 => self.tell(completed(Orchestrator::default(), None)),
            3 => {
                let why = reason(chance);
                self.tell(failed(Orchestrator::default(), why));
            }
            _ => {}
        }
    }

    fn request(&mut self, chance: &mut Chance) {
        self.tell(Body::JobRequested(Requested::default()));
        for attempt in 0..=chance.below(2) {
            let orchestrator = chance.pick(&ORCHESTRATORS);
            let seen = self.people[orchestrator].seen();
            if chance.in_ten(6) {
                self.tell(assigned(&seen, attempt));
            }
            self.wait(chance.pick(&[400, 2_000, 40_000, 290_000, 320_000]));
            if chance.in_ten(3) {
                self.say(orchestrator, completed(self.people[orchestrator].named(), None));
            }
            match chance.below(5) {
                0 => {
                    let why = reason(chance);
                    self.tell(failed(seen, why));
                }
                1 => {}
                2 => self.tell(Body::JobUnserved(Unserved { reason: Reason::NoOrchestrator })),
                _ => return self.tell(completed(seen, None)),
            }
        }
    }

    fn segment(&mut self, chance: &mut Chance) {
        for attempt in 1..=1 + chance.below(3) {
            let orchestrator = chance.pick(&ORCHESTRATORS);
            let success = chance.in_ten(6);
            self.wait(chance.below(4_000));
            self.tell(Body::SegmentAttempted(SegmentAttempted {
                attempt: u32::try_from(attempt).unwrap(),
                attempts: 3,
                duration_ms: Some(Millis(2_000)),
                latency_ms: Some(Millis(chance.below(4_000))),
                orchestrator: self.people[orchestrator].seen(),
                reason: (!success).then(|| reason(chance)),
                size_bytes: None,
                success,
            }));
        }
    }
}

fn reason(chance: &mut Chance) -> Reason {
    chance.pick(Reason::ALL)
}

fn assigned(seen: &Orchestrator, attempt: u64) -> Body {
    Body::JobAssigned(Assigned {
        attempt: u32::try_from(attempt + 1).ok(),
        orchestrator: seen.clone(),
        said_ms: None,
        witness: Witness::Gateway,
    })
}

fn first(seen: &Orchestrator) -> Body {
    Body::JobFirstOutput(FirstOutput {
        orchestrator: seen.clone(),
        output: Output::Media,
        said_ms: None,
        witness: Witness::Gateway,
    })
}

fn payment(seen: &Orchestrator, sender: Option<Address>) -> Body {
    Body::PaymentSent(Sent {
        balance_wei: None,
        face_value_wei: None,
        orchestrator: seen.clone(),
        price: None,
        sender,
        success: None,
        tickets: None,
        win_probability_ppb: None,
    })
}

fn status(seen: &Orchestrator, fps_in: u32, fps_out: u32) -> Body {
    Body::StreamStatus(Status {
        error: None,
        fps_in: Some(MilliFps(fps_in)),
        fps_out: Some(MilliFps(fps_out)),
        orchestrator: seen.clone(),
        restarts: None,
        running_ms: None,
        state: None,
        witness: Witness::Runner,
    })
}

fn failed(orchestrator: Orchestrator, reason: Reason) -> Body {
    Body::JobFailed(Failed {
        duration_ms: None,
        http_status: None,
        orchestrator,
        reason,
        tries: None,
        witness: Witness::Gateway,
    })
}

fn completed(orchestrator: Orchestrator, reason: Option<Reason>) -> Body {
    Body::JobCompleted(Completed {
        duration_ms: Some(Millis(700)),
        http_status: None,
        orchestrator,
        price_wei: None,
        reason,
        tokens: Some(Tokens { ttft_ms: Some(Millis(90)), ..Tokens::default() }),
        tries: None,
        witness: Witness::Gateway,
    })
}
