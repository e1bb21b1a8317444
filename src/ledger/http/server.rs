//! Answers the requests of one listener: takes connections in, looks after their deadlines, and lets what is under way end.
//!
//! It speaks HTTP/1.1 alone, as Envoy does with a cluster by default.

use super::connection::Phase;
use super::connections::{ConnectionSlot, Connections};
use super::listener::{Listener, Stream};
use super::watched::Watched;
use axum::Router;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The largest head of a request, and the most of a body that is taken from the system at once, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How many connections may be there besides, whose end has been decided but not yet come.
pub const MAX_ENDING: usize = 64;
/// How often deadlines are looked at.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How long nothing is accepted when the system has no room for a connection and none could be closed.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until `stop` says so, then finishes those in flight.
pub async fn serve(
    listener: Listener,
    connections: Arc<Connections>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let sockets = Arc::new(Semaphore::new(connections.most().saturating_add(MAX_ENDING)));
    let mut tasks = JoinSet::new();
    let mut sweep = interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = stop.clone();
    loop {
        tokio::select! {
            // An error means that the sender is gone and can't stop us any more: stop as well.
            _ = stop.wait_for(|stop| *stop) => break,
            _ = sweep.tick() => connections.sweep(Instant::now()),
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            (stream, address, socket) = accept(&listener, &connections, &sockets) => {
                let phase = if stream.is_open() { Phase::Head } else { Phase::Handshake };
                if let Some(seat) = connections.admit(address, phase, Instant::now()) {
                    tasks.spawn(converse(stream, seat, router.clone(), stopping.clone(), socket));
                }
            }
        }
    }
    drop(listener);
    connections.end();
    loop {
        tokio::select! {
            ended = tasks.join_next() => if ended.is_none() { return Ok(()) },
            _ = sweep.tick() => connections.sweep(Instant::now()),
        }
    }
}

/// The next connection. It is dropped on the way only when it isn't there yet.
async fn accept(
    listener: &Listener,
    connections: &Connections,
    sockets: &Arc<Semaphore>,
) -> (Stream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Never closed, so there is always a permit in the end.
    let socket = Arc::clone(sockets).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, socket),
            // The client thought better of it.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                connections.make_room(&error, Instant::now());
                sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Answers one connection's requests until it ends or must.
async fn converse(
    stream: Stream,
    seat: ConnectionSlot,
    router: Router,
    mut stop: watch::Receiver<bool>,
    _socket: Option<OwnedSemaphorePermit>,
) {
    let (seat, router) = (Arc::new(seat), TowerToHyperService::new(router));
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&seat.connection)));
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        seat.connection.begin_answer(!request.body().is_end_stream(), Instant::now());
        request.extensions_mut().insert(Arc::clone(&seat));
        let (answer, connection) = (router.call(request), Arc::clone(&seat.connection));
        async move {
            let answer = answer.await;
            connection.turn(Phase::Answer, Phase::Idle, Instant::now());
            answer
        }
    });
    let mut http = http1::Builder::new();
    let mut conversation = pin!(http.max_buf_size(MAX_HEAD_BYTES).serve_connection(stream, service));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            () = seat.connection.must_close() => return,
            _ = conversation.as_mut() => return,
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                seat.connection.end();
                conversation.as_mut().graceful_shutdown();
                is_stopping = true;
            }
        }
    }
}
