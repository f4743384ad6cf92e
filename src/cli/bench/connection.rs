//! One connection: takes a message, sends it, looks at the answer, and takes the next.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::answer;
use super::engine::{Run, Site};
use super::failure::Failure;
use super::load::{Load, Turn};
use super::request::Message;
use super::target::Wire;

/// Enough for any answer, so that one read takes it whole.
const BUFFER: usize = 8 * 1024;
/// After an attempt to connect that failed. Others go on meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that is opened again when it is lost.
pub struct Connection {
    line: Line,
    deadline: Deadline,
}

struct Line {
    site: Arc<Site>,
    wire: Option<Box<dyn Wire>>,
    message: Message,
    answer: Vec<u8>,
}

impl Connection {
    /// Opens it.
    pub async fn open(site: Arc<Site>) -> Result<Self, Failure> {
        let mut deadline = Deadline::new(site.patience);
        let answer = Vec::with_capacity(BUFFER);
        let mut line = Line { site, wire: None, message: Message::default(), answer };
        deadline.within(Instant::now(), line.open()).await?;
        Ok(Self { line, deadline })
    }

    /// Sends messages until there are no more.
    pub async fn serve(mut self, run: Arc<Run>) {
        let mut free = Instant::now();
        while let Some(turn) = self.wait(&run.load).await {
            let outcome = self.deadline.within(turn.taken, self.line.exchange(turn.index)).await;
            let ended = Instant::now();
            if let Err(failure) = &outcome
                && !failure.left_connection_usable()
            {
                self.line.wire = None;
            }
            let is_unreachable = matches!(outcome, Err(Failure::Unreachable(_)));
            run.add(&turn, free, ended, outcome);
            free = ended;
            if is_unreachable {
                sleep(PAUSE).await;
                free = Instant::now();
            }
        }
    }

    /// Waits for a message. A connection that the other side closes meanwhile is opened again at once, so that no
    /// message has to wait for that.
    async fn wait(&mut self, load: &Load) -> Option<Turn> {
        let mut next = pin!(load.next());
        let mut was_reopened = false;
        loop {
            let turn = poll_fn(|context| {
                if let Poll::Ready(turn) = next.as_mut().poll(context) {
                    return Poll::Ready(Some(turn));
                }
                let Some(wire) = &mut self.line.wire else { return Poll::Pending };
                let mut byte = [0];
                match Pin::new(wire).poll_read(context, &mut ReadBuf::new(&mut byte)) {
                    // Nothing was asked for, so this is the end, or nonsense.
                    Poll::Ready(_) => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(turn) = turn.await {
                return turn;
            }
            self.line.wire = None;
            // Once only: some close every connection at once.
            if !was_reopened {
                was_reopened = true;
                // A failure will show when the next message is sent.
                let _ = self.deadline.within(Instant::now(), self.line.open()).await;
            }
        }
    }
}

impl Line {
    async fn open(&mut self) -> Result<(), Failure> {
        let wire = self.site.target.dial().await.map_err(|error| Failure::unreachable(&error))?;
        self.wire = Some(wire);
        Ok(())
    }

    /// Sends the message with this number, once, and checks its answer.
    async fn exchange(&mut self, index: u64) -> Result<(), Failure> {
        if self.wire.is_none() {
            self.open().await?;
        }
        let Some(wire) = &mut self.wire else { return Err(Failure::Closed) };
        let broken = |error: std::io::Error| Failure::broken(&error);
        self.site.template.fill(index, &mut self.message);
        wire.write_all(&self.message.bytes).await.map_err(broken)?;
        wire.flush().await.map_err(broken)?;
        self.answer.clear();
        let mut is_end = false;
        let answer = loop {
            if !is_end {
                is_end = wire.read_buf(&mut self.answer).await.map_err(broken)? == 0;
            }
            if let Some(answer) = answer::parse(&self.answer, is_end)? {
                break answer;
            }
        };
        let checked = answer::check(&answer, &self.message.to);
        if !answer.keeps_connection {
            self.wire = None;
        }
        checked
    }
}

/// How long something may take. Its timer is set for an early message and only moved when it rings: to set it for each
/// would cost more than all else here.
struct Deadline {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep(Duration::ZERO)) }
    }

    async fn within(
        &mut self,
        start: Instant,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let end = start + self.limit;
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            while self.timer.as_mut().poll(context).is_ready() {
                if Instant::now() >= end {
                    return Poll::Ready(Err(Failure::TimedOut(self.limit)));
                }
                self.timer.as_mut().reset(end.into());
            }
            Poll::Pending
        })
        .await
    }
}
