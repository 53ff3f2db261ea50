//! `Retry-After` (RFC 9110 10.2.3) from whoever writes it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// Longest pause believed.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The pause asked for, at most 15 minutes; `None` where there is none or it cannot be read.
///
/// A date is measured against the answer's own `Date` where it has one, so that our clock does not matter.
pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time.
        return Some(
            text.parse()
                .map_or(LONGEST, Duration::from_secs)
                .min(LONGEST),
        );
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Some(
        until
            .duration_since(sent.unwrap_or(now))
            .unwrap_or_default()
            .min(LONGEST),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g10_every_form_of_retry_after_is_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |text: &str, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(
                read(&headers, now),
                expected.map(Duration::from_secs),
                "{text}"
            );
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("315360000", Some(900));
        check("99999999999999999999999999", Some(900));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("Sat, 06 Nov 2094 08:00:00 GMT", Some(900));
        check("-5", None);
        check("soon", None);
        check("", None);
        assert_eq!(read(&HeaderMap::new(), now), None);
    }

    #[test]
    fn g10_a_date_is_measured_by_the_servers_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert(
            RETRY_AFTER,
            "Sun, 06 Nov 1994 08:49:47 GMT".parse().unwrap(),
        );
        assert_eq!(
            read(&headers, SystemTime::now()),
            Some(Duration::from_secs(10))
        );
    }
}
