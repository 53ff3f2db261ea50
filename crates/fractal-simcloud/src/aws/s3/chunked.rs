//! The `aws-chunked` content coding: chunks with sizes, then trailers. Chunk signatures are skipped.

use bytes::{Buf as _, Bytes, BytesMut};

/// The longest size line or trailer taken.
const LINE: usize = 16 << 10;

/// Takes encoded bytes as they arrive and gives decoded ones.
pub(super) struct Decoder {
    buffer: BytesMut,
    state: State,
    pub(super) trailers: Vec<(String, String)>,
}

enum State {
    Size,
    Data(usize),
    DataEnd,
    Trailers,
    Done,
}

/// The coding is broken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Size,
            trailers: Vec::new(),
        }
    }

    /// Whether the last chunk and the trailers have come.
    pub(super) fn is_complete(&self) -> bool {
        match self.state {
            State::Done => true,
            // The blank line after the trailers may be missing at the very end.
            State::Trailers => self.buffer.is_empty(),
            _ => false,
        }
    }

    pub(super) fn feed(&mut self, encoded: &[u8]) -> Result<Vec<Bytes>, Malformed> {
        self.buffer.extend_from_slice(encoded);
        let mut decoded = Vec::new();
        while let Some(piece) = self.step()? {
            decoded.extend((!piece.is_empty()).then_some(piece));
        }
        Ok(decoded)
    }

    /// One state further; `None` when more bytes are needed.
    fn step(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.state {
            State::Size => {
                let Some(line) = self.line()? else {
                    return Ok(None);
                };
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(|_| Malformed)?;
                self.state = if size == 0 {
                    State::Trailers
                } else {
                    State::Data(size)
                };
            }
            State::Data(left) => {
                let take = left.min(self.buffer.len());
                if take == 0 {
                    return Ok(None);
                }
                self.state = if take == left {
                    State::DataEnd
                } else {
                    State::Data(left.saturating_sub(take))
                };
                return Ok(Some(self.buffer.split_to(take).freeze()));
            }
            State::DataEnd => match self.line()? {
                Some(line) if line.is_empty() => self.state = State::Size,
                Some(_) => return Err(Malformed),
                None => return Ok(None),
            },
            State::Trailers => match self.line()? {
                Some(line) if line.is_empty() => self.state = State::Done,
                Some(line) => {
                    let (name, value) = line.split_once(':').ok_or(Malformed)?;
                    self.trailers
                        .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
                None => return Ok(None),
            },
            State::Done if self.buffer.is_empty() => return Ok(None),
            State::Done => self.buffer.clear(),
        }
        Ok(Some(Bytes::new()))
    }

    fn line(&mut self) -> Result<Option<String>, Malformed> {
        let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") else {
            return if self.buffer.len() > LINE {
                Err(Malformed)
            } else {
                Ok(None)
            };
        };
        let line = self.buffer.split_to(at);
        self.buffer.advance(2);
        String::from_utf8(line.to_vec())
            .map(Some)
            .map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_however_it_is_cut() {
        let encoded =
            b"5;chunk-signature=ab\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        for cut in 1..encoded.len() {
            let mut decoder = Decoder::new();
            let mut decoded = Vec::new();
            for piece in encoded.chunks(cut) {
                decoded.extend(decoder.feed(piece).unwrap().concat());
            }
            assert_eq!(decoded, b"hello!");
            assert!(decoder.is_complete());
            assert_eq!(
                decoder.trailers,
                [("x-amz-checksum-crc32".to_owned(), "AAAA".to_owned())]
            );
        }
    }

    #[test]
    fn refuses_bad_sizes_and_missing_ends() {
        assert_eq!(Decoder::new().feed(b"zz\r\n"), Err(Malformed));
        assert_eq!(Decoder::new().feed(b"1\r\nab\r\n"), Err(Malformed));
        let mut short = Decoder::new();
        short.feed(b"5\r\nhel").unwrap();
        assert!(!short.is_complete());
    }
}
