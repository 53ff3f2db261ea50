//! Writing a bundle: the same files give the same bytes on every machine, and the reader beside it takes them.

use super::error::BundleError;
use super::header::{BLOCK, CHECKSUM, POSIX, checksum};
use super::path::{ROOT, shown};
use super::scan::BundleScanner;

/// What tars are padded to since the days of tape: 20 blocks.
const RECORD: usize = 20 * BLOCK;
const NAME_LEN: usize = 100;
const PREFIX_LEN: usize = 155;

/// A tar of `files`, each a path below `.fractal/` and its content.
///
/// Sorted by path, in plain ustar, files of mode 0644, with no owner, no group and a modification time of zero.
///
/// # Errors
/// Where [`BundleScanner`] would refuse the result, or a path does not fit a ustar header (100 bytes, or 255 where
/// a slash parts it).
pub fn bundle_tar<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, BundleError> {
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_unstable();
    let mut tar = entry(&format!("{ROOT}/"), &[])?;
    for (path, content) in files {
        tar.extend(entry(&format!("{ROOT}/{path}"), content)?);
    }
    tar.resize((tar.len() + 2 * BLOCK).next_multiple_of(RECORD), 0);
    let mut scanner = BundleScanner::new();
    scanner.push(&tar);
    scanner.finish(tar.len() as u64)?;
    Ok(tar)
}

fn entry(path: &str, content: &[u8]) -> Result<Vec<u8>, BundleError> {
    let (prefix, name) = split(path).ok_or_else(|| BundleError::PathTooLong {
        name: shown(path.strip_prefix(".fractal/").unwrap_or(path).as_bytes()),
    })?;
    let folder = path.ends_with('/');
    let (mode, flag) = if folder {
        ("0000755\0", "5")
    } else {
        ("0000644\0", "0")
    };
    let fields = [
        (0, name),
        (100, mode),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (124, &format!("{:011o}\0", content.len())),
        (136, "00000000000\0"),
        (156, flag),
        (329, "0000000\0"),
        (337, "0000000\0"),
        (345, prefix),
    ];
    let mut block = vec![0; BLOCK];
    put(&mut block, 257, POSIX);
    for (at, text) in fields {
        put(&mut block, at, text.as_bytes());
    }
    let sum = format!("{:06o}\0 ", checksum(&block));
    put(&mut block, CHECKSUM.0, sum.as_bytes());
    block.extend_from_slice(content);
    block.resize(block.len().next_multiple_of(BLOCK), 0);
    Ok(block)
}

fn put(block: &mut [u8], at: usize, text: &[u8]) {
    for (place, byte) in block.iter_mut().skip(at).zip(text) {
        *place = *byte;
    }
}

/// Prefix and name of a path: parted at the first slash behind which it fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME_LEN {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| path.split_at(at))
        .filter_map(|(prefix, name)| Some((prefix, name.strip_prefix('/')?)))
        .find(|(prefix, name)| {
            prefix.len() <= PREFIX_LEN && name.len() <= NAME_LEN && !name.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_are_parted_at_a_slash_or_refused() {
        let part = |length: usize| "p".repeat(length);
        let long = format!("{}/{}", part(155), part(100));
        assert_eq!(split(&long), Some((&*part(155), &*part(100))));
        assert_eq!(split(&part(100)), Some(("", &*part(100))));
        for path in [
            part(101),
            format!("{}/{}", part(156), part(10)),
            format!("{}/{}", part(10), part(101)),
        ] {
            assert_eq!(split(&path), None, "{path}");
        }
    }
}
