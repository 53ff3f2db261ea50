//! That values which are taken for harmless are, and that others never get past the comparison of shapes.

use proptest::prelude::*;
use serde_json::json;

use super::super::yaml::{self, Scalars};
use super::*;

/// A text with most of what YAML has, to put names into.
const TEXT: &str = "# comment\nkind: A\nlist:\n- a\n- - b c\n  - 'd e'\nflow: {k: v, l: [m, \"n o\"]}\nblock: |\n  one\n  two\nfold: >-\n  three\n  four\nmulti: five\n  six\n---\nkind: B\nbase: &base {x: 1}\nmerged:\n  <<: *base\n  y: 2\n";

/// Places where a value stands, one scalar each.
const PLACES: [&str; 10] = [
    "a: $V\nb: c\n",
    "a: '$V'\n",
    "a: \"$V\"\n",
    "a: {b: $V, c: d}\n",
    "a: [$V, x]\n",
    "a: |\n  $V\n  x\n",
    "a: >-\n  $V\nb: c\n",
    "a: x # $V\nb: c\n",
    "- $V\n- x\n",
    "a: x$V\nb:\n  - y\n",
];

fn values(value: &str) -> Map<String, Value> {
    let values = json!({ "V": value });
    values.as_object().cloned().unwrap_or_default()
}

/// A value's form, every scalar the same.
fn skeleton(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(skeleton).collect(),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (key.clone(), skeleton(value)));
            entries.collect()
        }
        _ => Value::Null,
    }
}

fn skeletons(text: &str) -> Option<Vec<Value>> {
    let documents = yaml::documents(text, Scalars::Resolved).ok()?;
    Some(documents.iter().map(|it| skeleton(&it.value)).collect())
}

fn same_shape(text: &str, values: &Map<String, Value>) -> bool {
    let after = substitute(text, values).unwrap();
    let becomes = |text: &str| substitute(text, values).ok().map(|it| it.text.into_owned());
    yaml::same_shape(text, &after.text, &becomes).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn y07_a_harmless_value_changes_no_shape_wherever_it_stands(
        at in 0..TEXT.len(),
        value in "[ab0_/][ab0_/.:@+=&?%~;()|<>^*!$#-]{0,6}[ab0_/.@+=&?%~;()|<>^*!$#-]",
    ) {
        prop_assert!(is_harmless(&value));
        let text = format!("{}$V{}", &TEXT[..at], &TEXT[at..]);
        let values = values(&value);
        if yaml::documents(&text, Scalars::Resolved).is_ok() {
            prop_assert!(same_shape(&text, &values), "{text}");
        }
    }

    #[test]
    fn y07_a_value_of_the_same_shape_adds_and_moves_nothing(
        place in 0..PLACES.len(),
        value in "[ab \n\t:#,{}\\[\\]'\"|>&*!%@`?<=.-]{0,8}",
    ) {
        let text = PLACES[place];
        let values = values(&value);
        if same_shape(text, &values) {
            let after = substitute(text, &values).unwrap().text;
            if let Some(after) = skeletons(&after) {
                prop_assert_eq!(Some(after), skeletons(text));
            }
        }
    }
}
