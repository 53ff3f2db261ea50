//! Extra fields that change what a header says: zip64 sizes and the Unicode path.

use super::error::ZipError;
use super::fields::Fields;
use super::record::Shared;

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;
const FULL: u64 = u32::MAX as u64;

/// What the extra fields of one header say.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    zip64: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Reads the extra fields of the header at `offset`.
    pub(super) fn read(extra: &'a [u8], offset: u64) -> Result<Self, ZipError> {
        let malformed = ZipError::Malformed {
            what: "an extra field is longer than its header says",
            offset,
        };
        let mut fields = Fields::new(extra);
        let mut read = Self::default();
        // Fewer than four bytes at the end are padding: Android's aligner leaves them.
        while fields.len() >= 4 {
            let field = fields
                .u16()
                .zip(fields.u16())
                .and_then(|(id, length)| Some((id, fields.bytes(length)?)));
            let (id, body) = field.ok_or_else(|| malformed.clone())?;
            let known = match id {
                ZIP64 => read.zip64.replace(body),
                UNICODE_PATH => read.path.replace(body),
                _ => None,
            };
            if known.is_some() {
                return Err(ZipError::Ambiguous {
                    what: "an extra field occurs twice",
                    offset,
                });
            }
        }
        Ok(read)
    }

    /// A Unicode path renames the file for readers that know the field: it has to repeat the name.
    pub(super) fn keeps_name(&self, name: &[u8]) -> bool {
        // One byte of version and four of the name's checksum come first.
        self.path.is_none_or(|path| path.get(5..) == Some(name))
    }

    /// Puts in the 64-bit values that `shared` and `offset` defer to.
    ///
    /// Only fields full of ones defer, in this order: size, compressed size, offset, disk.
    pub(super) fn widen(
        &self,
        shared: &mut Shared,
        offset: Option<&mut u64>,
        at: u64,
    ) -> Result<(), ZipError> {
        let lies = ZipError::Ambiguous {
            what: "a zip64 field does not fit its header",
            offset: at,
        };
        let mut wide = Fields::new(self.zip64.unwrap_or_default());
        let mut deferred = false;
        for value in [Some(&mut shared.size), Some(&mut shared.compressed), offset]
            .into_iter()
            .flatten()
        {
            if *value == FULL {
                deferred = true;
                *value = wide.u64().ok_or_else(|| lies.clone())?;
            }
        }
        if deferred || self.zip64.is_none() {
            // A disk number may follow; it is zero, since the header's own was.
            return if matches!(wide.len(), 0) || (wide.len() == 4 && wide.u32() == Some(0)) {
                Ok(())
            } else {
                Err(lies)
            };
        }
        // Nothing defers to it: harmless only if it repeats what the header says.
        let same = wide.u64().is_none_or(|size| size == shared.size)
            && wide.u64().is_none_or(|size| size == shared.compressed);
        if same { Ok(()) } else { Err(lies) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(size: u64, compressed: u64) -> Shared {
        Shared {
            flags: 0,
            method: 8,
            crc: 0,
            compressed,
            size,
        }
    }

    fn field(values: &[u64]) -> Vec<u8> {
        let mut bytes = vec![1, 0, (values.len() * 8) as u8, 0];
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    fn widened(
        extra: &[u8],
        mut shared: Shared,
        mut offset: u64,
    ) -> Result<(u64, u64, u64), ZipError> {
        Extra::read(extra, 7)?.widen(&mut shared, Some(&mut offset), 7)?;
        Ok((shared.size, shared.compressed, offset))
    }

    #[test]
    fn only_full_fields_are_widened_and_in_order() {
        assert_eq!(
            widened(&field(&[5 << 32]), shared(9, 4), FULL),
            Ok((9, 4, 5 << 32))
        );
        assert_eq!(
            widened(&field(&[1 << 33, 1 << 32]), shared(FULL, FULL), 3),
            Ok((1 << 33, 1 << 32, 3))
        );
        assert_eq!(widened(&[], shared(9, 4), 3), Ok((9, 4, 3)));
        assert_eq!(widened(&field(&[9, 4]), shared(9, 4), 3), Ok((9, 4, 3)));
    }

    #[test]
    fn z11_a_zip64_field_that_says_something_else_is_refused() {
        for (extra, sizes) in [
            (field(&[1]), shared(FULL, FULL)),
            (field(&[1, 2, 3]), shared(FULL, FULL)),
            (field(&[1]), shared(9, 4)),
            (vec![], shared(FULL, 4)),
            ([field(&[9]), field(&[9])].concat(), shared(9, 4)),
        ] {
            assert!(
                matches!(
                    widened(&extra, sizes, 3),
                    Err(ZipError::Ambiguous { offset: 7, .. })
                ),
                "{extra:?}"
            );
        }
        assert!(matches!(
            widened(&[1, 0, 9, 0, 0], shared(1, 1), 3),
            Err(ZipError::Malformed { offset: 7, .. })
        ));
    }

    #[test]
    fn z11_a_unicode_path_has_to_repeat_the_name() {
        let extra = [&[0x75, 0x70, 6, 0, 1, 0, 0, 0, 0][..], b"a"].concat();
        let extra = Extra::read(&extra, 0).unwrap();
        assert!(extra.keeps_name(b"a") && !extra.keeps_name(b"b"));
    }
}
