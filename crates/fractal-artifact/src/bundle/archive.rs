//! What the headers of one tar say together: which path each entry has, which entries are kept, and that no two clash.

use super::entry::{EntryKind, Flag};
use super::error::BundleError;
use super::header::{BLOCK, Header};
use super::path::{self, Path, shown, within};
use super::pax::Records;
use super::{BUNDLE_MAX, BundleFiles, ENTRIES_MAX, PATH_MAX, PAX_MAX, YAML_MAX, text};

/// What the bytes behind a header are.
#[derive(Debug)]
pub(super) enum Content {
    /// Passed over.
    Skipped,
    /// The next entry's path.
    LongName,
    /// The next entry's link target.
    LongLink,
    /// PAX records for the next entry.
    Pax,
    /// PAX records for all entries that follow.
    Global,
    /// The YAML file of this path below `.fractal/`.
    Yaml(Box<str>),
}

/// What stands before an entry and belongs to it.
#[derive(Debug, Default)]
struct Pending {
    /// Where the first of it began.
    since: Option<u64>,
    long_name: Option<Vec<u8>>,
    long_link: bool,
    records: Option<Records>,
}

#[derive(Debug)]
struct Listed {
    path: Box<str>,
    folded: Box<str>,
    folder: bool,
}

impl Listed {
    fn new(path: Box<str>, folder: bool) -> Self {
        Self {
            folded: fold(&path),
            path,
            folder,
        }
    }
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Archive {
    pending: Pending,
    counted: u64,
    listed: Vec<Listed>,
    files: BundleFiles,
}

impl Archive {
    /// Acts on the header at byte `at` and says what the bytes behind it are, and how many.
    pub(super) fn header(&mut self, block: &[u8], at: u64) -> Result<(Content, u64), BundleError> {
        let header = Header::read(block, at)?;
        self.counted += u64::from(!matches!(
            header.flag,
            Flag::LongName | Flag::LongLink | Flag::Pax
        ));
        within("entries", self.counted, ENTRIES_MAX)?;
        let end = at + BLOCK as u64 + header.size;
        within("bytes", end, BUNDLE_MAX)?;
        let content = match header.flag {
            Flag::File => self.file(&header, at)?,
            Flag::Folder => self.folder(&header, at)?,
            Flag::LongName => self.long_name(header.size, at)?,
            Flag::LongLink => self.long_link(header.size, at)?,
            Flag::Pax => self.pax(header.size, at)?,
            Flag::Global => self.global(header.size, at)?,
            Flag::Refused(kind) => return Err(self.refused(&header, kind)),
        };
        Ok((content, header.size))
    }

    /// Takes the bytes of a content that is not skipped; its header was at byte `at`.
    pub(super) fn content(
        &mut self,
        content: Content,
        bytes: Vec<u8>,
        at: u64,
    ) -> Result<(), BundleError> {
        match content {
            Content::Skipped | Content::LongLink => {}
            Content::LongName => self.pending.long_name = Some(long_name(bytes, at)?),
            Content::Pax => self.pending.records = Some(Records::read(&bytes, at)?),
            Content::Global => {
                if !Records::read(&bytes, at)?.is_silent() {
                    return Err(BundleError::Ambiguous {
                        what: "a global PAX header gives all entries one path or size",
                        offset: at,
                    });
                }
            }
            Content::Yaml(name) => {
                let text = text::utf8(&name, bytes)?;
                self.files.insert(name, text);
            }
        }
        Ok(())
    }

    fn file(&mut self, header: &Header<'_>, at: u64) -> Result<Content, BundleError> {
        let path = self.path(header, at)?;
        if path.slash || path.plain.is_empty() {
            return Err(BundleError::Ambiguous {
                what: "an entry is a file by its type and a folder by its name",
                offset: at,
            });
        }
        let name = path.below_root().filter(|name| path::is_yaml(name));
        let content = match name {
            None => Content::Skipped,
            Some(name) if path::is_decomposed(name) => {
                return Err(BundleError::Path {
                    name: shown(path.plain.as_bytes()),
                    problem: "has combining accents, so that the same name can be written in another way",
                });
            }
            Some(name) if header.size > YAML_MAX => {
                return Err(BundleError::FileTooLarge {
                    name: shown(name.as_bytes()),
                    found: header.size,
                    max: YAML_MAX,
                });
            }
            Some(name) => Content::Yaml(name.into()),
        };
        self.listed.push(Listed::new(path.plain, false));
        Ok(content)
    }

    fn folder(&mut self, header: &Header<'_>, at: u64) -> Result<Content, BundleError> {
        let path = self.path(header, at)?;
        if header.size != 0 {
            return Err(BundleError::Ambiguous {
                what: "a folder has content",
                offset: at,
            });
        }
        if let Some(name) = path.below_root().filter(|name| path::is_yaml(name)) {
            return Err(BundleError::Folder {
                name: shown(name.as_bytes()),
            });
        }
        if !path.plain.is_empty() {
            self.listed.push(Listed::new(path.plain, true));
        }
        Ok(Content::Skipped)
    }

