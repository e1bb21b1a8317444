//! Which requests get to their handler: those that show a token that may do it, and whose body then fits into memory.
//!
//! What must hold: nothing of a body is read before the token is known, and all bodies together never take more
//! than [`MAX_BODIES_BYTES`] of a listener.

use super::app::App;
use super::auth::{self, Access, Caller};
use super::connections::ConnectionSlot;
use super::denial::Denial;
use super::forwarded::client;
use crate::command::trail::Origin;
use crate::domain::access::{AccessScope, TokenKind};
use crate::metrics::ListenerName;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The most bytes that all bodies of a listener may take together, from their arrival until they are answered.
pub const MAX_BODIES_BYTES: usize = 64 << 20;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a body waits for others to make room.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// How much of a body that is too large is read and thrown away, and how long that may take.
const IGNORED_BYTES: usize = 1 << 20;
const IGNORED_PATIENCE: Duration = Duration::from_secs(1);

/// What a listener's requests must show, and how much they may bring.
#[derive(Debug)]
pub struct ListenerGuard {
    app: Arc<App>,
    door: Door,
    most: usize,
    cure: &'static str,
    room: Arc<Semaphore>,
}

/// Which API a listener serves.
#[derive(Debug)]
pub enum Door {
    /// The gateway API.
    Gateway,
    /// The admin API, in which each route needs a scope.
    Admin(Scopes),
}

impl Door {
    fn name(&self) -> &'static str {
        match self {
            Self::Gateway => ListenerName::Gateway.as_str(),
            Self::Admin(_) => ListenerName::Admin.as_str(),
        }
    }
}

/// Why a request doesn't get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its token doesn't let it in to this listener.
    Unauthorized(&'static str, Denial),
    /// Its token's scope is this, and it needs that.
    Scope(AccessScope, AccessScope),
    /// Its body is larger than this; the cure.
    TooLarge(usize, &'static str),
    /// Its body doesn't arrive.
    TooSlow,
    /// Other bodies have filled the memory.
    NoRoom,
    /// Its body ends or is encoded in no way that HTTP knows.
    Unreadable(String),
}

impl ListenerGuard {
    /// One for this listener; `cure` says what to do about a body of more than `most` bytes.
    pub fn new(app: Arc<App>, door: Door, most: usize, cure: &'static str) -> Arc<Self> {
        Arc::new(Self { app, door, most, cure, room: Arc::new(Semaphore::new(MAX_BODIES_BYTES)) })
    }

    /// Finds out who asks, and whether that is allowed. Who asks is noted at the request.
    fn authenticate(&self, request: &mut Request, seat: Option<&ConnectionSlot>) -> Result<(), Refused> {
        let (app, peer) = (&self.app, seat.map(|seat| seat.connection.address));
        let (kind, Access { tokens, denials }) = match self.door {
            Door::Gateway => (TokenKind::Gateway, &app.gateway_access),
            Door::Admin(_) => (TokenKind::Operator, &app.admin_access),
        };
        let known = app.store.known_tokens();
        let caller = auth::caller(request.headers(), kind, tokens, known, Timestamp::now());
        let caller = caller.map_err(|(why, whose)| {
            denials.note(why, peer, whose.as_ref());
            Refused::Unauthorized(self.door.name(), why)
        })?;
        if let Door::Admin(route) = self.door {
            authorize(app, request, &caller, route)?;
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }

    async fn read(&self, body: Body) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refused> {
        let too_large = || Refused::TooLarge(self.most, self.cure);
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if expected > self.most {
            if expected <= IGNORED_BYTES {
                ignore(body).await;
            }
            return Err(too_large());
        }
        let reading = self.read_all(body, expected);
        match timeout(BODY_PATIENCE, reading).await {
            Ok(read) => read?.ok_or_else(too_large),
            Err(_) => Err(Refused::TooSlow),
        }
    }

    /// The whole body and its share of the room; `None` when it is too large.
    async fn read_all(
        &self,
        mut body: Body,
        expected: usize,
    ) -> Result<Option<(Bytes, Option<OwnedSemaphorePermit>)>, Refused> {
        let (mut bytes, mut share) = (Vec::with_capacity(expected), None::<OwnedSemaphorePermit>);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|error| Refused::Unreadable(error.to_string()))?;
            // Trailers say nothing here.
            let Ok(chunk) = frame.into_data() else { continue };
            if chunk.len() > self.most.saturating_sub(bytes.len()) {
                ignore(body).await;
                return Ok(None);
            }
            let more = self.take_room(chunk.len()).await?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some((bytes.into(), share)))
    }

    async fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        let bytes = u32::try_from(bytes).map_err(|_| Refused::NoRoom)?;
        let room = Arc::clone(&self.room).acquire_many_owned(bytes);
        timeout(ROOM_PATIENCE, room).await.ok().and_then(Result::ok).ok_or(Refused::NoRoom)
    }
}

/// Reads the rest of a body that is too large. Else its sender, which is still writing when the connection ends, might not hear why.
async fn ignore(mut body: Body) {
    let mut left = IGNORED_BYTES;
    let reading = async {
        while left > 0
            && let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
        {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    // What is still to come after that is cut off.
    let _ = timeout(IGNORED_PATIENCE, reading).await;
}

/// What requests of the admin API are called, and which scope each needs.
pub type Scopes = fn(&Method, &str) -> (String, AccessScope);

/// Lets an operator do what the route of a request does, if the scope includes it. Whose it is is noted at the request.
pub fn authorize(app: &App, request: &mut Request, caller: &Caller, route: Scopes) -> Result<(), Refused> {
    let peer = request.extensions().get::<Arc<ConnectionSlot>>().map(|seat| seat.connection.address);
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let (command, needs) = route(request.method(), path);
    let has = caller.scope().unwrap_or(AccessScope::Read);
    if has < needs {
        app.admin_access.denials.note(Denial::Scope, peer, Some(caller));
        return Err(Refused::Scope(has, needs));
    }
    let peer = client(request.headers(), peer.map(|peer| peer.ip()), app.trusted_proxies);
    let (operator, token) = (caller.name().to_owned(), caller.shown());
    request.extensions_mut().insert(Origin { operator, token, peer, command });
    Ok(())
}

/// Lets a request in, or says as `F` does why not.
pub async fn admit<F: From<Refused>>(
    State(door): State<Arc<ListenerGuard>>,
    mut request: Request,
    next: Next,
) -> Result<Response, F> {
    let seat = request.extensions().get::<Arc<ConnectionSlot>>().cloned();
    door.authenticate(&mut request, seat.as_deref())?;
    if let Some(seat) = &seat {
        seat.trust();
    }
    let (head, body) = request.into_parts();
    let (bytes, share) = door.read(body).await?;
    if let Some(seat) = &seat {
        seat.connection.body_read();
    }
    let answer = next.run(Request::from_parts(head, Body::from(bytes))).await;
    drop(share);
    Ok(answer)
}
