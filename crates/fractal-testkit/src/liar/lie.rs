//! What a registry can lie about, each lie a value. What a lie is not about is answered honestly.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fractal_core::artifact::Digest;
use fractal_core::artifact::kind::media_type as mt;

use super::ledger::Request;
use super::reply::{Reply, Then};
use super::shelf::Shelf;

/// The path of the registry's own token service.
const TOKENS: &str = "/token";
/// A chunk of what has no end.
static CHUNK: [u8; 64 << 10] = [b' '; 64 << 10];

/// A lie.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Lie {
    /// None: the registry is honest.
    None,
    /// Whatever is asked is answered with 401 and these challenges, byte for byte.
    Challenge(Vec<Vec<u8>>),
    /// A token is asked for, from the service at this address; any bearer token is taken.
    Realm(String),
    /// A token is asked for from the registry's own service, which answers with this status and body; `Bearer good` is taken.
    Token(u16, String),
    /// The same service answers without end.
    EndlessToken,
    /// Tokens are for one blob read: it breaks off in the middle, and only a new token gets the rest.
    ShortToken,
    /// Whatever is asked is answered with this status and these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Every connection is closed without an answer.
    Reset,
    /// Reads of this part are sent to that address; the path is added where it ends in a slash.
    Redirect(Part, String),
    /// Reads of blobs are sent from one place of the registry to the next, so many times before the bytes come.
    Chain(usize),
    /// Something is not there (any more).
    Gone(Gone),
    /// Reads of a tag are answered with the manifests of these tags, one after the other, the last for ever.
    Tags(Vec<&'static str>),
    /// Every manifest is this one, served as this type; none where that is empty. Its digest is its own.
    Manifest(&'static str, Vec<u8>),
    /// A manifest announces so many bytes and sends the first.
    LargeManifest(usize),
    /// A manifest has no end.
    EndlessManifest,
    /// Manifests come as these bytes, said to be compressed.
    EncodedManifest(Vec<u8>),
    /// Manifests are other bytes than their digest says.
    OtherManifest,
    /// Blobs are other bytes than their digest says, of the same length.
    OtherBlob,
    /// Blobs come so many bytes at a time, with a pause after each.
    SlowBlob(usize, Duration),
    /// Blobs stop after so many bytes; the connection stays.
    StalledBlob(usize),
    /// Lists continue at this address, whoever asks.
    Link(String),
    /// Every page of a list names another one of the registry.
    EndlessLinks,
}

/// What a redirect is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Manifests.
    Manifests,
    /// Blobs.
    Blobs,
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The repository.
    Repository,
    /// The tag or manifest.
    Manifest,
    /// Blobs that manifests name.
    Blob,
}

/// A lie being told, and what it remembers.
pub(super) struct Told {
    lie: Lie,
    url: String,
    minted: AtomicUsize,
    broken: AtomicBool,
    /// Pages of lists, or reads of tags.
    pages: AtomicUsize,
}

impl Told {
    pub(super) const fn new(lie: Lie, url: String) -> Self {
        Self {
            lie,
            url,
            minted: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            pages: AtomicUsize::new(0),
        }
    }

    pub(super) fn answer(&self, shelf: &mut Shelf, request: &Request) -> Reply {
        self.about_access(request)
            .or_else(|| self.about_manifests(shelf, request))
            .or_else(|| self.about_blobs(shelf, request))
            .or_else(|| self.about_lists(request))
            .unwrap_or_else(|| shelf.answer(request))
    }

    fn about_access(&self, request: &Request) -> Option<Reply> {
        match &self.lie {
            Lie::Reset => Some(Reply::none()),
            Lie::Status(status, headers) => {
                let reply = Reply::refusing(*status, "UNKNOWN", "so it is");
                let add = |reply: Reply, (name, value): &(&str, String)| reply.header(name, value);
                Some(headers.iter().fold(reply, add))
            }
            Lie::Challenge(challenges) => Some(challenges.iter().fold(
                Reply::refusing(401, "UNAUTHORIZED", "log in"),
                |reply, challenge| reply.raw_header("WWW-Authenticate", challenge),
            )),
            Lie::Realm(realm) => request
                .authorization()
                .is_none_or(|shown| !shown.starts_with("Bearer "))
                .then(|| bearer(realm)),
            Lie::Token(..) | Lie::EndlessToken | Lie::ShortToken => self.tokens(request),
            _ => None,
        }
    }

