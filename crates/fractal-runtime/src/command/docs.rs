//! `docs`: the reference of flags and variables, from the definitions that parse them.

use clap::Command;

use super::output;
use fractal_core::Exit;

/// Prints it as Markdown.
pub(super) fn print(mut command: Command) -> Exit {
    command.build();
    output::line(&markdown(&command));
    Exit::Success
}

fn markdown(command: &Command) -> String {
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut text = format!(
        "# {}\n\n{about}.\n\n## Commands\n\n| command | what it does |\n|---|---|\n",
        command.get_name()
    );
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("| `{}` | {about} |\n", sub.get_name()));
    }
    text.push_str("\n## Flags and variables\n\n| flag | variable | default | what it says |\n|---|---|---|---|\n");
    for arg in command.get_arguments().filter(|arg| {
        arg.get_long()
            .is_some_and(|long| !matches!(long, "help" | "version"))
    }) {
        text.push_str(&row(arg));
    }
    text
}

fn row(arg: &clap::Arg) -> String {
    let long = arg.get_long().unwrap_or_default();
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let variable = arg
        .get_env()
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .unwrap_or_default();
    let default: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    format!(
        "| `--{long}{value}` | {variable} | {} | {} |\n",
        default.join(","),
        help.replace('|', "\\|")
    )
}
