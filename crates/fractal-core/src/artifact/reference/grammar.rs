//! The grammar of references, as the OCI distribution specification and the common clients have it.

use std::fmt;
use std::str::FromStr;

use super::{ArtifactUri, Coordinate, Layout, Reference, ReferenceError, Version};

/// Longest repository name, in characters: registries limit `host/repository` to 255.
const REPOSITORY_MAX: usize = 255;
/// Longest tag, in characters.
const TAG_MAX: usize = 128;
/// Longest DNS name, in characters.
const HOST_MAX: usize = 253;

/// A registry's host name or address, with its port where one is given. Lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryHost(Box<str>);

/// A repository: lower-case path segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(Box<str>);

/// A tag, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// It as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )*};
}
text!(RegistryHost, Repository, Tag);

pub(super) fn artifact_uri(text: &str) -> Result<ArtifactUri, ReferenceError> {
    let mut cursor = Cursor {
        whole: text,
        rest: text.trim_matches(' '),
    };
    cursor.refuse_controls()?;
    if let Some(rest) = cursor.rest.strip_prefix("oci-layout:") {
        return layout(Cursor { rest, ..cursor });
    }
    cursor.rest = strip_scheme(cursor.rest)?;
    if cursor.rest.is_empty() {
        return Err(ReferenceError::Empty);
    }
    cursor.refuse_userinfo()?;
    let version = cursor.take_version()?;
    let Some((first, path)) = cursor
        .rest
        .split_once('/')
        .filter(|(first, _)| is_host(first))
    else {
        let repository = cursor.repository(cursor.rest)?;
        return Ok(ArtifactUri::Abstract(Coordinate {
            repository,
            version,
        }));
    };
    let host = cursor.host(first)?;
    let repository = cursor.repository(path)?;
    Ok(ArtifactUri::Registry(Reference {
        host,
        repository,
        version,
    }))
}

/// A first segment is a registry when it has a dot, a port or is `localhost`: Docker's rule.
fn is_host(segment: &str) -> bool {
    segment.contains(['.', ':']) || segment == "localhost"
}

/// Where `user:password@` ends: a path follows it, and a digest is none. A password may hold slashes and `@` itself.
fn userinfo_end(text: &str) -> Option<usize> {
    let first = text.find('/')?;
    let last = text.get(first..)?.rfind('/').map_or(first, |at| first + at);
    let at = text.get(..last)?.rfind('@')?;
    let is_digest = |rest: &str| rest.starts_with("sha256:") || rest.starts_with("sha512:");
    let after = text.get(at + 1..)?;
    (at < first || !is_digest(after)).then_some(at + 1)
}

/// The text with `***` in the place of what stands before an `@` that ends user information; `None` where there is none.
///
/// Nothing else is looked at: what is left is as good or bad a reference as it was.
pub(crate) fn without_userinfo(text: &str) -> Option<String> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at_checked(start)?;
    let end = userinfo_end(rest)?;
    Some(format!("{scheme}***@{}", rest.get(end..)?))
}

fn strip_scheme(text: &str) -> Result<&str, ReferenceError> {
    match text.split_once("://") {
        Some(("oci", rest)) => Ok(rest),
        Some((scheme, _)) => Err(ReferenceError::Scheme(scheme.escape_debug().to_string())),
        None => Ok(text),
    }
}

fn layout(mut cursor: Cursor<'_>) -> Result<ArtifactUri, ReferenceError> {
    let version = cursor.take_version()?;
    if cursor.rest.is_empty() {
        return Err(ReferenceError::Part {
            part: "the layout's path",
            problem: "is empty".into(),
        });
    }
    Ok(ArtifactUri::Layout(Layout {
        path: cursor.rest.into(),
        version,
    }))
}

