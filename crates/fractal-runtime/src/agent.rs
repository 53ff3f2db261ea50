//! What an agent's crate adds to its platform: a name, flags, and how it connects.

use std::future::Future;
use std::sync::Arc;

use fractal_core::Fault;
use fractal_core::reconcile::Platform;
use fractal_registry::{CredentialSource, Options};

/// A platform that is served by a binary of its own.
pub trait Agent: Platform {
    /// The binary's name: also its name in logs, metrics and presences.
    const NAME: &'static str;
    /// One line for `--help`.
    const ABOUT: &'static str;
    /// Its own flags, beside those every agent has.
    type Args: clap::Args + Clone + Send + Sync;

    /// Finds credentials and makes clients. Called again, with backoff, while it fails for a reason that may pass.
    ///
    /// `registry` says how registries are reached, for logins that go over the registry itself.
    ///
    /// # Errors
    /// Where the agent cannot work: the fault says what to set.
    fn connect(
        args: &Self::Args,
        registry: &Options,
    ) -> impl Future<Output = Result<Connected<Self>, Fault>> + Send;
}

/// A platform ready to work.
pub struct Connected<P: Platform> {
    /// The platform.
    pub platform: P,
    /// Its static settings.
    pub config: P::Config,
    /// How registries of its own cloud are logged in to; `None` where it has no way of its own.
    pub credentials: Option<Arc<dyn CredentialSource>>,
}
