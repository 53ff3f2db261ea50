//! Where parts live: a folder for each pinned part, one view of links to all of them, and the lock that keeps two installations apart.
//! It installs nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::console::Console;
use crate::fault::Fault;
use crate::workspace::Workspace;

use super::pins::{self, PARTS, Part};

/// The folder of all parts. A part whose pins did not change stays where it is, whatever becomes of the others.
#[derive(Debug)]
pub(crate) struct Place {
    base: PathBuf,
}

impl Place {
    pub(crate) fn find(workspace: &Workspace) -> Result<Self, Fault> {
        let base = base(
            |name| std::env::var_os(name).filter(|value| !value.is_empty()),
            workspace.target(),
        );
        std::fs::create_dir_all(&base).map_err(Fault::at("create", &base))?;
        Ok(Self {
            base: std::path::absolute(&base).map_err(Fault::at("resolve", &base))?,
        })
    }

    /// The folder that is this part's and no other's, at these pins.
    pub(crate) fn home(&self, part: &Part) -> PathBuf {
        self.base.join(format!("{}-{:016x}", part.name, part.key()))
    }

    /// Where every part is found below one folder. Other pins have another view, so two checkouts never disturb each other.
    pub(crate) fn view(&self) -> PathBuf {
        self.base.join(pins::key())
    }

    /// Makes the view whole: a link for everything a part offers. Links that are right are left alone.
    pub(crate) fn link(&self) -> Result<(), Fault> {
        let view = self.view();
        for part in PARTS {
            for offered in part.offers() {
                let (link, target) = (view.join(offered), self.home(part).join(offered));
                if std::fs::read_link(&link).ok().as_ref() != Some(&target) {
                    let folder = link.parent().unwrap_or(&view);
                    std::fs::create_dir_all(folder).map_err(Fault::at("create", folder))?;
                    relink(&link, &target)?;
                }
            }
        }
        Ok(())
    }

    /// Scratch room for one installation; whatever an interrupted one left goes first. Call it under the lock.
    pub(crate) fn scratch(&self) -> Result<PathBuf, Fault> {
        let scratch = self.base.join("scratch");
        remove(&scratch)?;
        std::fs::create_dir_all(&scratch).map_err(Fault::at("create", &scratch))?;
        Ok(scratch)
    }

    /// Held until the file is dropped; the system releases it when its holder dies.
    pub(crate) fn lock(&self, console: Console) -> Result<File, Fault> {
        let path = self.base.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Fault::at("open", &path))?;
        if file.try_lock().is_err() {
            console.note("another installation of the parts is running: waiting for it");
            file.lock().map_err(Fault::at("lock", &path))?;
        }
        Ok(file)
    }
}

/// The rename lets two commands link at once without either finding nothing.
fn relink(link: &Path, target: &Path) -> Result<(), Fault> {
    let fresh = link.with_extension(format!("new-{}", std::process::id()));
    remove(&fresh)?;
    std::os::unix::fs::symlink(target, &fresh).map_err(Fault::at("create", &fresh))?;
    std::fs::rename(&fresh, link).map_err(Fault::at("create", link))
}

fn base(variable: impl Fn(&str) -> Option<OsString>, target: &Path) -> PathBuf {
    if let Some(chosen) = variable("FRACTAL_PARTS_DIR") {
        return chosen.into();
    }
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = cache.or_else(|| usable_home(variable("HOME")).map(|home| home.join(".cache")));
    let chosen = cache
        .map(|cache| cache.join("fractal").join("parts"))
        .filter(|path| std::fs::create_dir_all(path).is_ok());
    chosen.unwrap_or_else(|| target.join("parts"))
}

/// A home that exists and can be written to; one that does not exist is never created.
pub(crate) fn usable_home(home: Option<OsString>) -> Option<PathBuf> {
    let home = PathBuf::from(home?);
    (home.is_absolute() && writable(&home)).then_some(home)
}

pub(crate) fn writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".fractal-probe-{}", std::process::id()));
    let made = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(&probe)
        .is_ok();
    let _gone = std::fs::remove_file(&probe);
    made
}

/// Removes a file or a folder; that it is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<(), Fault> {
    let outcome = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    outcome.map_err(Fault::at("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        base(find, Path::new("/checkout/target"))
    }

    #[test]
    fn the_variable_wins_then_the_cache_folder_then_the_home_then_the_target_folder() {
        let folder = std::env::temp_dir().join(format!("fractal-place-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let home = folder.to_str().unwrap();
        let cache = folder.join("cache");
        assert_eq!(
            chosen(&[("FRACTAL_PARTS_DIR", "/chosen"), ("HOME", home)]),
            Path::new("/chosen")
        );
        assert_eq!(
            chosen(&[("XDG_CACHE_HOME", cache.to_str().unwrap()), ("HOME", home)]),
            cache.join("fractal/parts")
        );
        assert_eq!(
            chosen(&[("HOME", home)]),
            folder.join(".cache/fractal/parts")
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            chosen(&[("HOME", home)]),
            Path::new("/checkout/target/parts")
        );
        assert!(!folder.exists(), "a home that does not exist was created");
        assert_eq!(chosen(&[]), Path::new("/checkout/target/parts"));
    }
}
