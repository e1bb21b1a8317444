//! A plain HTTP/1.1 service on loopback that is as quick as can be: it reads a head and writes one answer.
//! It is the API behind Envoy where nginx isn't installed, and the service that ext_authz asks, which speaks gRPC too.

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"served\":true}";

/// Starts the API; its port.
pub async fn start() -> u16 {
    serve(|_| ()).await
}

/// Starts a service as a naive design would have it: it takes one credit off the caller's balance per call.
pub async fn start_authz() -> u16 {
    let balances: Arc<Mutex<HashMap<Vec<u8>, i64>>> = Arc::default();
    serve(move |head| {
        let key = head.windows(11).position(|window| window == b"x-api-key: ").unwrap_or(0);
        let key = head[key..].split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut balances = balances.lock().expect("not poisoned");
        if let Some(balance) = balances.get_mut(key) {
            *balance -= 1;
        } else {
            balances.insert(key.to_vec(), i64::MAX);
        }
    })
    .await
}

/// Starts a service over gRPC that agrees to every request and does nothing else.
pub async fn start_grpc_authz() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    // The question is read to its end: else its stream would be reset, and Envoy ends a connection with too many resets.
    let agree = async |_: Bytes| ([("content-type", "application/grpc")], Body::new(Agreed::Message));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(agree)).await });
    port
}

/// What is left of an answer over gRPC: an empty message, which agrees, and the status behind it.
enum Agreed {
    Message,
    Status,
    Nothing,
}

impl HttpBody for Agreed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (frame, rest) = match *self {
            Self::Message => (Frame::data(Bytes::from_static(&[0; 5])), Self::Status),
            Self::Status => {
                let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
                (Frame::trailers(HeaderMap::from_iter([status])), Self::Nothing)
            }
            Self::Nothing => return Poll::Ready(None),
        };
        *self = rest;
        Poll::Ready(Some(Ok(frame)))
    }
}

async fn serve(each: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let _ = connection.set_nodelay(true);
            tokio::spawn(answer(connection, each.clone()));
        }
    });
    port
}

async fn answer(mut connection: TcpStream, each: impl Fn(&[u8])) {
    let mut bytes = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        match connection.read(&mut bytes[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => filled += count,
        }
        while let Some(end) = bytes[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            each(&bytes[..end]);
            if connection.write_all(ANSWER).await.is_err() {
                return;
            }
            bytes.copy_within(end + 4..filled, 0);
            filled -= end + 4;
        }
        if filled == bytes.len() {
            return;
        }
    }
}
