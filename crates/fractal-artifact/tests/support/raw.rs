//! Zips made byte by byte, so that each field can lie. Checksums are not computed: the reader does not unpack.

pub(crate) const STREAMED: u16 = 1 << 3;

/// The fields that stand before a file and in the directory.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) compressed: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) local: Header,
    pub(crate) data: Vec<u8>,
    /// What stands behind the data.
    pub(crate) descriptor: Vec<u8>,
    pub(crate) central: Header,
    pub(crate) mode: u16,
    pub(crate) disk: u16,
    /// Where the directory says the file begins, where that is a lie.
    pub(crate) offset: Option<u32>,
    pub(crate) comment: Vec<u8>,
}

/// A stored file.
pub(crate) fn file(name: &str, data: &[u8]) -> Entry {
    let header = Header {
        flags: 0,
        method: 0,
        crc: 0x1234_5678,
        compressed: data.len() as u32,
        size: data.len() as u32,
        name: name.into(),
        extra: vec![],
    };
    Entry {
        local: header.clone(),
        data: data.into(),
        descriptor: vec![],
        central: header,
        mode: 0o100_644,
        disk: 0,
        offset: None,
        comment: vec![],
    }
}

/// A stored file with its sizes behind it.
pub(crate) fn streamed(name: &str, data: &[u8], signed: bool, wide: bool) -> Entry {
    let mut entry = file(name, data);
    entry.local = Header {
        flags: STREAMED,
        crc: 0,
        compressed: 0,
        size: 0,
        ..entry.local
    };
    entry.central.flags = STREAMED;
    entry.descriptor = descriptor(
        entry.central.crc,
        data.len() as u64,
        data.len() as u64,
        signed,
        wide,
    );
    entry
}

pub(crate) fn descriptor(
    crc: u32,
    compressed: u64,
    size: u64,
    signed: bool,
    wide: bool,
) -> Vec<u8> {
    let mut bytes = if signed {
        b"PK\x07\x08".to_vec()
    } else {
        vec![]
    };
    bytes.extend(crc.to_le_bytes());
    for value in [compressed, size] {
        if wide {
            bytes.extend(value.to_le_bytes())
        } else {
            bytes.extend((value as u32).to_le_bytes())
        }
    }
    bytes
}

fn shared(header: &Header) -> Vec<u8> {
    let mut bytes = vec![20, 0];
    bytes.extend(header.flags.to_le_bytes());
    bytes.extend(header.method.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(
        [header.crc, header.compressed, header.size]
            .iter()
            .flat_map(|value| value.to_le_bytes()),
    );
    bytes.extend((header.name.len() as u16).to_le_bytes());
    bytes.extend((header.extra.len() as u16).to_le_bytes());
    bytes
}

pub(crate) fn local(entry: &Entry) -> Vec<u8> {
    let header = &entry.local;
    [
        &b"PK\x03\x04"[..],
        &shared(header),
        &header.name,
        &header.extra,
        &entry.data,
        &entry.descriptor,
    ]
    .concat()
}

fn central(entry: &Entry, at: u32) -> Vec<u8> {
    let mut bytes = b"PK\x01\x02\x14\x03".to_vec();
    bytes.extend(shared(&entry.central));
    bytes.extend((entry.comment.len() as u16).to_le_bytes());
    bytes.extend(entry.disk.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(entry.mode.to_le_bytes());
    bytes.extend(entry.offset.unwrap_or(at).to_le_bytes());
    [
        &bytes[..],
        &entry.central.name,
        &entry.central.extra,
        &entry.comment,
    ]
    .concat()
}

/// Files and directory; `end` makes what follows from (entries, directory size, directory offset).
pub(crate) fn zip_ending(entries: &[Entry], end: impl FnOnce(u64, u64, u64) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![];
    let mut directory = vec![];
    for entry in entries {
        directory.extend(central(entry, bytes.len() as u32));
        bytes.extend(local(entry));
    }
    let end = end(
        entries.len() as u64,
        directory.len() as u64,
        bytes.len() as u64,
    );
    [bytes, directory, end].concat()
}

pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_ending(entries, |count, size, offset| {
        end(count as u16, size as u32, offset as u32, b"")
    })
}

pub(crate) fn end(count: u16, size: u32, offset: u32, comment: &[u8]) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
    bytes.extend([count, count].iter().flat_map(|count| count.to_le_bytes()));
    bytes.extend([size, offset].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend((comment.len() as u16).to_le_bytes());
    [&bytes[..], comment].concat()
}

/// A zip64 end record and its locator, which says that the record begins at `at`.
pub(crate) fn end64(count: u64, size: u64, offset: u64, at: u64) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(
        [count, count, size, offset]
            .iter()
            .flat_map(|value| value.to_le_bytes()),
    );
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(at.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes
}
