//! A connection whose peer must keep taking what is written. It never looks at what that is.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::serve::BYTES_PER_S_MIN;

/// A stream with a peer that has only so much time to spend on taking nothing.
///
/// The time is spent while something waits to be written, and earned back by what is taken, at [`BYTES_PER_S_MIN`]: so
/// neither a peer that takes nothing holds the connection for longer than that, nor one that takes a little now and then.
pub struct Paced<S> {
    /// What is left to spend.
    left: Duration,
    stall: Duration,
    stream: S,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    /// A stream whose peer may take nothing for this long.
    pub fn new(stream: S, stall: Duration) -> Self {
        Self { left: stall, stall, stream, waiting: None }
    }

    /// Passes on an outcome of writing; a wait that is too long becomes an error.
    fn pace<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(outcome) = outcome {
            if let Some((since, _)) = self.waiting.take() {
                self.left = self.left.saturating_sub(since.elapsed());
            }
            let bytes = outcome.as_ref().map_or(0, taken);
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let earned = Duration::from_secs(1).saturating_mul(bytes) / BYTES_PER_S_MIN;
            self.left = self.left.saturating_add(earned).min(self.stall);
            return Poll::Ready(outcome);
        }
        let left = self.left;
        let begin = || (Instant::now(), Box::pin(tokio::time::sleep(left)));
        let (_, waiting) = self.waiting.get_or_insert_with(begin);
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too little")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = pin!(&mut self.stream).poll_write(context, bytes);
        self.pace(context, outcome, |taken| *taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = pin!(&mut self.stream).poll_write_vectored(context, slices);
        self.pace(context, outcome, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = pin!(&mut self.stream).poll_flush(context);
        self.pace(context, outcome, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// How long a peer holds a connection that takes so many bytes of an answer each second, and what it got.
    async fn held(bytes_per_s: usize, answer: usize) -> (Duration, usize, io::Result<()>) {
        let (ours, mut theirs) = tokio::io::duplex(256);
        let began = Instant::now();
        let peer = tokio::spawn(async move {
            let (mut chunk, mut got) = (vec![0; bytes_per_s], 0);
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match theirs.read_exact(&mut chunk).await {
                    Ok(count) => got += count,
                    Err(_) => return got,
                }
            }
        });
        let mut ours = Paced::new(ours, Duration::from_secs(30));
        let outcome = ours.write_all(&vec![b'x'; answer]).await;
        let held = began.elapsed();
        drop(ours);
        (held, peer.await.unwrap(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_holds_a_connection_hardly_longer_than_silence() {
        let (time, got, outcome) = held(64, 1_000_000).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(time >= Duration::from_secs(30) && time < Duration::from_secs(35), "{time:?}");
        assert!(got > 1_000, "it took some: {got}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_gets_all_of_a_long_answer() {
        let (time, got, outcome) = held(4_096, 1_000_000).await;
        outcome.unwrap();
        assert!(got > 990_000 && time > Duration::from_secs(200), "{got} in {time:?}");
    }
}
