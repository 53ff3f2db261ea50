//! The checksums S3 knows, fed piece by piece.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Header names of the algorithms.
pub(super) const HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

pub(super) enum Checksum {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// The algorithm of a header's name.
    pub(super) fn of(header: &str) -> Option<Self> {
        Some(match header {
            "x-amz-checksum-crc32" => Self::Crc(Crc::new(0xedb8_8320, 4)),
            "x-amz-checksum-crc32c" => Self::Crc(Crc::new(0x82f6_3b78, 4)),
            "x-amz-checksum-crc64nvme" => Self::Crc(Crc::new(0x9a6c_9329_ac4b_c9b5, 8)),
            "x-amz-checksum-sha1" => Self::Sha1(Sha1::new()),
            "x-amz-checksum-sha256" => Self::Sha256(Sha256::new()),
            _ => return None,
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    /// As the header carries it.
    pub(super) fn base64(self) -> String {
        match self {
            Self::Crc(crc) => crc.base64(),
            Self::Sha1(hash) => STANDARD.encode(hash.finalize()),
            Self::Sha256(hash) => STANDARD.encode(hash.finalize()),
        }
    }
}

/// A reflected CRC with all bits set at both ends.
pub(super) struct Crc {
    table: Box<[u64; 256]>,
    state: u64,
    width: usize,
}

impl Crc {
    fn new(polynomial: u64, width: usize) -> Self {
        let mut table = Box::new([0; 256]);
        for (seed, entry) in (0_u64..).zip(table.iter_mut()) {
            *entry = (0..8).fold(seed, |value, _| {
                if value & 1 == 1 {
                    (value >> 1) ^ polynomial
                } else {
                    value >> 1
                }
            });
        }
        let state = if width == 4 { 0xffff_ffff } else { u64::MAX };
        Self {
            table,
            state,
            width,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.state = bytes.iter().fold(self.state, |state, byte| {
            let low = state.to_le_bytes()[0] ^ byte;
            self.table
                .get(usize::from(low))
                .copied()
                .unwrap_or_default()
                ^ (state >> 8)
        });
    }

    fn base64(&self) -> String {
        let bytes = (!self.state).to_be_bytes();
        STANDARD.encode(
            bytes
                .get(8_usize.saturating_sub(self.width)..)
                .unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        let of = |header: &str| {
            let mut checksum = Checksum::of(header).unwrap();
            checksum.update(b"1234");
            checksum.update(b"56789");
            crate::encoding::hex(&STANDARD.decode(checksum.base64()).unwrap())
        };
        assert_eq!(of("x-amz-checksum-crc32"), "cbf43926");
        assert_eq!(of("x-amz-checksum-crc32c"), "e3069283");
        assert_eq!(of("x-amz-checksum-crc64nvme"), "ae8b14860a799888");
        assert_eq!(
            of("x-amz-checksum-sha1"),
            "f7c3bc1d808e04732adf679965ccc34ca7ae3441"
        );
        assert!(Checksum::of("x-amz-checksum-type").is_none());
    }
}
