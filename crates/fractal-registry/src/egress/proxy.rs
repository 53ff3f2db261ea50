//! HTTP proxies: which request goes through which. Nothing here reads the environment, and no password is ever printed.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::address::Reach;
use super::policy::is_loopback;
use crate::endpoint::{Origin, shown};
use crate::error::RegistryError;

/// Longest proxy URL, in bytes.
const URL_MAX: usize = 4096;

/// The proxies between here and registries, token services and identity services.
///
/// Metadata servers and this machine itself are never asked through one.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl Proxies {
    /// The proxy for https, the one for plain HTTP, and the hosts that are reached without: names with all below them,
    /// addresses and networks such as `10.0.0.0/8`, with commas between, or `*` (the rules of `NO_PROXY`).
    ///
    /// A proxy is written `http[s]://[USER:PASSWORD@]HOST[:PORT]`, user and password percent-encoded; without scheme it is
    /// `http`, without port the scheme's own. An empty text is as good as none.
    ///
    /// # Errors
    /// Where one is no such URL. It is not repeated.
    pub fn new(
        https: Option<&str>,
        http: Option<&str>,
        without: Option<&str>,
    ) -> Result<Self, RegistryError> {
        let https = checked("https-proxy", https)?;
        let http = checked("http-proxy", http)?;
        if https.is_empty() && http.is_empty() {
            return Ok(Self(None));
        }
        let matcher = Matcher::builder()
            .https(https)
            .http(http)
            .no(without.unwrap_or_default())
            .build();
        Ok(Self(Some(Arc::new(matcher))))
    }

    /// The proxy that a request to `url` goes through.
    pub(super) fn between(&self, reach: Reach, url: &Uri, origin: &Origin) -> Option<Proxy> {
        let matcher = self.0.as_ref()?;
        if reach == Reach::Metadata || is_loopback(origin) {
            return None;
        }
        matcher.intercept(url).map(Proxy)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The matcher leaves out what it authenticates with.
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One proxy, and what it is shown.
#[derive(Clone)]
pub(super) struct Proxy(Intercept);

impl Proxy {
    pub(super) fn url(&self) -> &Uri {
        self.0.uri()
    }

    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.0.basic_auth().cloned()
    }

    /// Without user information.
    pub(super) fn name(&self) -> Arc<str> {
        shown(self.url()).trim_end_matches('/').into()
    }
}

fn checked(setting: &'static str, url: Option<&str>) -> Result<String, RegistryError> {
    let url = url.unwrap_or_default().trim();
    if url.is_empty() {
        return Ok(String::new());
    }
    match problem(url) {
        None => Ok(url.to_owned()),
        Some(problem) => Err(RegistryError::Setting {
            setting,
            problem: problem.into(),
        }),
    }
}

fn problem(text: &str) -> Option<&'static str> {
    const FORM: &str = "it is no URL of the form http[s]://[USER:PASSWORD@]HOST[:PORT] with user and password percent-encoded";
    if text.len() > URL_MAX {
        return Some("it is longer than 4096 bytes");
    }
    let Ok(url) = text.parse::<Uri>() else {
        return Some(FORM);
    };
    let scheme = url.scheme_str().unwrap_or("http");
    if !matches!(scheme, "http" | "https") {
        return Some("it is neither an http nor an https proxy");
    }
    let whole = url.authority().map(|authority| authority.as_str())?;
    let host = whole.rsplit('@').next().unwrap_or_default();
    let good = whole.matches('@').count() <= 1 && !host.is_empty() && !host.starts_with(':');
    (!good || url.query().is_some()).then_some(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(https: &str, http: &str, without: &str) -> Proxies {
        Proxies::new(Some(https), Some(http), Some(without)).unwrap()
    }

    fn through(proxies: &Proxies, reach: Reach, url: &str) -> Option<String> {
        let url: Uri = url.parse().unwrap();
        let origin = Origin::of(&url).unwrap();
        let proxy = proxies.between(reach, &url, &origin)?;
        Some(proxy.name().to_string())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_none() {
        let proxies = proxies(
            "http://p.example:3128/",
            "q.example",
            "lan.example, 10.0.0.0/8 ,*.ignored",
        );
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(
                through(&proxies, Reach::Named, url).as_deref(),
                expected,
                "{url}"
            );
        };
        check("https://r.example/v2/", Some("http://p.example:3128"));
        check("http://r.example/v2/", Some("http://q.example"));
        check("https://r.lan.example", None);
        check("https://xlan.example", Some("http://p.example:3128"));
        check("https://10.1.2.3", None);
        check("https://11.1.2.3", Some("http://p.example:3128"));
        for here in [
            "http://127.0.0.1:5000",
            "https://localhost",
            "http://[::1]:5000",
            "https://2130706433",
            "https://a.localhost",
        ] {
            check(here, None);
        }
        assert_eq!(
            through(&proxies, Reach::Metadata, "http://metadata.google.internal"),
            None
        );
        assert_eq!(
            through(&Proxies::default(), Reach::Named, "https://r.example"),
            None
        );
        assert!(Proxies::new(Some(""), None, Some("*")).unwrap().0.is_none());
    }

    #[test]
    fn h08_a_proxys_password_is_sent_and_not_shown() {
        let proxies = proxies("http://user:can%40ary@p.example:3128", "", "");
        let url: Uri = "https://r.example".parse().unwrap();
        let proxy = proxies
            .between(Reach::Named, &url, &Origin::of(&url).unwrap())
            .unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic dXNlcjpjYW5AYXJ5");
        for shown in [
            format!("{proxies:?}"),
            proxy.name().to_string(),
            format!("{:?}", proxy.authorization()),
        ] {
            assert!(
                !shown.contains("ary") && !shown.contains("dXNlcj"),
                "{shown}"
            );
        }
    }

    #[test]
    fn h08_a_proxy_that_cannot_be_used_is_refused_without_its_text() {
        let bad = [
            "socks5://user:canary@p.example:1080",
            "http://user:can@ary@p.example",
            "http://user:canary@",
            "http://user:canary@:3128",
            "http://p.example/?canary",
            "http://user:can ary@p.example",
            "ftp://canary.example",
        ];
        for url in bad {
            let error = Proxies::new(Some(url), None, None).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("ary"),
                "{url}: {error}"
            );
            assert!(error.to_string().contains("`https-proxy`"), "{error}");
        }
    }
}
