//! One 512-byte header of a tar, in the POSIX or the GNU form. What headers mean together is the archive's.

use super::entry::Flag;
use super::error::BundleError;

/// Bytes of a block: headers take one, contents are padded to whole ones.
pub(super) const BLOCK: usize = 512;

const NAME: (usize, usize) = (0, 100);
const SIZE: (usize, usize) = (124, 12);
pub(super) const CHECKSUM: (usize, usize) = (148, 8);
const FLAG: usize = 156;
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);

/// Magic and version of POSIX tar.
pub(super) const POSIX: &[u8; 8] = b"ustar\x0000";
/// What GNU tar writes in its own format, `L` and `K` entries included.
const GNU: &[u8; 8] = b"ustar  \0";

/// A header whose checksum holds.
#[derive(Debug)]
pub(super) struct Header<'a> {
    prefix: &'a [u8],
    name: &'a [u8],
    pub(super) flag: Flag,
    pub(super) size: u64,
}

impl<'a> Header<'a> {
    /// Reads the header at byte `offset`.
    pub(super) fn read(block: &'a [u8], offset: u64) -> Result<Self, BundleError> {
        let malformed = |what| BundleError::Malformed { what, offset };
        let magic = field(block, MAGIC);
        if magic != POSIX && magic != GNU {
            return Err(if offset == 0 {
                super::text::not_tar(block)
            } else {
                malformed("no header begins where the entry before ends")
            });
        }
        if octal(field(block, CHECKSUM)) != Some(checksum(block)) {
            return Err(malformed("the checksum of a header does not hold"));
        }
        let prefix = field(block, PREFIX);
        // GNU tar keeps other things there, and Python takes them for a prefix all the same.
        if magic == GNU && prefix.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Ambiguous {
                what: "a GNU header has bytes where a POSIX header has the path's beginning",
                offset,
            });
        }
        Ok(Self {
            prefix: text(prefix),
            name: text(field(block, NAME)),
            flag: Flag::of(block.get(FLAG).copied().unwrap_or_default()),
            size: octal(field(block, SIZE))
                .ok_or_else(|| malformed("the size of an entry is no octal number"))?,
        })
    }

    /// The path as this header says it.
    pub(super) fn path(&self) -> Vec<u8> {
        if self.prefix.is_empty() {
            return self.name.to_vec();
        }
        [self.prefix, b"/", self.name].concat()
    }
}

fn field(block: &[u8], (start, length): (usize, usize)) -> &[u8] {
    block.get(start..start + length).unwrap_or_default()
}

/// A text field ends at its first NUL, or is full.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits with spaces before and spaces or NULs behind, which is what writers agree on.
///
/// The binary form that GNU tar uses above 8 GiB is far over any cap here and not read.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let digits = field.get(start..)?;
    let length = digits
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'7'))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(length)?;
    let ended = rest.iter().all(|byte| matches!(byte, b' ' | 0));
    // Twelve octal digits at most: 36 bits.
    (ended && !digits.is_empty()).then(|| {
        digits
            .iter()
            .fold(0, |all, digit| all << 3 | u64::from(digit - b'0'))
    })
}

/// The sum of a header's bytes, with its own field read as spaces.
pub(super) fn checksum(block: &[u8]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let own = field(block, CHECKSUM);
    sum(block) - sum(own) + u64::from(b' ') * own.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_with_spaces_before_and_spaces_or_nuls_behind() {
        for (field, value) in [
            (&b"00000000017\0"[..], Some(15)),
            (b"0000017 \0", Some(15)),
            (b"     17 \0\0\0\0", Some(15)),
            (b"777777777777", Some((1 << 36) - 1)),
            (b"000000000018", None),
            (b"17 1        ", None),
            (b"            ", None),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", None),
            (b"-00000000017", None),
            (b"\x80\0\0\0\0\0\0\0\0\0\0\x01", None),
        ] {
            assert_eq!(octal(field), value, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn a_text_ends_at_its_first_nul() {
        assert_eq!(text(b"ab\0cd"), b"ab");
        assert_eq!(text(b"abcd"), b"abcd");
        assert_eq!(text(b"\0abc"), b"");
    }
}
