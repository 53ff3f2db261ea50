//! Where the programs are that `cargo xtask parts` installs. A missing one fails the test; nothing is fetched here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The program `path` below the parts folder.
pub(crate) fn part(path: &str) -> PathBuf {
    within(std::env::var_os("FRACTAL_PARTS"), path).unwrap_or_else(|missing| panic!("{missing}"))
}

fn within(parts: Option<OsString>, path: &str) -> Result<PathBuf, String> {
    let advice =
        "install the parts with `cargo xtask parts` and start the tests with `cargo xtask test`";
    let parts = parts.ok_or_else(|| format!("FRACTAL_PARTS is not set: {advice}"))?;
    let program = Path::new(&parts).join(path);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is missing: {advice}", program.display()))
    }
}

#[test]
fn a_missing_part_names_the_command_that_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    for parts in [None, Some(folder.path().as_os_str().to_owned())] {
        let missing = within(parts, "bin/registry").unwrap_err();
        assert!(missing.contains("`cargo xtask parts`"), "{missing}");
    }
}