    /// The registry's own token service, and what it has to do with everything else.
    fn tokens(&self, request: &Request) -> Option<Reply> {
        if request.path() == TOKENS {
            return Some(match &self.lie {
                Lie::Token(status, body) => Reply::new(*status).body(body.as_str()),
                Lie::EndlessToken => Reply::new(200).endless(&CHUNK),
                _ => {
                    let serial = self.minted.fetch_add(1, Ordering::SeqCst) + 1;
                    Reply::new(200).body(format!(r#"{{"token":"t{serial}","expires_in":300}}"#))
                }
            });
        }
        let good = match &self.lie {
            Lie::ShortToken if self.broken.load(Ordering::SeqCst) => {
                format!("Bearer t{}", self.minted.load(Ordering::SeqCst).max(2))
            }
            Lie::ShortToken => "Bearer t1".to_owned(),
            _ => "Bearer good".to_owned(),
        };
        let refused = request.authorization() != Some(good.as_str());
        refused.then(|| bearer(&format!("{}{TOKENS}", self.url)))
    }

    fn about_manifests(&self, shelf: &mut Shelf, request: &Request) -> Option<Reply> {
        let (path, version) = request.path().split_once("/manifests/")?;
        match &self.lie {
            Lie::Tags(tags) if !version.contains(':') => {
                let turn = self.pages.fetch_add(1, Ordering::SeqCst);
                let tag = tags.get(turn).or_else(|| tags.last())?;
                let target = format!("{path}/manifests/{tag}");
                let request = Request {
                    target,
                    ..request.clone()
                };
                Some(shelf.answer(&request))
            }
            Lie::Redirect(Part::Manifests, to) => Some(redirect(request, to)),
            Lie::Gone(Gone::Repository) => Some(Reply::missing("NAME_UNKNOWN")),
            Lie::Gone(Gone::Manifest) => Some(Reply::missing("MANIFEST_UNKNOWN")),
            Lie::Manifest(media_type, bytes) => {
                let reply = named(bytes).body(bytes.as_slice());
                Some(match *media_type {
                    "" => reply,
                    media_type => reply.header("Content-Type", media_type),
                })
            }
            // A HEAD without a digest makes the client read the manifest itself.
            Lie::LargeManifest(size) => Some(
                manifest()
                    .body_of_length("{", *size)
                    .then(stalling(request)),
            ),
            Lie::EndlessManifest => Some(manifest().endless(&CHUNK)),
            Lie::EncodedManifest(bytes) => {
                let reply = named(bytes).header("Content-Type", mt::OCI_MANIFEST);
                Some(
                    reply
                        .header("Content-Encoding", "gzip")
                        .body(bytes.as_slice()),
                )
            }
            Lie::OtherManifest => Some(named(b"promised").body("given")),
            _ => None,
        }
    }

    fn about_blobs(&self, shelf: &Shelf, request: &Request) -> Option<Reply> {
        let (_, digest) = request.path().split_once("/blobs/")?;
        match &self.lie {
            Lie::Redirect(Part::Blobs, to) => Some(redirect(request, to)),
            Lie::Gone(Gone::Blob) => Some(Reply::missing("BLOB_UNKNOWN")),
            Lie::Chain(hops) => self.hop(request, *hops),
            _ => self.about_bytes(shelf.bytes.get(digest)?, request),
        }
    }

    /// The next place that a blob is read from, or none where the bytes come.
    fn hop(&self, request: &Request, hops: usize) -> Option<Reply> {
        let (path, hop) = match request.target.split_once("?hop=") {
            Some((path, hop)) => (path, hop.parse().unwrap_or(usize::MAX)),
            None => (request.target.as_str(), 0),
        };
        let next = format!("{}{path}?hop={}", self.url, hop.saturating_add(1));
        (hop < hops).then(|| Reply::new(307).header("Location", next))
    }

    fn about_bytes(&self, content: &[u8], request: &Request) -> Option<Reply> {
        let ranged = || Reply::ranged(request, content);
        match &self.lie {
            Lie::OtherBlob => Some(Reply::ranged(request, &vec![b'x'; content.len()])),
            Lie::SlowBlob(piece, pause) => Some(Reply::new(200).slowly(content, *piece, *pause)),
            Lie::StalledBlob(after) => Some(ranged().cut(*after).then(stalling(request))),
            Lie::ShortToken => {
                let first = !self.broken.swap(true, Ordering::SeqCst);
                first.then(|| ranged().cut(content.len() / 2).then(Then::Close))
            }
            _ => None,
        }
    }

    fn about_lists(&self, request: &Request) -> Option<Reply> {
        let path = request.path();
        if !path.contains("/referrers/") && !path.ends_with("/tags/list") {
            return None;
        }
        let next = match &self.lie {
            Lie::Link(next) => next.clone(),
            Lie::EndlessLinks => {
                let page = self.pages.fetch_add(1, Ordering::SeqCst) + 1;
                format!("{path}?n=1&last={page}")
            }
            _ => return None,
        };
        let page = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
            mt::OCI_INDEX
        );
        let reply = Reply::new(200)
            .header("Content-Type", mt::OCI_INDEX)
            .header("Link", format!("<{next}>; rel=\"next\""));
        Some(reply.body(page))
    }
}

fn manifest() -> Reply {
    Reply::new(200).header("Content-Type", mt::OCI_MANIFEST)
}

fn named(bytes: &[u8]) -> Reply {
    Reply::new(200).header("Docker-Content-Digest", Digest::sha256(bytes))
}

/// A HEAD has no body to stall in, and its connection is to serve the next request.
fn stalling(request: &Request) -> Then {
    if request.method == "HEAD" {
        Then::KeepAlive
    } else {
        Then::Stall
    }
}

fn bearer(realm: &str) -> Reply {
    let challenge = format!(r#"Bearer realm="{realm}",service="liar",scope="repository:x:pull""#);
    Reply::refusing(401, "UNAUTHORIZED", "log in").header("WWW-Authenticate", challenge)
}

fn redirect(request: &Request, to: &str) -> Reply {
    let to = if to.ends_with('/') {
        format!("{to}{}", request.path().trim_start_matches('/'))
    } else {
        to.to_owned()
    };
    Reply::new(307).header("Location", to)
}
