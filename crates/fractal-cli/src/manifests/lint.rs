//! `manifests lint`: what is wrong with a bundle before it is published, as compilers say it.

use std::path::PathBuf;

use fractal_artifact::manifests::Level;
use fractal_core::contract::ComponentId;
use serde_json::json;

use super::bundle::Bundle;
use super::check::{Check, Checked, Found};
use super::settings::{File, component_id};
use crate::error::CliError;
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Paint, Terminal, Tone, plain};
use fractal_core::Exit;

/// Flags of `manifests lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal manifests lint                      (./.fractal: every component, every environment)
  fractal manifests lint services/shop --strict                    (warnings fail too: for CI)
  fractal manifests lint ghcr.io/acme/shop-manifests:1.4.2 --environment prod
  fractal manifests lint -f live-system.yaml           (with what the live system sets laid over)

An error is a bundle that would be refused, here or by the API server: exit code 1.
A warning is applied all the same: names without a value, secrets in clear text, images whose tag
moves, a workload that is not named like its component.")]
pub(crate) struct LintArgs {
    /// The repository's folder, a tar of its .fractal, or a published bundle
    #[arg(value_name = "DIR|TAR|REFERENCE", default_value = ".")]
    bundle: String,
    /// Only this component; may be given several times
    #[arg(long = "component", value_name = "ID", value_parser = component_id)]
    components: Vec<ComponentId>,
    /// Only this environment, by its short name; may be given several times
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// A live system's file: its parameters are laid over, in its environment
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Fails on warnings too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: LintArgs) -> Result<Exit, CliError> {
    let file = File::read(args.file.as_ref())?;
    let text = format!("reading {}", args.bundle);
    let bundle = terminal
        .during(&text, Bundle::open(&args.bundle, &args.registry))
        .await?;
    let mut check = Check::of(&bundle, file.as_ref());
    if !args.components.is_empty() {
        check.components = args.components.iter().map(ToString::to_string).collect();
    }
    if !args.environments.is_empty() {
        check.environments = args.environments;
    } else if let Some(file) = &file {
        check.environments = vec![file.environment().to_owned()];
    }
    let checked = check.run();
    match terminal.format() {
        Format::Json => terminal.json(&json!({
            "bundle": args.bundle,
            "digest": bundle.digest,
            "components": checked.components,
            "environments": checked.environments,
            "findings": checked.findings,
            "errors": checked.errors,
            "warnings": checked.warnings,
        })),
        Format::Text => {
            terminal.lines(lines(&bundle, &checked, terminal.paint()));
            terminal.line(&summary(&checked));
        }
    }
    let fails = checked.errors > 0 || (args.strict && checked.warnings > 0);
    Ok(if fails { Exit::Failed } else { Exit::Success })
}

/// Two lines for each finding: what, where editors look for it, and what to do.
pub(super) fn lines(bundle: &Bundle, checked: &Checked, paint: Paint) -> Vec<String> {
    let lines = |found| finding(bundle, checked, found, paint);
    checked.findings.iter().flat_map(lines).collect()
}

fn finding(bundle: &Bundle, checked: &Checked, found: &Found, paint: Paint) -> Vec<String> {
    let finding = &found.finding;
    let word = match finding.level {
        Level::Error => paint.tone(Tone::Bad, "error"),
        Level::Warning => paint.tone(Tone::Busy, "warning"),
    };
    let place = match (finding.file.as_str(), finding.line) {
        ("", _) => plain(bundle.prefix.trim_end_matches('/')),
        (file, line) => {
            let within = bundle.files.contains_key(file);
            let prefix = if within { bundle.prefix.as_str() } else { "" };
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{line}", plain(&format!("{prefix}{file}")))
        }
    };
    // Where it holds for all of them, naming them says nothing.
    let some = found.environments.len() < checked.environments.len();
    let only = match found.environments.as_slice() {
        names if some && !names.is_empty() => format!(" (in {})", plain(&names.join(", "))),
        _ => String::new(),
    };
    vec![
        format!("{place}: {word}: {}{only}", plain(&finding.what)),
        format!("  next: {}", plain(&finding.next)),
    ]
}

/// What was checked, and what came of it.
pub(super) fn summary(checked: &Checked) -> String {
    let count = |many: usize, one: &str| match many {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let environments = match checked.environments.len() {
        0 => String::new(),
        many => format!(" in {}", count(many, "environment")),
    };
    format!(
        "{}{environments}: {}, {}",
        count(checked.components.len(), "component"),
        count(checked.errors, "error"),
        count(checked.warnings, "warning"),
    )
}
