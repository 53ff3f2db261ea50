//! Names of the objects we make in a cloud: a function of the component, so that a lost create is found again.

use crate::contract::ComponentKey;

/// `<component>-<8 hex of the key's hash>`: lower case, other characters as `-`, cut to `max` characters.
///
/// The hash keeps the names of two live systems' equally called components apart.
#[must_use]
pub fn default_name(key: &ComponentKey, max: usize) -> String {
    let hash = key.hash();
    let suffix = hash.get(..8).unwrap_or_default();
    let fits = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let room = max.saturating_sub(suffix.len() + 1);
    let stem: String = key
        .component
        .as_str()
        .chars()
        .map(fits)
        .take(room)
        .collect();
    format!("{}-{suffix}", stem.trim_end_matches('-'))
}
