//! A search in the text of a source file: whether it defines a name. It runs nothing and parses nothing, so it can miss.

/// Whether Python source defines `name`, or imports it under this name, or might by a star.
pub(in crate::targets) fn python_defines(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let words: Vec<&str> = words(line).collect();
        match words.as_slice() {
            ["def" | "class", defined, ..] | ["async", "def", defined, ..] => *defined == name,
            ["from" | "import", rest @ ..] => rest.contains(&name) || line.contains('*'),
            // The name in the middle of an import of several lines.
            [only] if line.ends_with(',') => *only == name,
            [first, ..] if *first == name => {
                let behind = line.strip_prefix(name).unwrap_or_default().trim_start();
                behind.starts_with(':') || (behind.starts_with('=') && !behind.starts_with("=="))
            }
            _ => false,
        }
    })
}

/// Whether any source mentions `name` as a word of its own.
pub(in crate::targets) fn mentions(text: &str, name: &str) -> bool {
    words(text).any(|word| word == name)
}

/// The functions that a Python source defines outside of any other, with so many parameters.
pub(in crate::targets) fn python_functions(text: &str, parameters: usize) -> Vec<&str> {
    let definitions = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("def ")?;
        let (name, rest) = rest.split_once('(')?;
        let (inside, _) = rest.split_once(')')?;
        let count = inside.split(',').filter(|part| !part.trim().is_empty());
        (count.count() == parameters).then(|| name.trim())
    });
    definitions.collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_imports_and_assignments_define_a_name() {
        for (text, defines) in [
            ("def handler(event, context):\n    pass", true),
            ("async def handler(event, context): pass", true),
            ("class handler: pass", true),
            ("handler = Mangum(app)", true),
            ("handler: Handler = make()", true),
            ("from app import handler", true),
            ("from app import (\n    other,\n    handler,\n)", true),
            ("from app import run as handler", true),
            ("from app import *", true),
            ("import handler", true),
            ("def handlers(event): pass", false),
            ("# handler is elsewhere", false),
            ("handler == 1", false),
            ("other(handler)", false),
            ("", false),
        ] {
            assert_eq!(python_defines(text, "handler"), defines, "{text}");
        }
    }

    #[test]
    fn a_word_is_mentioned_as_a_whole_only() {
        assert!(mentions("exports.handler = 1", "handler"));
        assert!(mentions("export const handler=()=>1", "handler"));
        assert!(!mentions("exports.handlers = 1", "handler"));
    }

    #[test]
    fn candidates_have_the_parameters_that_are_passed() {
        let text =
            "def a(event, context):\n  def b(x, y): pass\ndef c(x): pass\ndef d(\n  x, y): pass\n";
        assert_eq!(python_functions(text, 2), ["a"]);
        assert_eq!(python_functions(text, 1), ["c"]);
    }
}
