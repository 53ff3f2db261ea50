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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use fractal_core::artifact::Digest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::{Gone, Liar, Lie, Part, Then};

    /// What comes back on a connection of its own, up to so many bytes.
    async fn ask(liar: &Liar, line: &str, headers: &str, most: usize) -> Vec<u8> {
        let mut stream = TcpStream::connect(liar.host()).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: liar\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        while answer.len() < most && stream.read_buf(&mut answer).await.unwrap() > 0 {}
        answer
    }

    async fn get(liar: &Liar, target: &str) -> (String, Vec<u8>) {
        let answer = ask(liar, &format!("GET {target}"), "", usize::MAX).await;
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        (head, answer[end + 4..].to_vec())
    }

    #[tokio::test]
    async fn honest_it_has_what_its_manifests_name() {
        let liar = Liar::stocked().await;
        for kind in ["zip", "wheel", "image", "index", "bundle", "either"] {
            let (head, body) = get(&liar, &format!("/v2/shop/{kind}/manifests/1")).await;
            assert!(head.starts_with("HTTP/1.1 200"), "{kind}: {head}");
            assert!(head.contains(Digest::sha256(&body).as_str()), "{kind}");
            let manifest: serde_json::Value = serde_json::from_slice(&body).unwrap();
            for layer in manifest["layers"].as_array().into_iter().flatten() {
                let digest = layer["digest"].as_str().unwrap();
                let (_, blob) = get(&liar, &format!("/v2/shop/{kind}/blobs/{digest}")).await;
                assert_eq!(Digest::sha256(&blob).as_str(), digest, "{kind}");
                assert_eq!(layer["size"], blob.len(), "{kind}");
            }
        }
        let (head, _) = get(&liar, "/v2/shop/zip/manifests/9").await;
        assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    }

    #[tokio::test]
    async fn the_ledger_has_every_request_and_what_was_shown() {
        let liar = Liar::stocked().await;
        ask(
            &liar,
            "HEAD /v2/?x=1",
            "Authorization: Basic abc\r\n",
            99_999,
        )
        .await;
        ask(&liar, "GET /v2/", "", 99_999).await;
        let seen = liar.seen();
        assert_eq!(liar.lines(), ["HEAD /v2/?x=1", "GET /v2/"]);
        assert_eq!(
            (seen[0].authorization(), seen[1].authorization()),
            (Some("Basic abc"), None)
        );
        assert_eq!(seen[0].path(), "/v2/");
        assert_eq!(liar.traffic().connections, 2);
        assert!(liar.traffic().sent > 0);
    }

    #[tokio::test]
    async fn what_has_no_end_ends_with_the_client() {
        let liar = Liar::stocked().await;
        liar.tell(Lie::EndlessManifest);
        let line = "GET /v2/shop/zip/manifests/1";
        let answer = ask(&liar, line, "", 1 << 20).await;
        assert!(answer.len() >= 1 << 20);
        let began = Instant::now();
        while liar.traffic().open > 0 {
            assert!(began.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn each_lie_is_about_what_it_says() {
        let liar = Liar::stocked().await;
        let blob = {
            let shelf = liar.shelf();
            let digest = shelf.bytes.keys().next().unwrap().clone();
            let of = shelf.blobs.iter().find(|(_, one)| *one == digest).unwrap();
            format!("/v2/{}/blobs/{digest}", of.0)
        };
        let manifest = "/v2/shop/zip/manifests/1".to_owned();
        let to = "http://elsewhere/".to_owned();
        let cases = [
            (Lie::Realm("http://realm/".into()), [401, 401]),
            (Lie::Token(200, "{}".into()), [401, 401]),
            (Lie::Status(429, Vec::new()), [429, 429]),
            (Lie::Redirect(Part::Manifests, to.clone()), [307, 200]),
            (Lie::Redirect(Part::Blobs, to), [200, 307]),
            (Lie::Chain(1), [200, 307]),
            (Lie::Gone(Gone::Manifest), [404, 200]),
            (Lie::Gone(Gone::Blob), [200, 404]),
            (Lie::None, [200, 200]),
        ];
        for (lie, statuses) in cases {
            liar.tell(lie.clone());
            for (target, status) in [&manifest, &blob].into_iter().zip(statuses) {
                let (head, _) = get(&liar, target).await;
                let said = format!("HTTP/1.1 {status} ");
                assert!(head.starts_with(&said), "{lie:?} {target}: {head}");
            }
        }
    }

    #[tokio::test]
    async fn a_script_says_what_no_lie_says() {
        let liar = Liar::scripted(|request, before| {
            super::Reply::new(200)
                .body(format!("{before} {}", request.line()))
                .then(Then::Close)
        })
        .await;
        assert_eq!(get(&liar, "/a").await.1, b"0 GET /a");
        assert_eq!(get(&liar, "/b").await.1, b"1 GET /b");
    }
}
