//! The files that the contract names: a component's manifest and the parameters.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::BundleFiles;
use super::error::BundleError;
use super::path::{ROOT, file_name, shown};

/// Most names listed in a message.
const SHOWN_MAX: usize = 8;
const DEPLOYMENT: &str = "-fdeploy";
const PARAMETERS: &str = "fractal-parameters";
/// In the order the contract prefers them.
const EXTENSIONS: [&str; 2] = [".yaml", ".yml"];

/// A file of a bundle: its path below `.fractal/` and its text.
pub type BundleFile<'a> = (&'a str, &'a Arc<str>);

/// The manifest of `component`: `<component>-fdeploy.yaml` or `.yml`, where the id is exact.
///
/// # Errors
/// [`BundleError::Missing`] names the files there are and those that may be meant; [`BundleError::Both`] where both exist.
pub fn deployment<'a>(
    files: &'a BundleFiles,
    component: &str,
) -> Result<BundleFile<'a>, BundleError> {
    either(files, &format!("{component}{DEPLOYMENT}"))?.ok_or_else(|| BundleError::Missing {
        component: shown(component.as_bytes()),
        seen: near(files, component),
    })
}

/// The parameters, where the bundle has any: `fractal-parameters.yml` or `.yaml`.
///
/// # Errors
/// [`BundleError::Both`] where both exist.
pub fn parameters(files: &BundleFiles) -> Result<Option<BundleFile<'_>>, BundleError> {
    either(files, PARAMETERS)
}

/// The ids of the components that have a manifest: sorted, each once.
pub fn components(files: &BundleFiles) -> impl Iterator<Item = &str> {
    let ids: BTreeSet<&str> = files.keys().filter_map(|name| id(name)).collect();
    ids.into_iter()
}

/// The files that the contract does not name: no component's manifest, and no parameters.
pub fn unread(files: &BundleFiles) -> impl Iterator<Item = &str> {
    let names = files.keys().map(|name| &**name);
    names.filter(|name| id(name).is_none() && plain(name) != Some(PARAMETERS))
}

/// The component whose manifest has this name.
fn id(name: &str) -> Option<&str> {
    let id = plain(name)?.strip_suffix(DEPLOYMENT)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// A file's name without its extension.
fn plain(name: &str) -> Option<&str> {
    EXTENSIONS
        .iter()
        .find_map(|extension| name.strip_suffix(extension))
}

fn either<'a>(files: &'a BundleFiles, stem: &str) -> Result<Option<BundleFile<'a>>, BundleError> {
    let [yaml, yml] =
        EXTENSIONS.map(|extension| files.get_key_value(&*format!("{stem}{extension}")));
    match (yaml, yml) {
        (Some((first, _)), Some((second, _))) => Err(BundleError::Both {
            first: shown(first.as_bytes()),
            second: shown(second.as_bytes()),
        }),
        (found, None) | (None, found) => Ok(found.map(|(name, text)| (&**name, text))),
    }
}

/// What the bundle has instead of the manifest of `component`, with the reason where one can be seen.
fn near(files: &BundleFiles, component: &str) -> String {
    let names = || files.keys().map(|name| &**name);
    let hint = names().find_map(|name| Some((name, hint(name, component)?)));
    let seen = format!("it has {}", listed(names()));
    match hint {
        None => seen,
        Some((name, hint)) => format!("{seen}; `{}` {hint}", shown(name.as_bytes())),
    }
}

fn hint(name: &str, component: &str) -> Option<&'static str> {
    let same = |id: &str| id.to_lowercase() == component.to_lowercase();
    if name.contains('/') {
        return same(id(file_name(name))?)
            .then_some("is in a folder, it belongs directly into `.fractal/`");
    }
    let Some(id) = id(name) else {
        return same(plain(name)?).then_some("lacks `-fdeploy` in its name");
    };
    if same(id) {
        return Some("differs in upper and lower case");
    }
    let alike = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.starts_with(['-', '_', '.']))
    };
    (alike(id, component) || alike(component, id))
        .then_some("belongs to another component whose id only begins alike")
}

/// What a tar without a YAML file below `.fractal/` has instead.
pub(super) fn instead<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> String {
    let is_of = |part: &str| part.ends_with("-fdeploy.yaml") || part.ends_with("-fdeploy.yml");
    let inside = |path: &&str| {
        !path.contains('/') && (is_of(path) || path.starts_with("fractal-parameters.y"))
    };
    let deeper = |path: &&str| path.split('/').skip(1).any(|part| part == ROOT);
    let other_case = |path: &&str| {
        let first = path.split('/').next().unwrap_or_default();
        first != ROOT && first.eq_ignore_ascii_case(ROOT)
    };
    let named = |path: &str, what: &str| format!("`{}` {what}", shown(path.as_bytes()));
    if let Some(path) = paths.clone().find(inside) {
        return named(
            path,
            "stands at its top, so it was packed from inside `.fractal`",
        );
    }
    if let Some(path) = paths.clone().find(deeper) {
        return named(
            path,
            "stands below another folder, so it was packed from above the repository's root",
        );
    }
    if let Some(path) = paths.clone().find(other_case) {
        return named(path, "is written in other letters than `.fractal`");
    }
    format!("it has {}", listed(paths))
}

/// The first few of `names`, and how many more there are.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names = names.fuse();
    let first: Vec<String> = names
        .by_ref()
        .take(SHOWN_MAX)
        .map(|name| format!("`{}`", shown(name.as_bytes())))
        .collect();
    match names.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
