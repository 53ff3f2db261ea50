//! Tars made entry by entry, so that each field can lie.

/// One header and the bytes behind it.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) name: Vec<u8>,
    pub(crate) flag: u8,
    /// The size field, where it is a lie.
    pub(crate) size: Option<Vec<u8>>,
    pub(crate) magic: [u8; 8],
    pub(crate) prefix: Vec<u8>,
    pub(crate) link: Vec<u8>,
    /// The checksum field, where it is a lie.
    pub(crate) checksum: Option<Vec<u8>>,
    pub(crate) data: Vec<u8>,
}

pub(crate) const GNU: [u8; 8] = *b"ustar  \0";

pub(crate) fn entry(flag: u8, name: &str, data: &[u8]) -> Block {
    Block {
        name: name.into(),
        flag,
        size: None,
        magic: *b"ustar\x0000",
        prefix: vec![],
        link: vec![],
        checksum: None,
        data: data.into(),
    }
}

pub(crate) fn file(name: &str, data: &[u8]) -> Block {
    entry(b'0', name, data)
}

pub(crate) fn folder(name: &str) -> Block {
    entry(b'5', name, b"")
}

/// A path of any length, as GNU tar writes it before its entry.
pub(crate) fn long_name(name: &str) -> Block {
    Block {
        magic: GNU,
        ..entry(b'L', "././@LongLink", format!("{name}\0").as_bytes())
    }
}

/// PAX records before their entry.
pub(crate) fn pax(records: &[(&str, &[u8])]) -> Block {
    entry(b'x', "././@PaxHeader", &self::records(records))
}

#[expect(
    clippy::unwrap_used,
    reason = "a length that fits exists, for tests only"
)]
pub(crate) fn records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![];
    for (key, value) in records {
        let body = [key.as_bytes(), b"=", value].concat();
        let length = (1..)
            .find(|length: &usize| length.to_string().len() + body.len() + 2 == *length)
            .unwrap();
        bytes.extend(format!("{length} ").into_bytes());
        bytes.extend(body);
        bytes.push(b'\n');
    }
    bytes
}

fn put(block: &mut [u8], at: usize, length: usize, text: &[u8]) {
    for (place, byte) in block.iter_mut().skip(at).take(length).zip(text) {
        *place = *byte;
    }
}

pub(crate) fn bytes(block: &Block) -> Vec<u8> {
    let mut header = vec![0; 512];
    let size = format!("{:011o}\0", block.data.len()).into_bytes();
    put(&mut header, 0, 100, &block.name);
    put(&mut header, 100, 8, b"0000644\0");
    put(&mut header, 108, 8, b"0000000\0");
    put(&mut header, 116, 8, b"0000000\0");
    put(&mut header, 124, 12, block.size.as_ref().unwrap_or(&size));
    put(&mut header, 136, 12, b"00000000000\0");
    put(&mut header, 148, 8, b"        ");
    put(&mut header, 156, 1, &[block.flag]);
    put(&mut header, 157, 100, &block.link);
    put(&mut header, 257, 8, &block.magic);
    put(&mut header, 345, 155, &block.prefix);
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ").into_bytes();
    put(&mut header, 148, 8, block.checksum.as_ref().unwrap_or(&sum));
    header.extend(&block.data);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

/// Entries without the archive's end.
pub(crate) fn open(blocks: &[Block]) -> Vec<u8> {
    blocks.iter().flat_map(bytes).collect()
}

pub(crate) fn tar(blocks: &[Block]) -> Vec<u8> {
    let mut tar = open(blocks);
    tar.resize(tar.len() + 1024, 0);
    tar
}