    /// The entry's path from the one place that says it, with the size checked against PAX's.
    fn path(&mut self, header: &Header<'_>, at: u64) -> Result<Path, BundleError> {
        let ambiguous = |what| Err(BundleError::Ambiguous { what, offset: at });
        let Pending {
            long_name,
            long_link,
            records,
            ..
        } = std::mem::take(&mut self.pending);
        let records = records.unwrap_or_default();
        if long_link || records.link {
            return ambiguous("an entry that is no link has a link's target");
        }
        if records.size.is_some_and(|size| size != header.size) {
            return ambiguous("a PAX header and the entry's own header differ in the size");
        }
        match (long_name, records.path) {
            (Some(_), Some(_)) => ambiguous("an entry has a GNU and a PAX path"),
            (Some(path), None) | (None, Some(path)) => Path::parse(&path),
            (None, None) => Path::parse(&header.path()),
        }
    }

    fn long_name(&mut self, size: u64, at: u64) -> Result<Content, BundleError> {
        // Its last byte is a NUL.
        within("bytes in one path", size.saturating_sub(1), PATH_MAX as u64)?;
        let first = self.pending.long_name.is_none() && self.pending.records.is_none();
        self.pend(first, at)?;
        Ok(Content::LongName)
    }

    fn long_link(&mut self, size: u64, at: u64) -> Result<Content, BundleError> {
        within(
            "bytes in one link's target",
            size.saturating_sub(1),
            PATH_MAX as u64,
        )?;
        let first = !std::mem::replace(&mut self.pending.long_link, true);
        self.pend(first && self.pending.records.is_none(), at)?;
        Ok(Content::LongLink)
    }

    fn pax(&mut self, size: u64, at: u64) -> Result<Content, BundleError> {
        within("bytes of PAX records for one entry", size, PAX_MAX)?;
        self.pend(self.pending.since.is_none(), at)?;
        Ok(Content::Pax)
    }

    fn global(&mut self, size: u64, at: u64) -> Result<Content, BundleError> {
        within("bytes of PAX records for all entries", size, PAX_MAX)?;
        if self.pending.since.is_some() {
            return Err(BundleError::Ambiguous {
                what: "a global PAX header stands between an entry and what belongs to it",
                offset: at,
            });
        }
        Ok(Content::Global)
    }

    fn pend(&mut self, first: bool, at: u64) -> Result<(), BundleError> {
        if !first {
            return Err(BundleError::Ambiguous {
                what: "an entry's path or records are given twice",
                offset: at,
            });
        }
        self.pending.since.get_or_insert(at);
        Ok(())
    }

    fn refused(&mut self, header: &Header<'_>, kind: EntryKind) -> BundleError {
        let records = self.pending.records.take().unwrap_or_default();
        let path = self.pending.long_name.take().or(records.path);
        BundleError::Kind {
            name: shown(&path.unwrap_or_else(|| header.path())),
            kind,
        }
    }

    /// At the first zero block, which is at byte `at`: nothing may wait for an entry.
    pub(super) fn end(&self, at: u64) -> Result<(), BundleError> {
        match self.pending.since {
            None => Ok(()),
            Some(_) => Err(BundleError::Malformed {
                what: "a path or PAX header has no entry behind it",
                offset: at,
            }),
        }
    }

    /// The files, once the archive's end was read.
    pub(super) fn finish(mut self) -> Result<BundleFiles, BundleError> {
        if self.listed.is_empty() {
            return Err(BundleError::Empty);
        }
        self.no_clash()?;
        if self.files.is_empty() {
            return Err(BundleError::NoFolder {
                seen: super::lookup::instead(self.listed.iter().map(|listed| &*listed.path)),
            });
        }
        Ok(self.files)
    }

    /// Refuses two files of one path, and a file where a folder has to be. Folders may be listed again: `tar -r` does.
    fn no_clash(&mut self) -> Result<(), BundleError> {
        self.listed.sort_unstable_by(|a, b| a.folded.cmp(&b.folded));
        // A slash sorts before all else, so what is below a path follows it directly.
        let clash = self.listed.array_windows().find(|[a, b]| {
            let rest = b.folded.strip_prefix(&*a.folded);
            let same = rest == Some("") && !(a.folder && b.folder);
            same || (!a.folder && rest.is_some_and(|rest| rest.starts_with(SLASH)))
        });
        match clash {
            None => Ok(()),
            Some([first, second]) => Err(BundleError::Duplicate {
                first: shown(first.path.as_bytes()),
                second: shown(second.path.as_bytes()),
            }),
        }
    }
}

/// GNU tar ends a long path with one NUL.
fn long_name(mut bytes: Vec<u8>, at: u64) -> Result<Vec<u8>, BundleError> {
    if bytes.pop() == Some(0) && !bytes.contains(&0) {
        return Ok(bytes);
    }
    Err(BundleError::Malformed {
        what: "a long path does not end with its only NUL",
        offset: at,
    })
}

/// What a slash becomes in a folded path: less than any character of a path.
const SLASH: char = '\0';

/// Paths that a case-insensitive file system takes for the same are folded to the same text.
fn fold(path: &str) -> Box<str> {
    let lower = path.chars().flat_map(char::to_lowercase);
    lower.map(|c| if c == '/' { SLASH } else { c }).collect()
}
