//! What can be set: how large the network is, how busy, and how much goes wrong.
//!
//! Only numbers; nothing here draws a chance or knows an identity.

use events::unit::{Ppm, UnixMillis};

/// One minute in milliseconds.
pub(crate) const MINUTE_MS: u64 = 60_000;

/// One day in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The size, pace and mishaps of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Time between two `network_capabilities` of one gateway.
    pub capability_every_ms: u64,
    /// How long a delegation reaches past the moment it was signed; at most 90 days.
    pub delegation_ms: u64,
    /// Canonical events for each 1 000 seconds of virtual time, in the long run.
    pub events_per_1000_s: u64,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Gateways, at least 1.
    pub gateways: usize,
    /// Whether demand follows the hour of the day (UTC); the mean over a day stays the same.
    pub is_daily: bool,
    /// Time between two heartbeats of one node.
    pub heartbeat_every_ms: u64,
    /// Models on offer, 4 to 24.
    pub models: usize,
    /// Orchestrators, counted by service URL, at least 2.
    pub orchestrators: usize,
    /// Time between two rounds of one tester.
    pub probe_every_ms: u64,
    /// Regions, 1 to 6.
    pub regions: usize,
    /// Mean length of a live session.
    pub session_mean_ms: u64,
    /// The share of job events that each workload makes.
    pub shares: Shares,
    /// The most a node's clock is off, either way; at most 25 seconds.
    pub skew_max_ms: u64,
    /// The share of orchestrators that publish statements of their own.
    pub speaking: Ppm,
    /// Testers, each its own operator.
    pub testers: usize,
    /// Up to each moment, in order, so many times less happens: a long past that is quickly told.
    pub thin: Vec<Thin>,
}

/// A span in which less happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thin {
    /// How many times less, at least 1.
    pub times: u64,
    /// The end of the span.
    pub until: UnixMillis,
}

/// The share of job events that each workload makes; only the proportions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Single AI requests.
    pub ai_batch: u32,
    /// Bring your own container.
    pub byoc: u32,
    /// Real-time AI video.
    pub live_video: u32,
    /// Language models.
    pub llm: u32,
    /// Segments.
    pub transcoding: u32,
}

/// How often each mishap is drawn. Poor orchestrators have up to four times their share, good ones a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Of tenures: the orchestrator is given the session and never gives anything back.
    pub dead_start: Ppm,
    /// Of tenures and attempts that fail at a speaking orchestrator: it claims to have served them.
    pub dispute: Ppm,
    /// Of envelopes: the same bytes are delivered again.
    pub duplicate: Ppm,
    /// Of requests and segments: the attempt fails.
    pub failure: Ppm,
    /// Of statements: it is never heard.
    pub lost: Ppm,
    /// Of tenures: far fewer frames come out than go in.
    pub low_fps: Ppm,
    /// Of sessions: an envelope that no rule translates is said too.
    pub noise: Ppm,
    /// Of region-hours: an outage of some minutes begins in it.
    pub outage: Ppm,
    /// Of tenures: the runner restarts.
    pub restart: Ppm,
    /// Of tenures: the runner has an error, which then sticks to every later status.
    pub runner_error: Ppm,
    /// Of nodes: its clock is off by up to the options' most, instead of a quarter second.
    pub skewed_clock: Ppm,
    /// Of tenures and attempts: it takes several times as long.
    pub slow: Ppm,
    /// Of tenures: the session is swapped away midway.
    pub swap: Ppm,
    /// Of requests: nobody is to be had.
    pub unserved: Ppm,
    /// Of sessions: the user leaves, which the gateway reports as an error.
    pub user_disconnect: Ppm,
    /// Of sessions: too few frames come in.
    pub weak_input: Ppm,
}

impl Faults {
    /// What a sound network shows.
    pub const USUAL: Self = Self {
        dead_start: Ppm(15_000),
        dispute: Ppm(100_000),
        duplicate: Ppm(3_000),
        failure: Ppm(20_000),
        lost: Ppm(2_000),
        low_fps: Ppm(25_000),
        noise: Ppm(20_000),
        outage: Ppm(4_000),
        restart: Ppm(8_000),
        runner_error: Ppm(12_000),
        skewed_clock: Ppm(60_000),
        slow: Ppm(30_000),
        swap: Ppm(30_000),
        unserved: Ppm(15_000),
        user_disconnect: Ppm(250_000),
        weak_input: Ppm(40_000),
    };

    /// So much of everything that an hour shows each of them.
    pub const FREQUENT: Self = Self {
        dead_start: Ppm(80_000),
        dispute: Ppm(300_000),
        duplicate: Ppm(20_000),
        failure: Ppm(80_000),
        lost: Ppm(20_000),
        low_fps: Ppm(80_000),
        noise: Ppm(100_000),
        outage: Ppm(700_000),
        restart: Ppm(80_000),
        runner_error: Ppm(80_000),
        skewed_clock: Ppm(300_000),
        slow: Ppm(80_000),
        swap: Ppm(120_000),
        unserved: Ppm(60_000),
        user_disconnect: Ppm(300_000),
        weak_input: Ppm(100_000),
    };

