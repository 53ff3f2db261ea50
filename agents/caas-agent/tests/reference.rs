//! The reference page is what the binary prints.

use std::process::Command;

#[test]
fn the_reference_page_is_what_docs_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_caas-agent"))
        .arg("docs")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/caas-agent.md"
    );
    let written = std::fs::read_to_string(page).unwrap_or_default();
    assert_eq!(
        written, printed,
        "write it anew: cargo run -p caas-agent -- docs > docs/reference/caas-agent.md"
    );
}
