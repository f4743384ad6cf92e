//! One connection: takes a message, sends it, looks at the answer, and takes the next.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::check::check;
use super::failure::Failure;
use super::load::{Load, Turn};
use super::request::Message;
use super::run::{Run, Site};
use crate::http1::ResponseReader;
use crate::net::Stream;

/// Enough for any response, so that one read takes it whole.
const BUFFER: usize = 8 * 1024;
/// The largest body of a response; those to messages have a few hundred bytes.
const MAX_BODY: usize = 1 << 20;
/// After an attempt to connect that failed. Others go on meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that is opened again when it is lost.
pub struct Connection {
    transport: Transport,
    deadline: Deadline,
}

struct Transport {
    site: Arc<Site>,
    stream: Option<Stream>,
    message: Message,
    incoming: Vec<u8>,
    /// The body of the last response.
    body: Vec<u8>,
}

impl Connection {
    /// Opens it.
    pub async fn open(site: Arc<Site>) -> Result<Self, Failure> {
        let mut deadline = Deadline::new(site.timeout);
        let incoming = Vec::with_capacity(BUFFER);
        let mut transport =
            Transport { site, stream: None, message: Message::default(), incoming, body: Vec::new() };
        deadline.within(Instant::now(), transport.open()).await?;
        Ok(Self { transport, deadline })
    }

    /// Sends messages until there are no more.
    pub async fn serve(mut self, run: Arc<Run>) {
        let mut free = Instant::now();
        while let Some(turn) = self.wait(&run.load).await {
            let outcome = self.deadline.within(turn.taken, self.transport.exchange(turn.index)).await;
            let ended = Instant::now();
            if let Err(failure) = &outcome
                && !failure.left_connection_usable()
            {
                self.transport.stream = None;
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
                let Some(stream) = &mut self.transport.stream else { return Poll::Pending };
                let mut byte = [0];
                match Pin::new(stream).poll_read(context, &mut ReadBuf::new(&mut byte)) {
                    // Nothing was asked for, so this is the end, or nonsense.
                    Poll::Ready(_) => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(turn) = turn.await {
                return turn;
            }
            self.transport.stream = None;
            // Once only: some close every connection at once.
            if !was_reopened {
                was_reopened = true;
                // A failure will show when the next message is sent.
                let _ = self.deadline.within(Instant::now(), self.transport.open()).await;
            }
        }
    }
}

impl Transport {
    async fn open(&mut self) -> Result<(), Failure> {
        let stream = self.site.target.dial().await.map_err(|error| Failure::unreachable(&error))?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Sends the message with this number, once, and checks the response.
    async fn exchange(&mut self, index: u64) -> Result<(), Failure> {
        if self.stream.is_none() {
            self.open().await?;
        }
        let Some(stream) = &mut self.stream else { return Err(Failure::Closed) };
        let broken = |error: std::io::Error| Failure::broken(&error);
        self.site.template.fill(index, &mut self.message);
        stream.write_all(&self.message.bytes).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut reader = ResponseReader::with_buffer(MAX_BODY, mem::take(&mut self.body));
        let response = loop {
            self.incoming.clear();
            let is_end = stream.read_buf(&mut self.incoming).await.map_err(broken)? == 0;
            let read = if is_end { reader.end().map(Some) } else { reader.read(&self.incoming) };
            if let Some(response) = read.map_err(|error| Failure::unreadable(&error))? {
                break response;
            }
        };
        let checked = check(response.status.as_u16(), &response.body, &self.message.to);
        self.body = response.body;
        if !response.keeps_connection {
            self.stream = None;
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