    /// Nothing goes wrong; users still leave.
    pub const NONE: Self = Self {
        dead_start: Ppm(0),
        dispute: Ppm(0),
        duplicate: Ppm(0),
        failure: Ppm(0),
        lost: Ppm(0),
        low_fps: Ppm(0),
        noise: Ppm(0),
        outage: Ppm(0),
        restart: Ppm(0),
        runner_error: Ppm(0),
        skewed_clock: Ppm(0),
        slow: Ppm(0),
        swap: Ppm(0),
        unserved: Ppm(0),
        user_disconnect: Ppm(0),
        weak_input: Ppm(0),
    };
}

impl Options {
    /// A network to look at and to test with: 3 gateways, 12 orchestrators, about 20 events a second.
    pub fn small() -> Self {
        Self {
            capability_every_ms: 5 * MINUTE_MS,
            delegation_ms: 30 * DAY_MS,
            events_per_1000_s: 20_000,
            faults: Faults::USUAL,
            gateways: 3,
            is_daily: false,
            heartbeat_every_ms: MINUTE_MS,
            models: 8,
            orchestrators: 12,
            probe_every_ms: 5 * MINUTE_MS,
            regions: 3,
            session_mean_ms: 3 * MINUTE_MS,
            shares: Shares { ai_batch: 10, byoc: 10, live_video: 50, llm: 10, transcoding: 20 },
            skew_max_ms: 5_000,
            speaking: Ppm(700_000),
            testers: 2,
            thin: Vec::new(),
        }
    }

    /// A network as large as Livepeer's: 10 gateways, 100 orchestrators, 20 models; eight days of it are about 5.76
    /// million events, the volume the direct peer replays as its golden input.
    pub fn golden() -> Self {
        Self {
            capability_every_ms: 25 * MINUTE_MS,
            events_per_1000_s: 8_333,
            gateways: 10,
            is_daily: true,
            heartbeat_every_ms: 5 * MINUTE_MS,
            models: 20,
            orchestrators: 100,
            probe_every_ms: 15 * MINUTE_MS,
            regions: 5,
            session_mean_ms: 6 * MINUTE_MS,
            shares: Shares { ai_batch: 8, byoc: 8, live_video: 54, llm: 10, transcoding: 20 },
            speaking: Ppm(600_000),
            testers: 5,
            ..Self::small()
        }
    }

    /// The same options with every value inside its bounds.
    pub fn clamped(mut self) -> Self {
        let delegation_max = events::delegation::MAX_LIFETIME.0;
        self.capability_every_ms = self.capability_every_ms.max(10_000);
        self.delegation_ms = self.delegation_ms.clamp(2 * DAY_MS, delegation_max);
        self.events_per_1000_s = self.events_per_1000_s.clamp(100, 100_000_000);
        self.gateways = self.gateways.clamp(1, 200);
        self.heartbeat_every_ms = self.heartbeat_every_ms.max(5_000);
        self.models = self.models.clamp(4, crate::catalog::LISTINGS.len());
        self.orchestrators = self.orchestrators.clamp(2, 2_000);
        self.probe_every_ms = self.probe_every_ms.max(MINUTE_MS);
        self.regions = self.regions.clamp(1, crate::catalog::REGIONS.len());
        self.session_mean_ms = self.session_mean_ms.clamp(30_000, 6 * 60 * MINUTE_MS);
        self.skew_max_ms = self.skew_max_ms.min(25_000);
        self.testers = self.testers.min(100);
        self
    }

    /// How many times less than usual happens at a moment.
    pub(crate) fn times_less(&self, at: UnixMillis) -> u64 {
        let mut spans = self.thin.iter().filter(|thin| at < thin.until);
        spans.next().map_or(1, |thin| thin.times.max(1))
    }

    /// How much of the mean demand there is at a moment: all of it, or by the hour of the day.
    pub(crate) fn demand(&self, at: UnixMillis) -> Ppm {
        /// A day's demand in percent of its mean, by UTC hour: two thirds at night, a third more in the evening.
        const PERCENT: [u32; 24] = [
            88, 80, 74, 70, 67, 66, 68, 74, 82, 92, 100, 106, 110, 112, 114, 116, 120, 126, 132,
            134, 130, 122, 112, 105,
        ];
        if !self.is_daily {
            return Ppm::ONE;
        }
        let hour = usize::try_from(at.0 / events::unit::HOUR_MS % 24).unwrap_or(0);
        Ppm(PERCENT.get(hour).copied().unwrap_or(100) * 10_000)
    }
}
