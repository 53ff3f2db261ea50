//! Where the installed programs are. A missing one fails the test; nothing is skipped.

use std::path::{Path, PathBuf};

use super::error::ClusterError;

/// The variable with the folder of the installed parts.
const FOLDER: &str = "FRACTAL_PARTS";

/// An installed program, by the name it has in the parts' `bin` folder.
pub(crate) fn program(name: &str) -> Result<PathBuf, ClusterError> {
    let folder = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty());
    within(folder.as_deref().map(Path::new), name)
}

fn within(folder: Option<&Path>, name: &str) -> Result<PathBuf, ClusterError> {
    let Some(folder) = folder else {
        let what = format!("{FOLDER} is not set, so there is no {name}");
        return Err(ClusterError::Part { what });
    };
    let program = folder.join("bin").join(name);
    if program.is_file() {
        Ok(program)
    } else {
        let what = format!("{} is missing", program.display());
        Err(ClusterError::Part { what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_parts_the_way_to_get_them_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for folder in [None, Some(folder.path())] {
            let said = within(folder, "etcd").unwrap_err().to_string();
            assert!(
                said.contains("etcd") && said.contains("cargo xtask test"),
                "{said}"
            );
        }
    }
}
