//! What bytes are: YAML files that are text, and the formats that are pushed where a tar is expected.

use std::sync::Arc;

use super::error::BundleError;
use super::header::checksum;
use super::path::shown;

/// How known formats begin.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd"),
    (b"\xfd7zXZ\0", "is compressed with xz"),
    (b"BZh", "is compressed with bzip2"),
    (b"PK\x03\x04", "is a zip"),
    (b"PK\x05\x06", "is an empty zip"),
    (b"070701", "is a cpio archive"),
];

/// The error for bytes that do not begin with a tar header.
pub(super) fn not_tar(first: &[u8]) -> BundleError {
    let known = MAGIC.iter().find(|(magic, _)| first.starts_with(magic));
    let seen = match known {
        Some((_, what)) => (*what).to_owned(),
        None if is_old(first) => "is in the format of Unix V7, without the magic `ustar`".into(),
        None if is_text(first) => "is text".into(),
        None => {
            let hex: Vec<String> = first.iter().take(4).map(|b| format!("{b:02x}")).collect();
            format!("begins with bytes {}", hex.join(" "))
        }
    };
    BundleError::NotTar { seen }
}

/// A V7 header has the same checksum at the same place, as six octal digits.
fn is_old(block: &[u8]) -> bool {
    let said = block.get(148..154).and_then(|digits| {
        let digits = std::str::from_utf8(digits).ok()?;
        u64::from_str_radix(digits.trim(), 8).ok()
    });
    said == Some(checksum(block))
}

fn is_text(bytes: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    !bytes.is_empty() && bytes.iter().take(64).all(plain)
}

/// The text of the YAML file `name` below `.fractal/`.
pub(super) fn utf8(name: &str, bytes: Vec<u8>) -> Result<Arc<str>, BundleError> {
    let refuse = |problem: String| BundleError::Encoding {
        name: shown(name.as_bytes()),
        problem,
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(refuse("it is UTF-16".into()));
    }
    // ASCII written as UTF-16 or UTF-32 without a byte order mark is UTF-8 too, with a NUL in each character.
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        return Err(refuse(format!(
            "byte {offset} is NUL, as in UTF-16 or in a binary file"
        )));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let line = 1 + error
                .as_bytes()
                .iter()
                .take(offset)
                .filter(|byte| **byte == b'\n')
                .count();
            Err(refuse(format!("line {line}, byte {offset} of the file")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z10_what_is_pushed_instead_of_a_tar_is_named() {
        for (bytes, expected) in [
            (&b"\x1f\x8b\x08\0"[..], "is compressed with gzip"),
            (b"\x28\xb5\x2f\xfd\x04", "is compressed with zstd"),
            (b"PK\x03\x04\x14\0", "is a zip"),
            (b"apiVersion: v1\nkind: Service\n", "is text"),
            (b"\x7fELF\x02\x01", "begins with bytes 7f 45 4c 46"),
            (b"\0", "begins with bytes 00"),
        ] {
            let seen = expected.to_owned();
            assert_eq!(not_tar(bytes), BundleError::NotTar { seen });
        }
    }

    #[test]
    fn only_utf_8_is_text_and_the_error_says_where_it_ends() {
        assert_eq!(&*utf8("a.yaml", "é: 1\n".into()).unwrap(), "é: 1\n");
        assert_eq!(
            &*utf8("a.yaml", b"\xef\xbb\xbfa: 1".into()).unwrap(),
            "\u{feff}a: 1"
        );
        let problem = |bytes: &[u8]| match utf8("a.yaml", bytes.into()).unwrap_err() {
            BundleError::Encoding { name, problem } => (name, problem),
            other => panic!("{other}"),
        };
        for (bytes, expected) in [
            (&b"\xff\xfea\0:\0"[..], "it is UTF-16"),
            (b"\xfe\xff\0a\0:", "it is UTF-16"),
            (b"a\0:\0", "byte 1 is NUL, as in UTF-16 or in a binary file"),
            (b"a: 1\nb: \xe9\n", "line 2, byte 8 of the file"),
        ] {
            assert_eq!(problem(bytes), ("a.yaml".into(), expected.into()));
        }
    }
}
