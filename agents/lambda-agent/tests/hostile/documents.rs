//! Rows that are refused when the document is handed in: nothing of it is used, and what is deployed stays.

use fractal_core::Fault;
use serde_json::{Value, json};

use crate::stage::{SYSTEM, Stage, function, live_system, zip_digest};

const OTHER: &str = "Personal/owner/rows/other";

/// A document with something else in it, and what is said about it.
struct Refused {
    document: fn() -> Vec<u8>,
    says: &'static [&'static str],
}

impl Refused {
    const fn new(document: fn() -> Vec<u8>, says: &'static [&'static str]) -> Self {
        Self { document, says }
    }

    /// A live system is deployed; the document is refused; another live system is deployed meanwhile.
    async fn run(self) {
        let mut stage = Stage::new(&[], None).await;
        stage.submit(&system("victim")).await;
        stage.active(SYSTEM, "victim").await;
        let (since, before) = (stage.cloud.ledger().last(), stage.documents(SYSTEM).await);
        let error = stage.try_submit(&(self.document)()).await.unwrap_err();
        let fault = Fault::from(&error);
        assert_eq!(
            (fault.class.as_str(), fault.reason.as_str()),
            ("Terminal", "LiveSystemInvalid"),
            "{fault}"
        );
        let text = fault.to_string();
        for part in self.says {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert!(fault.next.unwrap().contains("correct the document"));
        assert!(!text.chars().any(char::is_control), "{text:?}");
        let healthy = function("healthy", "honest.example/shop/zip:1", &json!({}));
        stage.submit(&live_system(OTHER, &[healthy])).await;
        stage.active(OTHER, "healthy").await;
        assert_eq!(stage.documents(SYSTEM).await, before);
        assert_eq!(stage.writes_on("victim", since), []);
        assert_eq!(stage.serves("victim"), Some(zip_digest("one")));
        stage.assert_no_secret(&[]).await;
    }
}

fn system(component: &str) -> Value {
    let function = function(component, "honest.example/shop/zip:1", &json!({}));
    live_system(SYSTEM, &[function])
}

fn of_id(id: &str) -> Vec<u8> {
    system(id).to_string().into_bytes()
}

fn of_environment(name: &str) -> Vec<u8> {
    let mut system = system("victim");
    system["environment"]["id"]["shortName"] = name.into();
    system.to_string().into_bytes()
}

macro_rules! refused {
    ($($name:ident: $row:expr,)+) => {$(
        #[tokio::test]
        async fn $name() {
            Box::pin($row.run()).await;
        }
    )+};
}

refused! {
    r11_an_id_that_leads_out: Refused::new(|| of_id("../x"), &["component id `../x`", "has `/` at offset 2"]),
    r11_an_id_with_a_slash: Refused::new(|| of_id("a/b"), &["component id `a/b`", "has `/` at offset 1"]),
    r11_an_id_of_300_characters: Refused::new(|| of_id(&"a".repeat(300)), &["has 300 characters, at most 128"]),
    r11_cve_2026_35206_a_dot: Refused::new(|| of_id("."), &["component id `.`", "begin with a letter or digit"]),
    r11_cve_2026_35206_two_dots: Refused::new(|| of_id(".."), &["component id `..`"]),
    r11_an_id_with_a_control_character: Refused::new(|| of_id("a\u{1b}[2J"), &["\\u{1b}"]),

    r12_an_environment_with_a_slash: Refused::new(|| of_environment("dev/../prod"), &["environment.id", "has `/` at offset 3"]),
    r12_an_environment_of_two_dots: Refused::new(|| of_environment(".."), &["environment.id"]),
    r12_an_environment_without_a_name: Refused::new(|| of_environment(""), &["environment.id"]),

    r17_a_number_that_is_infinite: Refused::new(
        || {
            let text = system("victim").to_string();
            text.replace(r#""memoryMb":256"#, r#""memoryMb":1e400"#).into_bytes()
        },
        &["no valid JSON", "out of range"]
    ),
    r17_a_number_that_is_none: Refused::new(
        || {
            let text = system("victim").to_string();
            text.replace(r#""memoryMb":256"#, r#""memoryMb":NaN"#).into_bytes()
        },
        &["no valid JSON"]
    ),
}
