//! Which small files of a zip rules look into.

use crate::targets::Settings;

/// Files that say how a zip is laid out.
const DESCRIPTIONS: [&str; 8] = [
    "bootstrap",
    "host.json",
    "package.json",
    "requirements.txt",
    "function_app.py",
    "main.py",
    "go.mod",
    "Gemfile",
];
/// Sources that an entry point can be found in.
const SOURCES: [&str; 8] = [".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".go", ".php"];
/// Folders that compilers and people put the main file in.
const FOLDERS: [&str; 5] = ["src", "dist", "lib", "build", "functions"];

/// Says for a file's name whether [`check`](crate::targets::judge) looks into it: descriptions, sources outside of folders
/// and in the usual ones, and the file that the settings name.
pub fn wanted(settings: &Settings) -> impl Fn(&str) -> bool + Send + Sync + use<> {
    let named: Vec<String> = [&settings.handler, &settings.entry_point]
        .into_iter()
        .flatten()
        .map(|text| module(text))
        .collect();
    move |name| {
        DESCRIPTIONS.contains(&name)
            || is_function(name)
            || is_source(name)
            || named.iter().any(|stem| {
                name.strip_prefix(stem.as_str())
                    .is_some_and(|rest| rest.starts_with('.') || rest.starts_with("/__init__."))
            })
    }
}

/// The path of a module without its ending: of `etl.jobs:main` and `etl/jobs.main` the same.
fn module(text: &str) -> String {
    let path = match text.split_once(':') {
        Some((module, _)) => module,
        None => text.rsplit_once('.').map_or(text, |(module, _)| module),
    };
    path.replace('.', "/")
}

/// One function's bindings: `NAME/function.json`.
fn is_function(name: &str) -> bool {
    name.strip_suffix("/function.json")
        .is_some_and(|folder| !folder.contains('/'))
}

fn is_source(name: &str) -> bool {
    let near = match name.rsplit_once('/') {
        None => true,
        Some((folder, _)) => FOLDERS
            .iter()
            .any(|usual| folder == *usual || folder.strip_suffix("/functions") == Some(usual)),
    };
    near && SOURCES.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_sources_and_what_is_named_are_looked_into() {
        let settings = Settings {
            handler: Some("a.b/deep.run".into()),
            entry_point: Some("etl.jobs:main".into()),
            ..Settings::default()
        };
        let wanted = wanted(&settings);
        for name in [
            "host.json",
            "hello/function.json",
            "app.py",
            "dist/index.js",
            "dist/functions/index.js",
            "a/b/deep.py",
            "etl/jobs.py",
            "etl/jobs/__init__.py",
        ] {
            assert!(wanted(name), "{name}");
        }
        for name in [
            "a/hello/function.json",
            "node_modules/x/index.js",
            "etl/other.py",
            "data.bin",
        ] {
            assert!(!wanted(name), "{name}");
        }
    }
}
