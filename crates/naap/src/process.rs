//! The life of a process with roles: it runs until it is told to stop or a role fails, and then stops in good order.
//!
//! A role that fails ends the process: what it had acknowledged is safe, and the next start finds out the rest.

use std::future::Future;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;

/// How roles tell that they cannot go on. Clones tell the same process.
#[derive(Clone)]
pub struct Failures(mpsc::Sender<anyhow::Error>);

/// Hears of failures.
pub struct Failed(mpsc::Receiver<anyhow::Error>);

/// A pair of them.
pub fn failures() -> (Failures, Failed) {
    let (sender, receiver) = mpsc::channel(16);
    (Failures(sender), Failed(receiver))
}

impl Failures {
    /// Tells that a role cannot go on. The first to tell is heard; the process ends whatever the others say.
    pub fn tell(&self, error: anyhow::Error) {
        self.0.try_send(error).ok();
    }

    /// Runs a role beside the others and tells if it fails.
    pub fn watch(
        &self,
        role: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let failures = self.clone();
        let work = tokio::spawn(work);
        tokio::spawn(async move {
            let outcome = work.await.unwrap_or_else(|panic| Err(panic.into()));
            if let Err(error) = outcome {
                failures.tell(error.context(format!("{role} stopped")));
            }
        })
    }

    /// Runs a role on a thread of its own and tells if it fails.
    pub fn watch_thread(
        &self,
        role: &'static str,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        let failures = self.clone();
        let run = move || {
            // A thread that panics tells by leaving this behind.
            let guard = Guard { failures: failures.clone(), role, is_over: false };
            let outcome = work();
            guard.end();
            if let Err(error) = outcome {
                failures.tell(error.context(format!("{role} stopped")));
            }
        };
        std::thread::Builder::new()
            .name(role.to_owned())
            .spawn(run)
            .with_context(|| format!("cannot start {role}"))
    }
}

struct Guard {
    failures: Failures,
    is_over: bool,
    role: &'static str,
}

impl Guard {
    fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_over {
            self.failures.tell(anyhow::anyhow!("{} panicked", self.role));
        }
    }
}

impl Failed {
    /// Waits until somebody asks us to stop (then `Ok`) or a role fails. From then on a signal ends the process at once:
    /// everything on disk is as safe as after a crash.
    pub async fn or_asked(&mut self, mut signals: Signals) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            () = signals.next() => Ok(()),
            error = self.0.recv() => Err(error.unwrap_or_else(|| anyhow::anyhow!("every role is gone"))),
        };
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(130);
        });
        tracing::info!("stopping");
        outcome
    }

    /// What failed while stopping, if anything did.
    pub fn late(&mut self) -> anyhow::Result<()> {
        self.0.try_recv().map_or(Ok(()), Err)
    }
}

/// What asks a process to stop: Ctrl-C and, on Unix, SIGTERM. Until it is listened for, it ends the process.
pub struct Signals {
    #[cfg(unix)]
    terminated: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupted: tokio::signal::unix::Signal,
    #[cfg(not(unix))]
    interrupted: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// Listens from here on. To be called before anybody is told that the process is there.
    pub fn listen() -> anyhow::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let terminated = signal(SignalKind::terminate()).context("cannot hear SIGTERM")?;
            let interrupted = signal(SignalKind::interrupt()).context("cannot hear Ctrl-C")?;
            Ok(Self { terminated, interrupted })
        }
        #[cfg(not(unix))]
        Ok(Self { interrupted: tokio::signal::windows::ctrl_c().context("cannot hear Ctrl-C")? })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
        #[cfg(not(unix))]
        self.interrupted.recv().await;
    }
}

/// When stopping has to be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// What the last stages of stopping get when the first ones took all the time.
const LEAST: Duration = Duration::from_millis(200);

impl Deadline {
    /// So long from now.
    pub fn after(stop_ms: u64) -> Self {
        Self(Instant::now() + Duration::from_millis(stop_ms))
    }

    /// The time that is left.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).max(LEAST)
    }

    /// Waits for a role that is stopping, as long as there is time.
    pub async fn within(self, role: &'static str, work: impl Future<Output = ()>) {
        if tokio::time::timeout(self.left(), work).await.is_err() {
            tracing::warn!(role, "did not stop in time; the next start goes on from there");
        }
    }

    /// Waits for the tasks of a role that is stopping. What they have to tell they told.
    pub async fn join(
        self,
        role: &'static str,
        tasks: impl IntoIterator<Item = tokio::task::JoinHandle<()>>,
    ) {
        self.within(role, async {
            for task in tasks {
                task.await.ok();
            }
        })
        .await;
    }
}

/// Runs the roles of a process. What does not end with them is left behind: all of it survives a crash.
pub fn run(roles: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(roles);
    runtime.shutdown_timeout(LEAST);
    outcome
}
