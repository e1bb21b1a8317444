//! Many unauthenticated clients at one listener that reconnect when they are disconnected.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many addresses they come from; honest callers share one of them.
const ADDRESSES: usize = 8;
/// How long each waits before it comes again.
const PAUSE: Duration = Duration::from_secs(3);

/// The strangers, who are gone when this is dropped.
pub struct Crowd {
    _strangers: JoinSet<()>,
}

impl Crowd {
    /// So many strangers, each of whom says this much and no more. Waits until all have been there once.
    pub async fn gather(port: u16, count: usize, says: impl AsRef<[u8]>) -> Self {
        allow_sockets();
        let (says, came) = (Arc::<[u8]>::from(says.as_ref()), Arc::new(Semaphore::new(0)));
        let mut strangers = JoinSet::new();
        for number in 0..count {
            let (says, came) = (Arc::clone(&says), Arc::clone(&came));
            strangers.spawn(async move {
                let mut permits = 1;
                loop {
                    if visit(number, port, &says, || came.add_permits(std::mem::take(&mut permits)))
                        .await
                        .is_err()
                    {
                        // Reset, or the system has no room at the moment.
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        let all = u32::try_from(count).expect("a crowd of bounded size");
        let came = tokio::time::timeout(Duration::from_secs(60), came.acquire_many(all)).await;
        came.expect("all come within a minute").expect("a semaphore").forget();
        Self { _strangers: strangers }
    }
}

async fn visit(number: usize, port: u16, says: &[u8], came: impl FnOnce()) -> std::io::Result<()> {
    let host = u8::try_from(1 + number % ADDRESSES).expect("few addresses");
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, host], 0).into())?;
    let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    stream.write_all(says).await?;
    came();
    // Until it is closed.
    let mut answer = [0; 1_024];
    while stream.read(&mut answer).await? > 0 {}
    Ok(())
}

/// Lets this process have as many sockets as the system allows.
fn allow_sockets() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("the limit of open files can be raised to the hard one");
}
