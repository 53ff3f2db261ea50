//! Little-endian fields, taken one after the other from a record.

/// What is left of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self, count: u16) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(usize::from(count))?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn skip(&mut self, count: u16) -> Option<()> {
        self.bytes(count).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_little_endian_and_end_where_the_record_does() {
        let mut fields = Fields::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(fields.u16(), Some(0x0201));
        assert_eq!(fields.u32(), Some(0x0605_0403));
        assert_eq!((fields.u16(), fields.len()), (None, 0));
    }
}
