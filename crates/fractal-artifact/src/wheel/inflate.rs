//! One deflated file at a time, unpacked piece by piece into a fixed window.

use flate2::{Decompress, FlushDecompress, Status};

/// Bytes unpacked in one go.
const WINDOW: usize = 64 * 1024;

/// An inflater, used for one file after the other.
pub(super) struct Inflate {
    stream: Decompress,
    window: Box<[u8]>,
}

/// How far a piece of input led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes taken of it; all, unless the file ended.
    pub(super) consumed: usize,
    /// Whether the compressed data said that it ends.
    pub(super) ended: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self {
            stream: Decompress::new(false),
            window: vec![0; WINDOW].into(),
        }
    }

    /// Begins the next file.
    pub(super) fn reset(&mut self) {
        self.stream.reset(false);
    }

    /// Unpacks `input` into `sink`; `None` where it is no deflated data.
    pub(super) fn push<E>(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Option<Progress>, E> {
        let mut consumed = 0;
        loop {
            let before = (self.stream.total_in(), self.stream.total_out());
            let rest = input.get(consumed..).unwrap_or_default();
            let status = self
                .stream
                .decompress(rest, &mut self.window, FlushDecompress::None);
            let taken = usize::try_from(self.stream.total_in() - before.0).unwrap_or(usize::MAX);
            let made = usize::try_from(self.stream.total_out() - before.1).unwrap_or(usize::MAX);
            consumed += taken;
            sink(self.window.get(..made).unwrap_or_default())?;
            let ended = match status {
                Err(_) => return Ok(None),
                Ok(status) => status == Status::StreamEnd,
            };
            if ended || (taken == 0 && made == 0) || (consumed == input.len() && made < WINDOW) {
                return Ok(Some(Progress { consumed, ended }));
            }
        }
    }
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflate")
    }
}
