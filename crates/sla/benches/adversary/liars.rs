//! How far gateways that lie move the score of an honest operator.

use sla::window::Span;

use crate::chance::Chance;
use crate::stage::{self, BLOCKS_A_DAY, Fate, Record, Stage, Words, gateway, honest, liar, tester};
use crate::table::{Judged, Table, points, share};

/// How many worlds each row is measured on.
const RUNS: u64 = 10;
/// Liars may move a score by at most this.
const BOUND: i64 = 30_000;
const BLOCKS: u64 = 7 * BLOCKS_A_DAY;

/// What the liars say, and how they stand to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    /// They pay from one address.
    Linked,
    /// Nothing ties them.
    Unlinked,
    /// Each says that it pays from the first honest gateway.
    NamesGateway,
    /// Each says that it pays from where the first honest gateway pays from.
    NamesPayer,
    /// Each says that it pays from where the honest gateways pay from, all of them.
    NamesPayers,
    /// They are linked, and say that five operators failed in every block.
    Outage,
    /// They are linked with the operator.
    SelfDealing,
}

/// How much the honest sources see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Each 700 jobs.
    Even,
    /// Gateways 1 400 jobs, testers 700; with no tester, the first gateway 700. Of two honest sources one liar chooses
    /// which is heard, so a bound is promised for three or more.
    Double,
    /// Gateways 1 400 jobs, testers 70; with no tester, the first gateway 70. So few jobs tell a share no closer than
    /// several points, so no bound is promised.
    Uneven,
}

