//! Dependencies that a zip names and does not bring along.

use serde_json::Value;

use super::ZipContents;

/// The distributions that `requirements.txt` names and that no `*.dist-info` or package of the same name below `folder`
/// brings along. `provided` are there without it.
pub(super) fn missing_python(zip: &ZipContents, folder: &str, provided: &[&str]) -> Vec<String> {
    let text = zip.text("requirements.txt").unwrap_or_default();
    let mut missing: Vec<String> = text
        .lines()
        .filter_map(distribution)
        .filter(|name| !provided.contains(&name.as_str()) && !brings(zip, folder, name))
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// The distribution's name in a line of a requirements file, in its normal form (PEP 503); options and paths name none.
fn distribution(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let name = line.get(..end.unwrap_or(line.len()))?;
    let behind = line.get(name.len()..).unwrap_or_default().trim_start();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !behind.starts_with(['/', ':', '\\'])
        && !name.ends_with(".whl");
    is_name.then(|| normal(name))
}

fn brings(zip: &ZipContents, folder: &str, name: &str) -> bool {
    zip.names().any(|file| {
        let Some(rest) = file.strip_prefix(folder) else {
            return false;
        };
        let top = rest.split('/').next().unwrap_or_default();
        let top = match top.split_once('-') {
            Some((distribution, rest)) if rest.ends_with(".dist-info") => distribution,
            _ => top.strip_suffix(".py").unwrap_or(top),
        };
        normal(top) == name
    })
}

fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.push(other.to_ascii_lowercase()),
        }
    }
    normal
}

/// The packages that `package.json` depends on and that are not in `node_modules`. `provided` are there without it.
pub(super) fn missing_node(
    zip: &ZipContents,
    package: &Value,
    provided: impl Fn(&str) -> bool,
) -> Vec<String> {
    let Some(wanted) = package.get("dependencies").and_then(Value::as_object) else {
        return Vec::new();
    };
    let is_missing =
        |name: &&String| !provided(name) && !zip.has_below(&format!("node_modules/{name}/"));
    wanted.keys().filter(is_missing).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_as_pip_reads_them() {
        let name = |line: &str| distribution(line);
        assert_eq!(name("Foo_Bar.baz==1.0"), Some("foo-bar-baz".into()));
        assert_eq!(
            name("requests[socks] >= 2 ; python_version > '3'"),
            Some("requests".into())
        );
        assert_eq!(
            name("pkg @ https://example.com/pkg.whl"),
            Some("pkg".into())
        );
        for line in [
            "",
            "# x",
            "-r other.txt",
            "--index-url https://x",
            "./local",
            "https://x/y.whl",
            "x/y.whl",
            "y.whl",
        ] {
            assert_eq!(name(line), None, "{line}");
        }
    }
}
