//! Names from a bundle in messages: escaped, cut, and not too many.

/// Most names, objects or offenders in one message.
const SHOWN_MAX: usize = 16;

/// Up to sixteen names in backticks.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| shown(name))
        .collect();
    let rest = names.len().saturating_sub(SHOWN_MAX);
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{} and {rest} more", shown.join(", "))
    }
}

/// A name from the bundle, escaped and cut.
pub(crate) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 128;
    let cut: String = name
        .chars()
        .take(CHARACTERS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    format!("`{cut}`")
}
