//! PAX records (`LENGTH KEY=VALUE\n`): the few that change what an entry is, and those that may be passed over.

use super::error::BundleError;

/// What the records before an entry say about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) link: bool,
}

/// Keys with which an entry is read by other rules than its header's.
const REFUSED: &[&[u8]] = &[
    b"GNU.",
    b"SCHILY.offset",
    b"SCHILY.realsize",
    b"SCHILY.filetype",
    b"SCHILY.volhdr.",
    b"LIBARCHIVE.symlinktype",
];
const CHARSETS: &[&[u8]] = &[b"ISO-IR 10646 2000 UTF-8", b"BINARY"];

impl Records {
    /// Reads the records of the header at byte `offset`.
    pub(super) fn read(bytes: &[u8], offset: u64) -> Result<Self, BundleError> {
        let mut records = Self::default();
        let ambiguous = |what| BundleError::Ambiguous { what, offset };
        for record in Each(bytes) {
            let (key, value) = record.ok_or(BundleError::Malformed {
                what: "a PAX record is malformed",
                offset,
            })?;
            let twice = match key {
                b"path" => records.path.replace(value.into()).is_some(),
                b"size" => {
                    let size = decimal(value)
                        .ok_or_else(|| ambiguous("a PAX size is no decimal number"))?;
                    records.size.replace(size).is_some()
                }
                b"linkpath" => std::mem::replace(&mut records.link, true),
                b"hdrcharset" | b"charset" if !CHARSETS.contains(&value) => {
                    return Err(ambiguous("a PAX header is in another encoding than UTF-8"));
                }
                key if REFUSED.iter().any(|refused| key.starts_with(refused)) => {
                    return Err(ambiguous(
                        "a PAX header makes the entry a sparse file, a volume or a link",
                    ));
                }
                _ => false,
            };
            if twice {
                return Err(ambiguous("a PAX header says one thing twice"));
            }
        }
        Ok(records)
    }

    /// Whether they leave the entries behind them as their headers say.
    pub(super) const fn is_silent(&self) -> bool {
        self.path.is_none() && self.size.is_none() && !self.link
    }
}

/// The records one after the other; `None` once where one is malformed.
struct Each<'a>(&'a [u8]);

impl<'a> Iterator for Each<'a> {
    type Item = Option<(&'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed = record(self.0);
        self.0 = parsed.map(|(_, rest)| rest).unwrap_or_default();
        Some(parsed.map(|(record, _)| record))
    }
}

type Record<'a> = (&'a [u8], &'a [u8]);

fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let length = decimal(bytes.get(..space)?)?;
    let (record, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let (key, value) = body.split_at_checked(equals)?;
    let plain = !key.is_empty() && !key.contains(&0);
    plain.then_some(((key, value.get(1..)?), rest))
}

/// Decimal digits without sign, spaces or leading zeros: readers take those for different numbers.
fn decimal(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if !plain || (text.len() > 1 && text.starts_with(b"0")) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: &str) -> Vec<u8> {
        let length = (1..)
            .find(|length: &usize| length.to_string().len() + body.len() + 2 == *length)
            .unwrap();
        format!("{length} {body}\n").into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<Records, BundleError> {
        Records::read(bytes, 7)
    }

    #[test]
    fn paths_and_sizes_are_read_and_other_records_passed_over() {
        let bytes = [
            "mtime=1700000000.123456789",
            "path=a=b/c\nd",
            "SCHILY.xattr.user.x=\0\n9 size=5\n",
            "size=3",
            "hdrcharset=BINARY",
        ]
        .map(record)
        .concat();
        let expected = Records {
            path: Some(b"a=b/c\nd".into()),
            size: Some(3),
            link: false,
        };
        assert_eq!(read(&bytes), Ok(expected));
        assert!(read(b"").unwrap().is_silent());
        assert!(read(&record("uid=501")).unwrap().is_silent());
        assert!(!read(&record("linkpath=a")).unwrap().is_silent());
    }

    #[test]
    fn z04_malformed_records_are_refused() {
        assert!(read(b"9 size=3\n").is_ok());
        for bytes in [
            &b"9 size=3"[..],
            b"11 size=3\n",
            b"8 size=3\n",
            b"09 size=3\n",
            b"+9 size=3\n",
            b" 9 size=3\n",
            b"9\tsize=3\n",
            b"5 =a\n",
            b"7 abcd\n",
            b"0 ",
            b"99999999999999999999 a=b\n",
            b"9 size=3\n\0\0",
        ] {
            let refused = matches!(read(bytes), Err(BundleError::Malformed { offset: 7, .. }));
            assert!(refused, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn z04_records_that_readers_take_differently_are_refused() {
        for bodies in [
            &["size=3", "size=3"][..],
            &["path=a", "path=b"],
            &["size=03"],
            &["size=+3"],
            &["size="],
            &["GNU.sparse.major=1"],
            &["SCHILY.realsize=4"],
            &["hdrcharset=ISO-IR 8859"],
        ] {
            let bytes: Vec<u8> = bodies.iter().flat_map(|body| record(body)).collect();
            let refused = read(&bytes);
            let as_said = matches!(refused, Err(BundleError::Ambiguous { offset: 7, .. }));
            assert!(as_said, "{bodies:?} {refused:?}");
        }
    }
}
