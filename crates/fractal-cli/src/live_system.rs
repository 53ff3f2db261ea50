//! Live systems as people name them: by their whole id, or by its last segment where that is enough.

use fractal_core::contract::LiveSystemId;
use fractal_queue::{LiveSystemDocument, Queue};

use crate::error::CliError;

/// Most names listed in a message.
const LISTED: usize = 10;

/// The live system that `text` names.
pub(crate) async fn find(queue: &Queue, text: &str) -> Result<LiveSystemDocument, CliError> {
    let all = queue.live_systems().await?;
    let names: Vec<&str> = all.iter().map(|system| system.id.as_str()).collect();
    let place = choose(&names, text)?;
    all.into_iter().nth(place).ok_or_else(|| unknown(text, &[]))
}

/// Which of `names` is meant by `text`.
fn choose(names: &[&str], text: &str) -> Result<usize, CliError> {
    let whole = LiveSystemId::decode(text).ok();
    let is_whole = |name: &&str| whole.as_ref().is_some_and(|whole| whole.as_str() == *name);
    if let Some(place) = names.iter().position(is_whole) {
        return Ok(place);
    }
    let matching: Vec<usize> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| ends_with(name, text))
        .map(|(place, _)| place)
        .collect();
    match matching.as_slice() {
        [place] => Ok(*place),
        [] => Err(unknown(text, names)),
        several => {
            let names = several
                .iter()
                .filter_map(|place| names.get(*place).copied());
            let names: Vec<&str> = names.collect();
            let what = format!("`{}` stands for several live systems", shown(text));
            Err(CliError::name(
                what,
                format!("name one whole: {}", listed(&names)),
            ))
        }
    }
}

/// Whether `name` is `end`, or ends with it at the border of a segment.
pub(crate) fn ends_with(name: &str, end: &str) -> bool {
    let before = name.strip_suffix(end);
    !end.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn unknown(text: &str, names: &[&str]) -> CliError {
    let next = if names.is_empty() {
        "the queue holds no live system; submit one with `fractal up`".to_owned()
    } else {
        format!("there are: {}", listed(names))
    };
    CliError::name(format!("there is no live system `{}`", shown(text)), next)
}

/// A name somebody typed, for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect()
}

/// The first names, and how many more there are.
pub(crate) fn listed(names: &[&str]) -> String {
    let first: Vec<&str> = names.iter().copied().take(LISTED).collect();
    match names.len().saturating_sub(LISTED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_system_is_named_whole_or_by_an_end_that_is_enough() {
        let names = [
            "Personal/o/bc/shop",
            "Personal/o/other/shop",
            "Personal/o/bc/desk",
            "shop",
        ];
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(choose(&names, text).ok(), expected, "{text}");
        };
        check("Personal/o/bc/shop", Some(0));
        check("Personal/o/b%63/shop", Some(0));
        check("other/shop", Some(1));
        check("desk", Some(2));
        check("esk", None);
        check("", None);
        check("shop", Some(3));
        let several = choose(&names[..2], "shop").unwrap_err().to_string();
        assert_eq!(several, "`shop` stands for several live systems");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names = ["a"; 12];
        assert!(listed(&names).ends_with("a and 2 more"));
    }
}
