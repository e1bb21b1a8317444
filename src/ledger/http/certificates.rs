//! The certificates in use, which follow their files.
//!
//! What must hold: a file that is broken, or half of a pair that is being replaced, never takes the place of
//! what works. Connections that are open stay as they are; new ones get what is newest.

use super::tls::{Contents, TlsError, TlsFiles};
use crate::metrics::Metrics;
use rustls::ServerConfig;
use std::sync::{Arc, PoisonError, RwLock};

/// The certificates of one listener.
#[derive(Debug)]
pub struct Certificates {
    name: &'static str,
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
    metrics: Arc<Metrics>,
}

/// What was last seen of the files: a digest, or why they couldn't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A digest of their contents.
    Digest([u8; 32]),
    /// The reason.
    Unread(TlsError),
}

impl Certificates {
    /// Reads them for the listener of this name. They must be good.
    pub async fn load(
        name: &'static str,
        files: TlsFiles,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<(Arc<Self>, Seen)> {
        let contents = contents_of(&files).await?;
        let (config, until) = files.configuration(&contents)?;
        let clients = if files.client_ca.is_some() { "must show a certificate" } else { "need none" };
        tracing::info!(listener = name, valid_until = %until, clients, "speaking TLS");
        metrics.certificate_expires(name, until);
        let current = RwLock::new(Arc::new(config));
        Ok((Arc::new(Self { name, files, current, metrics }), Seen::Digest(contents.digest())))
    }

    /// What a new connection gets.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files again, and takes what has changed into use if it is good. The two files of a pair are
    /// seldom replaced in one instant, so what is broken is given until the next look. `before` is what
    /// was dealt with, `suspect` what was broken at the last look; both are brought up to date.
    pub async fn look(&self, before: &mut Seen, suspect: &mut Option<Seen>) {
        let outcome = match contents_of(&self.files).await {
            Ok(contents) => (Seen::Digest(contents.digest()), Ok(contents)),
            Err(error) => (Seen::Unread(error.clone()), Err(error)),
        };
        let (seen, contents) = outcome;
        if seen == *before {
            *suspect = None;
            return;
        }
        match contents.and_then(|contents| self.files.configuration(&contents)) {
            Ok((config, until)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                self.metrics.certificate_expires(self.name, until);
                tracing::info!(listener = self.name, valid_until = %until, "new certificates are in use");
            }
            Err(_) if suspect.as_ref() != Some(&seen) => {
                *suspect = Some(seen);
                return;
            }
            Err(error) => {
                tracing::error!(listener = self.name, %error, "new certificates can't be used; the old ones stay in use");
            }
        }
        (*before, *suspect) = (seen, None);
    }
}

async fn contents_of(files: &TlsFiles) -> Result<Contents, TlsError> {
    let files = files.clone();
    let reading = tokio::task::spawn_blocking(move || files.read()).await;
    // A reader that was lost has panicked, and that it can't.
    reading.unwrap_or_else(|lost| Err(TlsError::lost(&lost)))
}
