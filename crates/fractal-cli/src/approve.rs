//! `approve`: consent to the replacements of exactly one plan. Another plan needs another consent.

use serde_json::json;

use crate::component;
use crate::control::QueueArgs;
use crate::error::CliError;
use crate::terminal::{Format, Terminal};
use fractal_core::Exit;

/// Hex digits of a plan's hash.
const HASH: usize = 64;

/// Flags of `approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal plan shop
  fractal approve shop/api 5f0c…   (the hash that the plan prints)

A replacement takes an object away to make it anew: what runs stops in between.")]
pub(crate) struct ApproveArgs {
    /// The component: LIVE_SYSTEM/COMPONENT, or the end of it
    component: String,
    /// The plan's hash, as `fractal plan` or the status prints it
    #[arg(value_parser = hash)]
    hash: String,
    #[command(flatten)]
    queue: QueueArgs,
}

fn hash(text: &str) -> Result<String, String> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == HASH && text.bytes().all(is_hex) {
        Ok(text.to_owned())
    } else {
        Err(format!("a plan's hash has {HASH} hex digits in lower case"))
    }
}

pub(crate) async fn run(terminal: &Terminal, args: ApproveArgs) -> Result<Exit, CliError> {
    let queue = args.queue.open()?;
    let document = component::find(&queue, &args.component).await?;
    queue.approve(&document.key, &args.hash).await?;
    match terminal.format() {
        Format::Json => {
            terminal.json(&json!({ "component": document.key.to_string(), "approved": args.hash }));
        }
        Format::Text => terminal.line(&format!(
            "{}: this plan's replacements may go ahead",
            document.key
        )),
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_taken_whole_or_not_at_all() {
        assert!(hash(&"0f".repeat(32)).is_ok());
        for text in [
            "",
            "0f",
            &"0F".repeat(32),
            &"0g".repeat(32),
            &"0f".repeat(33),
        ] {
            assert!(hash(text).is_err(), "{text}");
        }
    }
}
