//! Pages that follow what happens: a part of an open page, written again every [`EVERY`] and sent when it has changed, as server-sent
//! events.
//!
//! What must hold: a stream ends with the operator's session, when the browser goes away, when the ledger shuts down and after
//! [`STREAM_LIFE`] at the latest; and looking isn't using: it doesn't make a session last longer.

use super::session;
use super::state::Console;
use super::streams::Place;
use super::trouble::Trouble;
use super::visit::Visit;
use super::{account, overview};
use crate::http::codes::Code;
use crate::http::problem::Failure;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as HttpBody, Frame};
use jiff::Timestamp;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a part is written again.
const EVERY: Duration = Duration::from_secs(2);
/// What takes long to write is written less often: after so many times as long as it took.
const REST: u32 = 20;
/// How long nothing is sent at most: so it is noticed that a browser has gone away.
const QUIET: Duration = Duration::from_secs(15);
/// How long a stream lasts; the browser comes again.
const STREAM_LIFE: Duration = Duration::from_mins(10);
/// In how many milliseconds a browser comes again.
const RETRY: &str = "retry: 5000\n\n";
/// Says that there is nothing more to come.
const END: &str = "event: end\ndata:\n\n";

/// Which part of which page.
enum Part {
    Overview,
    Account(String),
}

impl Part {
    async fn write(&self, console: &Console, visit: &Visit) -> Result<String, Trouble> {
        match self {
            Self::Overview => Ok(overview::part(console, visit).await?.to_string()),
            Self::Account(id) => Ok(account::part(console, visit, id).await?.to_string()),
        }
    }
}

/// The overview's figures.
pub async fn overview(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    begin(console, visit, Part::Overview).await
}

/// An account's balance and usage.
pub async fn account(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    begin(console, visit, Part::Account(id)).await
}

async fn begin(console: Arc<Console>, visit: Visit, part: Part) -> Result<Response, Trouble> {
    let Some(place) = console.streams.enter(visit.session.hash()) else {
        let why = "too many pages follow what happens; close some, or load this one again to see what is new";
        return Err(Failure::new(Code::Overloaded, why).into());
    };
    // What can't be shown at all is said at once.
    let first = part.write(&console, &visit).await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(follow(console, visit, part, first, sender, place));
    let type_ = [(CONTENT_TYPE, "text/event-stream")];
    Ok((type_, Body::new(Stream(receiver))).into_response())
}

/// Sends a part whenever it has changed.
async fn follow(
    console: Arc<Console>,
    visit: Visit,
    part: Part,
    first: String,
    sender: mpsc::Sender<Bytes>,
    _place: Place,
) {
    let end = Instant::now() + STREAM_LIFE;
    let mut stop = console.stop();
    let mut pause = EVERY;
    let sending = async {
        sender.send((RETRY.to_owned() + &event(&first)).into()).await.ok()?;
        let (mut sent, mut spoke) = (first, Instant::now());
        loop {
            sleep(pause).await;
            if !is_signed_in(&console, &visit).await {
                return sender.send(Bytes::from_static(END.as_bytes())).await.ok();
            }
            let began = Instant::now();
            // What can't be read now may be read the next time.
            let text = part.write(&console, &visit).await.unwrap_or_else(|_| sent.clone());
            pause = EVERY.max(began.elapsed().saturating_mul(REST));
            if text != sent {
                sender.send(event(&text).into()).await.ok()?;
                (sent, spoke) = (text, Instant::now());
            } else if spoke.elapsed() >= QUIET {
                sender.send(Bytes::from_static(b":\n\n")).await.ok()?;
                spoke = Instant::now();
            }
        }
    };
    tokio::select! {
        _ = timeout_at(end, Box::pin(sending)) => {}
        () = sender.closed() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn is_signed_in(console: &Console, visit: &Visit) -> bool {
    let owner = session::owner(console, &visit.session, Timestamp::now()).await;
    matches!(owner, Ok(Some(_)))
}

/// A part as an event: each of its lines is a line of data.
fn event(text: &str) -> String {
    let lines = text.lines().map(|line| format!("data: {line}\n"));
    format!("event: part\n{}\n", lines.collect::<String>())
}

/// What was sent, as a body.
struct Stream(mpsc::Receiver<Bytes>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_part_is_data() {
        assert_eq!(event("<p>a</p>\r\n<p>b</p>"), "event: part\ndata: <p>a</p>\ndata: <p>b</p>\n\n");
    }
}