impl Layout {
    fn words(self) -> &'static str {
        match self {
            Self::Even => "700 each",
            Self::Double => "1 400 or 700",
            Self::Uneven => "1 400 or 70",
        }
    }

    /// The jobs of gateways, and of testers.
    fn jobs(self) -> (u64, u64) {
        match self {
            Self::Even => (700, 700),
            Self::Double => (1_400, 700),
            Self::Uneven => (1_400, 70),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Setting {
    boosts: bool,
    gateways: u64,
    layout: Layout,
    liars: u64,
    rate: u64,
    /// The liars' part of all traffic, in hundredths.
    share: u64,
    testers: u64,
    trick: Trick,
}

/// How far the score moved over all worlds.
#[derive(Default)]
struct Moved {
    sum: i64,
    runs: i64,
    worst: i64,
    /// Runs in which only one of the two had a score.
    lost: i64,
}

impl Moved {
    fn take(&mut self, from: Option<i64>, to: Option<i64>) {
        let (Some(from), Some(to)) = (from, to) else {
            self.lost += i64::from(from.is_some() != to.is_some());
            return;
        };
        self.sum += to - from;
        self.runs += 1;
        if (to - from).abs() > self.worst.abs() {
            self.worst = to - from;
        }
    }

    fn mean(&self) -> i64 {
        self.sum / self.runs.max(1)
    }
}

/// Measures every setting.
pub fn measure(table: &mut Table) {
    table.title(
        "Liars: how many points gateways that lie move an honest operator's score in 7 days",
        "| honest gateways / testers | liars | trick | say | traffic | honest sources see | true rate | mean, worst beside the liars not being there | mean, worst beside their telling the truth | bound 3.00 |",
    );
    for (gateways, testers) in [(1, 1), (1, 2), (2, 0), (2, 3), (4, 2), (4, 3)] {
        for layout in [Layout::Even, Layout::Double, Layout::Uneven] {
            for (liars, share) in [(1, 5), (1, 70), (5, 70)] {
                for boosts in [true, false] {
                    for rate in [900_000, 970_000, 995_000] {
                        // That linked liars are one, and small ones too, is measured at one rate.
                        if share == 70 && liars == 1 || rate == 970_000 {
                            let trick = Trick::Linked;
                            row(
                                Setting {
                                    boosts,
                                    gateways,
                                    layout,
                                    liars,
                                    rate,
                                    share,
                                    testers,
                                    trick,
                                },
                                table,
                            );
                        }
                    }
                }
            }
        }
    }
    measure_tricks(table);
}

fn measure_tricks(table: &mut Table) {
    for (gateways, testers) in [(1, 2), (2, 0), (2, 3), (4, 2)] {
        for (liars, trick) in [
            (1, Trick::NamesGateway),
            (1, Trick::NamesPayer),
            (1, Trick::NamesPayers),
            (1, Trick::Outage),
            (1, Trick::SelfDealing),
            (5, Trick::NamesGateway),
            (5, Trick::NamesPayer),
            (5, Trick::NamesPayers),
            (5, Trick::Unlinked),
        ] {
            for boosts in [true, false] {
                if boosts && trick == Trick::Outage || !boosts && trick == Trick::SelfDealing {
                    continue;
                }
                let (layout, share, rate) = (Layout::Even, 70, 970_000);
                let setting =
                    Setting { boosts, gateways, layout, liars, rate, share, testers, trick };
                row(setting, table);
            }
        }
    }
}

fn row(setting: Setting, table: &mut Table) {
    let (mut absent, mut truthful) = (Moved::default(), Moved::default());
    for run in 0..RUNS {
        let stage = set(setting);
        let mut chance = Chance::new(run + 1);
        let (alone, told) = honest_words(setting, &mut chance);
        let without = stage.score(&alone);
        let mut lying = alone.clone();
        let mut honest_liars = alone;
        add_liars(setting, told, &mut chance, &mut lying, &mut honest_liars);
        let with = stage.score(&lying);
        absent.take(without, with);
        truthful.take(stage.score(&honest_liars), with);
    }
    let trick = match setting.trick {
        Trick::Linked if setting.liars == 1 => "none",
        Trick::Linked => "linked by payer",
        Trick::Unlinked => "not linked",
        Trick::NamesGateway => "name an honest gateway as payer",
        Trick::NamesPayer => "name an honest gateway's payer",
        Trick::NamesPayers => "name all honest gateways' payers",
        Trick::Outage => "five operators fail in every block",
        Trick::SelfDealing => "pay from the operator",
    };
    let moved = |moved: &Moved| {
        let lost = match moved.lost {
            0 => String::new(),
            lost => format!(" ({lost} of {RUNS} without a score)"),
        };
        format!("{}, {}{lost}", points(moved.mean()), points(moved.worst))
    };
    let cells = [
        format!("{} / {}", setting.gateways, setting.testers),
        setting.liars.to_string(),
        trick.to_owned(),
        if setting.boosts { "all is good" } else { "all is bad" }.to_owned(),
        format!("{} %", setting.share),
        setting.layout.words().to_owned(),
        share(setting.rate),
        moved(&absent),
        moved(&truthful),
    ];
    // Several that only name a gateway which does not name them in turn are not linked, as if they had said nothing.
    let is_many =
        setting.liars > 1 && matches!(setting.trick, Trick::Unlinked | Trick::NamesGateway);
    let is_promised = !is_many
        && match setting.layout {
            Layout::Even => true,
            Layout::Double => setting.gateways + setting.testers > 2,
            Layout::Uneven => false,
        };
    let judged = if is_promised { Judged::Yes } else { Judged::Shown };
    let worst = absent.worst.abs().max(truthful.worst.abs());
    table.row(&cells, judged, worst <= BOUND && absent.lost + truthful.lost == 0);
}

fn set(setting: Setting) -> Stage {
    let mut stage = Stage::new(Span::Week);
    stage.testers = (0..setting.testers).map(tester).collect();
    if matches!(setting.trick, Trick::NamesPayer | Trick::NamesPayers) {
        (0..setting.gateways).for_each(|number| stage.pays(gateway(number), stage::payer(number)));
    }
    for number in 0..setting.liars {
        let liar = liar(number);
        match setting.trick {
            Trick::Unlinked => {}
            Trick::Linked | Trick::Outage => stage.pays(liar, stage::payer(99)),
            Trick::NamesGateway => stage.pays(liar, gateway(0)),
            Trick::NamesPayer => stage.pays(liar, stage::payer(0)),
            Trick::NamesPayers => {
                (0..setting.gateways).for_each(|of| stage.pays(liar, stage::payer(of)));
            }
            Trick::SelfDealing => stage.pays(liar, honest()),
        }
    }
    stage
}

/// What the honest ones tell, and how many jobs that is.
fn honest_words(setting: Setting, chance: &mut Chance) -> (Record, u64) {
    let (many, few) = setting.layout.jobs();
    let gateways = (0..setting.gateways).map(|number| {
        (gateway(number), if number == 0 && setting.testers == 0 { few } else { many })
    });
    let testers = (0..setting.testers).map(|number| (tester(number), few));
    let (mut record, mut told) = (Record::new(), 0);
    for (teller, jobs) in gateways.chain(testers) {
        record.insert((teller, honest()), words(jobs, setting.rate, chance));
        told += jobs;
    }
    (record, told)
}

fn add_liars(
    setting: Setting,
    told: u64,
    chance: &mut Chance,
    lying: &mut Record,
    truthful: &mut Record,
) {
    let jobs = told * setting.share / (100 - setting.share) / setting.liars;
    for number in 0..setting.liars {
        let said = if setting.boosts { 1_000_000 } else { 0 };
        let key = (liar(number), honest());
        truthful.insert(key, words(jobs, setting.rate, chance));
        if setting.trick != Trick::Outage {
            lying.insert(key, words(jobs, said, chance));
            continue;
        }
        let failed = Fate { bad: 5, ..Fate::default() };
        let everywhere: Words = (0..BLOCKS).map(|block| (block, failed)).collect();
        lying.insert(key, everywhere.clone());
        for operator in 0..4 {
            lying.insert((key.0, stage::sybil(operator)), everywhere.clone());
        }
    }
}

/// So many jobs at any time, of which about that share is good.
fn words(jobs: u64, rate: u64, chance: &mut Chance) -> Words {
    let mut words = Words::new();
    for _ in 0..jobs {
        let fate = words.entry(chance.below(BLOCKS)).or_default();
        let is_good = chance.happens(rate);
        fate.good += u64::from(is_good);
        fate.bad += u64::from(!is_good);
    }
    words
}
