//! Row R16 of the threat model, where entry points are: what is no `module:function` is refused before anything is written.

use fractal_core::Class;
use serde_json::json;

use crate::job::{objects, with};

fn is_refused(entry_point: &str) {
    let parameters = with(json!({ "entryPoint": entry_point }));
    let fault = objects(parameters).expect_err(entry_point);
    assert_eq!(
        (fault.class, fault.reason.as_str(), fault.place.as_deref()),
        (
            Class::Terminal,
            "ParameterInvalid",
            Some("parameters.entryPoint")
        ),
        "{entry_point}: {fault}"
    );
    assert!(fault.what.contains("`module:function`"), "{fault}");
    assert!(
        fault.next.unwrap().contains("correct the parameter"),
        "{entry_point}"
    );
}

#[test]
fn r16_an_entry_point_of_half_a_name_is_refused() {
    for text in ["etl.main:", ":run", "etl.main:run:again", "etl..main:run"] {
        is_refused(text);
    }
}

#[test]
fn r16_an_entry_point_with_a_keyword_is_refused() {
    for text in [
        "etl.main:class",
        "import:run",
        "etl.lambda.main:run",
        "etl.main:Job.return",
    ] {
        is_refused(text);
    }
    assert!(objects(with(json!({ "entryPoint": "etl.main:match" }))).is_ok());
}

#[test]
fn r16_an_entry_point_for_a_shell_is_refused() {
    for text in [
        "etl.main:run;reboot",
        "etl.main:run && reboot",
        "etl.main:$(reboot)",
        "etl.main:`reboot`",
        "etl.main:run|sh",
        "etl.main:run\nreboot",
        "../etl/main:run",
        "etl.main:run()",
        "--help:run",
    ] {
        is_refused(text);
    }
}

#[test]
fn r16_a_name_without_a_colon_is_one_that_the_wheel_declares() {
    for text in ["reboot", "etl.main.run", "etl-daily; reboot"] {
        let fault = objects(with(json!({ "entryPoint": text }))).expect_err(text);
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Terminal, "EntryPointMissing"),
            "{text}: {fault}"
        );
    }
    assert!(objects(with(json!({ "entryPoint": "etl-daily" }))).is_ok());
}
