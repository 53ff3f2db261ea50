//! A registry on loopback that lies at the byte level: raw HTTP/1.1 of its own, over TLS where it is told to, with a ledger of all it saw.
//!
//! Honest, it serves what is on its [`Shelf`]. Each lie is a value ([`Lie`]) that it can be told at any moment, so that a test first deploys
//! what is good and then sees what becomes of it; a script ([`Liar::scripted`]) says what no lie says. In another crate's tests:
//!
//! ```no_run
//! # async fn example() {
//! use fractal_testkit::liar::{Liar, Lie};
//!
//! let liar = Liar::stocked().await;
//! let good = liar.reference("shop/zip:1"); // pull it: it is what it says
//! liar.tell(Lie::EndlessManifest);         // and from now on nothing ends
//! assert_eq!(liar.seen().iter().filter(|request| request.authorization().is_some()).count(), 0);
//! # drop(good);
//! # }
//! ```
//!
//! It judges nothing: what a client should do about a lie is the test's to say.

mod identity;
mod ledger;
mod lie;
mod reply;
mod samples;
mod serve;
mod shelf;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use fractal_core::artifact::Reference;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use identity::{Authority, ServerIdentity};
pub use ledger::{Request, Traffic};
pub use lie::{Gone, Lie, Part};
pub use reply::{Reply, Then};
pub use samples::{bundle, function_zip, wheel};
pub use shelf::Shelf;

use ledger::Ledger;
use lie::Told;

/// What answers a request: the request, and how many came before it.
type Script = Arc<dyn Fn(&Request, usize) -> Reply + Send + Sync>;

/// A registry that can lie. It is gone, with its connections, when dropped.
pub struct Liar {
    address: SocketAddr,
    https: bool,
    script: Arc<Mutex<Script>>,
    shelf: Arc<Mutex<Shelf>>,
    ledger: Arc<Ledger>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Liar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Liar")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Liar {
    /// An honest registry with [`Shelf::stocked`] on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn stocked() -> Self {
        Self::holding(Shelf::stocked()).await
    }

    /// An honest registry of what is on `shelf`, on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn holding(shelf: Shelf) -> Self {
        let liar = Self::begin(loopback().await, None, shelf);
        liar.tell(Lie::None);
        liar
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When no port can be had, or the certificate cannot be used.
    pub async fn over_tls(shelf: Shelf, identity: &ServerIdentity) -> Self {
        let liar = Self::begin(loopback().await, Some(identity.acceptor()), shelf);
        liar.tell(Lie::None);
        liar
    }

    /// Answers every request with `script(request, how many came before)`.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn scripted(
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::on(loopback().await, script)
    }

    /// The same on a port that the caller has.
    ///
    /// # Panics
    /// When the listener has no address.
    pub fn on(
        listener: TcpListener,
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let liar = Self::begin(listener, None, Shelf::default());
        liar.answer_with(Arc::new(script));
        liar
    }

    fn begin(listener: TcpListener, tls: Option<TlsAcceptor>, shelf: Shelf) -> Self {
        let silent: Script = Arc::new(|_, _| Reply::new(503));
        let script = Arc::new(Mutex::new(silent));
        let ledger = Arc::new(Ledger::default());
        let https = tls.is_some();
        #[expect(
            clippy::expect_used,
            reason = "a listener without an address serves nobody"
        )]
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(serve::accept(listener, tls, script.clone(), ledger.clone()));
        Self {
            address,
            https,
            script,
            shelf: Arc::new(Mutex::new(shelf)),
            ledger,
            task,
        }
    }

    /// Tells it what to lie about from now on; [`Lie::None`] makes it honest again.
    pub fn tell(&self, lie: Lie) {
        let told = Told::new(lie, self.url());
        let shelf = self.shelf.clone();
        self.answer_with(Arc::new(move |request, _| {
            told.answer(
                &mut shelf.lock().unwrap_or_else(PoisonError::into_inner),
                request,
            )
        }));
    }

    fn answer_with(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// What it holds, to put more there.
    pub fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`, or `https://` over TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A reference to something on it.
    ///
    /// # Panics
    /// When `rest` is no repository with a tag or digest.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the caller's own text is no reference")]
    pub fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address)
            .parse()
            .expect("a repository with a tag or digest")
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        self.ledger.seen()
    }

    /// Method and target of every request so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Request::line).collect()
    }

    /// Connections and bytes so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.ledger.traffic()
    }
}

#[expect(clippy::expect_used, reason = "without a port there is no test")]
async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port on loopback")
}
