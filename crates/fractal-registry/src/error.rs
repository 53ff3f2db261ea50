//! What can go wrong with a registry, and the fault each case becomes. Holds no credentials and no query strings.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::Fault;
use fractal_core::artifact::Digest;

mod fault;
mod identity;
mod local;
mod said;

pub use local::Flaw;
pub use said::Said;
pub(crate) use said::shown;

/// An underlying error, shared so that callers waiting for one answer all get it.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// What a request wanted to do to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read manifests and blobs.
    Pull,
    /// Write them, which includes reading.
    Push,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
        })
    }
}

/// Which thing a registry does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The repository.
    Repository,
    /// The tag or manifest.
    Manifest,
    /// A blob that a manifest names.
    Blob,
}

/// A failure between us and a registry or layout. `at` is `host/repository...`, or a path.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry does not have it.
    #[error("{} not found at {at}", missing_word(*missing))]
    NotFound {
        /// What is missing.
        missing: Missing,
        /// Where it was looked for.
        at: Arc<str>,
        /// The registry's words.
        said: Said,
    },
    /// The identity may not do this.
    #[error("{action} on {at} is forbidden for {identity}")]
    Forbidden {
        /// What was wanted.
        action: Action,
        /// Where.
        at: Arc<str>,
        /// As whom.
        identity: Arc<str>,
        /// The registry's words.
        said: Said,
    },
    /// The registry or its token service accepts no credential we have.
    #[error("{at} does not accept {identity}: {problem}")]
    Unauthenticated {
        /// Where.
        at: Arc<str>,
        /// As whom.
        identity: Arc<str>,
        /// What was wrong with the exchange.
        problem: Arc<str>,
        /// The registry's words.
        said: Said,
    },
    /// The credential source could not answer.
    #[error("no credential for the registry")]
    Credential(#[source] Arc<Fault>),
    /// The registry names a token service that may not be used.
    #[error("{at} names the token service {realm}, which {problem}")]
    Realm {
        /// The registry.
        at: Arc<str>,
        /// The service, without query.
        realm: Arc<str>,
        /// Why it is refused.
        problem: &'static str,
    },
    /// The registry sends us somewhere we do not go.
    #[error("{at} redirects to {target}, which {problem}")]
    Redirect {
        /// The registry.
        at: Arc<str>,
        /// The target, without query.
        target: Arc<str>,
        /// Why it is refused.
        problem: &'static str,
    },
    /// The registry continues a list somewhere we do not go.
    #[error("{at} continues its list at {target}, which {problem}")]
    Link {
        /// The registry.
        at: Arc<str>,
        /// The next page, without query.
        target: Arc<str>,
        /// Why it is refused.
        problem: &'static str,
    },
    /// The host's address is one we never connect to from here.
    #[error("{at} has the address {address}, which is not reached from here")]
    Egress {
        /// Where.
        at: Arc<str>,
        /// The host, with its port where that is not the scheme's own.
        host: Arc<str>,
        /// The address.
        address: std::net::IpAddr,
    },
    /// The host is one we never ask, whatever its address is.
    #[error("{at} is at the host {host}, which {problem}")]
    Host {
        /// Where.
        at: Arc<str>,
        /// The host, with its port where that is not the scheme's own.
        host: Arc<str>,
        /// Why it is refused.
        problem: &'static str,
    },
    /// The proxy refuses to connect.
    #[error("the proxy {proxy} refuses the way to {at} with {status}")]
    ProxyRefused {
        /// Where to.
        at: Arc<str>,
        /// The proxy, without user information.
        proxy: Arc<str>,
        /// HTTP status.
        status: u16,
    },
    /// The proxy cannot be reached, or does not do what a proxy does.
    #[error("the proxy {proxy} does not open the way to {at}: {problem}")]
    ProxyFailed {
        /// Where to.
        at: Arc<str>,
        /// The proxy, without user information.
        proxy: Arc<str>,
        /// What it did instead.
        problem: Arc<str>,
    },
    /// Too many requests.
    #[error("{at} asks to slow down")]
    Throttled {
        /// Where.
        at: Arc<str>,
        /// How long it asked us to wait, at most 15 minutes.
        retry_after: Option<Duration>,
        /// The registry's words.
        said: Said,
    },
    /// It answered with a server error.
    #[error("{at} answered {status}")]
    Unavailable {
        /// Where.
        at: Arc<str>,
        /// HTTP status.
        status: u16,
        /// How long it asked us to wait, at most 15 minutes.
        retry_after: Option<Duration>,
        /// The registry's words.
        said: Said,
    },
    /// No connection, or it broke before an answer.
    #[error("{at} cannot be reached")]
    Unreachable {
        /// Where.
        at: Arc<str>,
        /// What the connection said.
        #[source]
        source: Cause,
    },
    /// TLS does not hold.
    #[error("TLS with {at} failed")]
    Tls {
        /// Where.
        at: Arc<str>,
        /// What failed.
        #[source]
        source: Cause,
    },
    /// Nothing, or too little, in the time allowed.
    #[error("{at} is too slow: {problem}")]
    Slow {
        /// Where.
        at: Arc<str>,
        /// What was waited for.
        problem: Arc<str>,
    },
    /// A request refused for another reason.
    #[error("{at} refused the request with {status}")]
    Refused {
        /// Where.
        at: Arc<str>,
        /// HTTP status.
        status: u16,
        /// The registry's words.
        said: Said,
    },
    /// An answer that the distribution specification does not know.
    #[error("{at} answered outside the protocol: {problem}")]
    Protocol {
        /// Where.
        at: Arc<str>,
        /// What is wrong.
        problem: Arc<str>,
    },
    /// The manifest is larger than any we take.
    #[error("the manifest at {at} is larger than {max} bytes")]
    ManifestTooLarge {
        /// Where.
        at: Arc<str>,
        /// The limit.
        max: usize,
    },
    /// The manifest cannot be deployed.
    #[error("the manifest at {at} is not valid")]
    ManifestInvalid {
        /// Where.
        at: Arc<str>,
        /// Why.
        #[source]
        source: Arc<fractal_core::artifact::ManifestError>,
    },
    /// Bytes are not those their digest names.
    #[error("content at {at} has digest {found}, not {expected}")]
    DigestMismatch {
        /// Where.
        at: Arc<str>,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// What was written is not what is there afterwards.
    #[error("{at} has {found} and not {expected}, which was written")]
    Rewritten {
        /// Where.
        at: Arc<str>,
        /// What was written.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// What was written is not there afterwards.
    #[error("{at} does not have {expected}, which was written")]
    Vanished {
        /// Where.
        at: Arc<str>,
        /// What was written.
        expected: Digest,
        /// The registry's words.
        said: Said,
    },
    /// Content is longer or shorter than its descriptor says.
    #[error("content at {at} is not of its declared {expected} bytes: {found}")]
    SizeMismatch {
        /// Where.
        at: Arc<str>,
        /// Bytes declared.
        expected: u64,
        /// What came.
        found: Arc<str>,
    },
    /// The transfer broke off, and resuming did not mend it.
    #[error("the transfer from {at} broke off after {received} of {expected} bytes")]
    Truncated {
        /// Where.
        at: Arc<str>,
        /// Bytes received.
        received: u64,
        /// Bytes declared.
        expected: u64,
    },
    /// A transfer cannot be continued where it broke off.
    #[error("{at} cannot resume the transfer at byte {offset}: {problem}")]
    Range {
        /// Where.
        at: Arc<str>,
        /// First byte asked for.
        offset: u64,
        /// What it answered instead.
        problem: Arc<str>,
    },
    /// Content of a layout, an archive or a file on this machine is not what it has to be.
    #[error("{at} cannot be used: {problem}")]
    Damaged {
        /// The path, with the digest where it is within a layout or an archive.
        at: Arc<str>,
        /// What is wrong.
        flaw: Flaw,
        /// The same in words.
        problem: Arc<str>,
    },
    /// A manifest goes beyond what is taken.
    #[error("the manifest at {at} goes beyond a limit: {problem}")]
    Limit {
        /// Where.
        at: Arc<str>,
        /// What it has, and what is allowed.
        problem: Arc<str>,
    },
    /// The registry does not keep what has a digest of this algorithm.
    #[error("{at} does not keep content under {digest}")]
    Algorithm {
        /// Where.
        at: Arc<str>,
        /// The digest.
        digest: Digest,
        /// The registry's words.
        said: Said,
    },
    /// A local OCI layout is not one.
    #[error("the OCI layout {at} cannot be used: {problem}")]
    Layout {
        /// The folder.
        at: Arc<str>,
        /// What is wrong.
        problem: Arc<str>,
    },
    /// Reading or writing a local file failed.
    #[error("{at} cannot be read or written")]
    File {
        /// The path.
        at: Arc<str>,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A setting cannot be used.
    #[error("registry setting `{setting}` cannot be used: {problem}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        problem: Arc<str>,
    },
}

const fn missing_word(missing: Missing) -> &'static str {
    match missing {
        Missing::Repository => "repository",
        Missing::Manifest => "manifest",
        Missing::Blob => "blob",
    }
}

impl RegistryError {
    pub(crate) fn protocol(at: &Arc<str>, problem: impl Into<Arc<str>>) -> Self {
        Self::Protocol {
            at: at.clone(),
            problem: problem.into(),
        }
    }

    /// May the same request succeed a moment later?
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. }
                | Self::Unavailable { .. }
                | Self::Unreachable { .. }
                | Self::Slow { .. }
                | Self::ProxyFailed { .. }
        )
    }

    /// What is wrong with the host, where that is why it was not asked.
    pub(crate) const fn refused_host(&self) -> Option<&'static str> {
        match self {
            Self::Host { problem, .. } => Some(problem),
            Self::Egress { .. } => Some(crate::egress::policy::NOT_NAMED),
            _ => None,
        }
    }

    /// How long the other side asked us to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}
