//! Whether the file a handler names is in the zip: Lambda itself finds out only when the function is invoked.

use fractal_core::artifact::ZipFacts;
use fractal_core::{Fault, Reason};

use super::Settings;
use crate::error::Error;

/// The file that the handler names is not in the zip.
const HANDLER_MISSING: Reason = Reason::new("HandlerMissing");

/// Checks runtimes whose layout is documented; of others nothing is assumed.
pub(super) fn present(settings: &Settings, zip: &ZipFacts) -> Result<(), Error> {
    let (Some(runtime), Some(handler)) = (&settings.runtime, &settings.handler) else {
        return Ok(());
    };
    let candidates = candidates(runtime, handler);
    if candidates.is_empty() || candidates.iter().any(|name| zip.has(name)) {
        return Ok(());
    }
    let some: Vec<_> = zip
        .names
        .iter()
        .take(8)
        .map(|name| name.escape_debug().to_string())
        .collect();
    Err(Fault::terminal(
        HANDLER_MISSING,
        format!("the zip has no {}", candidates.join(" or ")),
    )
    .at("parameters.handler")
    .because(format!(
        "the handler is `{}`, the zip has {} file(s): {}",
        handler.escape_debug(),
        zip.names.len(),
        some.join(", ")
    ))
    .next("put the file at that path in the zip, or correct `handler`")
    .into())
}

fn candidates(runtime: &str, handler: &str) -> Vec<String> {
    // `dir/module.function`: the last dot separates the function; in a Python module path, dots are folders too.
    let module = handler
        .rsplit_once('.')
        .map_or(handler, |(module, _)| module);
    let files = |module: &str, endings: &[&str]| {
        endings
            .iter()
            .map(|ending| format!("{module}{ending}"))
            .collect()
    };
    match runtime.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | 'x')) {
        "python" => files(
            &module.replace('.', "/"),
            &[".py", ".pyc", ".so", "/__init__.py"],
        ),
        "nodejs" => files(module, &[".js", ".mjs", ".cjs", "/index.js"]),
        "ruby" => files(module, &[".rb"]),
        "provided" | "provided.al" => vec!["bootstrap".to_owned()],
        _ => Vec::new(),
    }
}
