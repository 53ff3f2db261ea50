//! The next page of a list that a registry answers in pages (`Link`, RFC 8288). It reads no page and counts none.

use std::sync::Arc;

use http::header::LINK;
use http::{HeaderMap, HeaderValue, Uri};

use crate::endpoint::{Origin, join, shown};
use crate::error::RegistryError;

/// Most pages read of one list: who still sees a next one then is [`RegistryError::Link`]'s business.
pub(crate) const PAGES_MAX: usize = 50;

/// The URL of the page after the one at `base`, answered with `headers`; `None` where that was the last.
///
/// # Errors
/// Where the header cannot be read, or names another origin than the list's own, or the same page again: a list that may be
/// incomplete must not pass for a whole one.
pub(crate) fn next_page(base: &Uri, headers: &HeaderMap) -> Result<Option<Uri>, RegistryError> {
    let at = shown(base);
    for value in headers.get_all(LINK) {
        if let Some(target) =
            next_in(value).map_err(|problem| RegistryError::protocol(&at, problem))?
        {
            return checked(base, &at, target).map(Some);
        }
    }
    Ok(None)
}

/// That the list at `at` goes on after [`PAGES_MAX`] pages.
pub(crate) fn endless(at: &Uri) -> RegistryError {
    RegistryError::Link {
        at: shown(at),
        target: shown(at),
        problem: "is one page too many",
    }
}

fn checked(base: &Uri, at: &Arc<str>, target: &str) -> Result<Uri, RegistryError> {
    let refused = |target: Arc<str>, problem| RegistryError::Link {
        at: at.clone(),
        target,
        problem,
    };
    let target = join(base, target)
        .ok_or_else(|| refused(crate::error::shown(target, 100).into(), "is no URL"))?;
    if Origin::of(&target).is_none() || Origin::of(&target) != Origin::of(base) {
        return Err(refused(
            shown(&target),
            "is not at the registry's own origin",
        ));
    }
    if target == *base {
        return Err(refused(shown(&target), "is the same page again"));
    }
    Ok(target)
}

/// The target with the relation `next`, among the links of one header value.
fn next_in(value: &HeaderValue) -> Result<Option<&str>, &'static str> {
    const UNREADABLE: &str = "its Link header cannot be read";
    let mut rest = value.to_str().map_err(|_| UNREADABLE)?.trim();
    while !rest.is_empty() {
        let (target, after) = rest
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .ok_or(UNREADABLE)?;
        let end = end_of_link(after);
        let (parameters, following) = after.split_at_checked(end).ok_or(UNREADABLE)?;
        if parameters.split(';').any(is_next) {
            return Ok(Some(target));
        }
        rest = following.trim_start_matches([',', ' ', '\t']);
    }
    Ok(None)
}

/// Where the next link begins: at a comma outside quotes.
fn end_of_link(parameters: &str) -> usize {
    let mut quoted = false;
    let comma = parameters.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    comma.unwrap_or(parameters.len())
}

/// `rel=next`, `rel="next"`, or `next` among several relations.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("rel")
        && value
            .trim()
            .trim_matches('"')
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://r.example/v2/a/referrers/sha256:0?n=2";

    fn next(links: &[&str]) -> Result<Option<Uri>, RegistryError> {
        let mut headers = HeaderMap::new();
        for link in links {
            headers.append(LINK, HeaderValue::from_str(link).unwrap());
        }
        next_page(&BASE.parse().unwrap(), &headers)
    }

    #[test]
    fn the_next_page_is_found_in_every_form() {
        let check = |links: &[&str], expected: Option<&str>| {
            let expected = expected.map(|url| url.parse().unwrap());
            assert_eq!(next(links).unwrap(), expected, "{links:?}");
        };
        let second = Some("https://r.example/v2/a/referrers/sha256:0?n=2&last=7");
        check(
            &["</v2/a/referrers/sha256:0?n=2&last=7>; rel=\"next\""],
            second,
        );
        check(&["<sha256:0?n=2&last=7>;rel=next"], second);
        check(
            &["<?n=2&last=7>; title=\"a, b; c\"; REL=\"last Next\""],
            second,
        );
        check(
            &[
                "</first>; rel=first, <https://R.example:443/v2/a/referrers/sha256:0?n=2&last=7>; rel=next",
            ],
            Some("https://R.example:443/v2/a/referrers/sha256:0?n=2&last=7"),
        );
        check(
            &["</first>; rel=first", "<?x=1,2>; rel=next"],
            Some("https://r.example/v2/a/referrers/sha256:0?x=1,2"),
        );
        check(&["</first>; rel=first"], None);
        check(&["</next>; rev=next; anchor=next"], None);
        check(&[], None);
        check(&[""], None);
    }

    #[test]
    fn g04_cve_2026_88887_a_page_at_another_origin_or_the_same_again_is_refused() {
        let check = |link: &str, problem: &str| {
            let error = next(&[link]).unwrap_err();
            assert!(
                matches!(error, RegistryError::Link { .. }),
                "{link}: {error}"
            );
            assert!(error.to_string().ends_with(problem), "{link}: {error}");
        };
        let elsewhere = "which is not at the registry's own origin";
        check("<https://evil.example/v2/a?n=2>; rel=next", elsewhere);
        check("<//evil.example/v2/a?n=2>; rel=next", elsewhere);
        check("<http://r.example/v2/a?n=2>; rel=next", elsewhere);
        check("<https://r.example:8443/v2/a?n=2>; rel=next", elsewhere);
        check("<https://r.example@evil.example/v2>; rel=next", elsewhere);
        check("<https://u:p@r.example/v2>; rel=next", elsewhere);
        check("<file:///etc/passwd>; rel=next", "which is no URL");
        check(
            &format!("<{BASE}>; rel=next"),
            "which is the same page again",
        );
        check("<>; rel=next", "which is no URL");
    }

    #[test]
    fn g04_a_header_that_cannot_be_read_is_not_the_end_of_the_list() {
        for link in ["next", "<no end; rel=next", "</a>; rel=first, next"] {
            let error = next(&[link]).unwrap_err();
            assert!(matches!(error, RegistryError::Protocol { .. }), "{link}");
        }
        let error = endless(&BASE.parse().unwrap());
        assert!(error.to_string().ends_with("is one page too many"));
    }
}