/// What is left to read, and the text as given, so that an error can say at which offset.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize)
    }

    fn refuse_controls(&self) -> Result<(), ReferenceError> {
        let bad =
            |c: char| c.is_control() || c.is_whitespace() || !c.is_ascii() || c == '%' || c == '\\';
        self.find(self.rest, "a reference", bad)
    }

    fn find(
        &self,
        text: &str,
        part: &'static str,
        bad: impl Fn(char) -> bool,
    ) -> Result<(), ReferenceError> {
        text.char_indices()
            .find(|(_, c)| bad(*c))
            .map_or(Ok(()), |(at, c)| {
                Err(ReferenceError::Character {
                    character: c.escape_unicode_or_self(),
                    offset: self.offset(text) + at,
                    part,
                })
            })
    }

    fn refuse_userinfo(&self) -> Result<(), ReferenceError> {
        match userinfo_end(self.rest) {
            Some(_) => Err(ReferenceError::Userinfo),
            None => Ok(()),
        }
    }

    fn take_version(&mut self) -> Result<Version, ReferenceError> {
        let mut version = Version::default();
        if let Some((rest, digest)) = self.rest.split_once('@') {
            version.digest = Some(digest.parse()?);
            self.rest = rest;
        }
        let name_start = self.rest.rfind('/').map_or(0, |slash| slash + 1);
        if let Some((_, tag)) = self
            .rest
            .get(name_start..)
            .and_then(|name| name.split_once(':'))
        {
            version.tag = Some(self.tag(tag)?);
            self.rest = self
                .rest
                .get(..self.rest.len() - tag.len() - 1)
                .unwrap_or_default();
        }
        Ok(version)
    }

    fn tag(&self, text: &'a str) -> Result<Tag, ReferenceError> {
        self.find(text, "a tag", |c| {
            !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        })?;
        let problem = match text.chars().next() {
            None => "is empty".into(),
            Some(c @ ('.' | '-')) => format!("may not begin with `{c}`"),
            Some(_) if text.len() > TAG_MAX => format!(
                "has {} characters, at most {TAG_MAX} are allowed",
                text.len()
            ),
            Some(_) => return Ok(Tag(text.into())),
        };
        Err(ReferenceError::Part {
            part: "the tag",
            problem,
        })
    }

    fn host(&self, text: &'a str) -> Result<RegistryHost, ReferenceError> {
        let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        self.find(text, "a registry host", bad)?;
        let lower = text.to_ascii_lowercase();
        let (name, port) = lower
            .split_once(':')
            .map_or((lower.as_str(), None), |(name, port)| (name, Some(port)));
        let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let label_fits = |label: &str| {
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if name.len() > HOST_MAX || !name.split('.').all(label_fits) {
            return Err(ReferenceError::Part {
                part: "the registry host",
                problem: format!("`{text}` is no DNS name"),
            });
        }
        if !port_fits {
            return Err(ReferenceError::Part {
                part: "the registry's port",
                problem: "is no number from 1 to 65535".into(),
            });
        }
        Ok(RegistryHost(lower.into()))
    }

    fn repository(&self, text: &'a str) -> Result<Repository, ReferenceError> {
        let part = "the repository";
        let bad = |c: char| {
            !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/'))
        };
        self.find(text, "a repository", bad)?;
        if text.is_empty() {
            return Err(ReferenceError::Part {
                part,
                problem: "is empty".into(),
            });
        }
        if text.len() > REPOSITORY_MAX {
            let problem = format!(
                "has {} characters, at most {REPOSITORY_MAX} are allowed",
                text.len()
            );
            return Err(ReferenceError::Part { part, problem });
        }
        match text.split('/').find(|segment| !is_segment(segment)) {
            None => Ok(Repository(text.into())),
            Some("") => Err(ReferenceError::Part {
                part,
                problem: "has an empty segment".into(),
            }),
            Some(segment) => {
                let problem = format!(
                    "has the segment `{segment}`: one begins and ends with a letter or digit, with `.`, `_`, `__` or dashes between"
                );
                Err(ReferenceError::Part { part, problem })
            }
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_segment(segment: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edges = segment.starts_with(alnum) && segment.ends_with(alnum);
    let separators = segment
        .split(alnum)
        .filter(|separator| !separator.is_empty());
    edges
        && separators
            .into_iter()
            .all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

trait Escape {
    fn escape_unicode_or_self(self) -> String;
}

impl Escape for char {
    /// Printable ASCII stays; everything else is escaped, so that an echo cannot reorder or break a line.
    fn escape_unicode_or_self(self) -> String {
        if self.is_ascii_graphic() {
            self.to_string()
        } else {
            self.escape_unicode().to_string()
        }
    }
}

macro_rules! parse_alone {
    ($($name:ident by $method:ident),*) => {$(
        impl FromStr for $name {
            type Err = ReferenceError;
            fn from_str(text: &str) -> Result<Self, ReferenceError> {
                Cursor { whole: text, rest: text }.$method(text)
            }
        }
    )*};
}
parse_alone!(RegistryHost by host, Repository by repository, Tag by tag);
