//! `manifests render`: the objects that would be applied for one component and environment, and where their fields come from.

use std::path::{Path, PathBuf};

use fractal_artifact::manifests::{
    ManifestError, Object, Policy, Rendered, Request, apply_order, render,
};
use fractal_core::Fault;
use fractal_core::contract::{ComponentId, Params};

use super::bundle::Bundle;
use super::settings::{self, File, Setting, component_id};
use crate::error::CliError;
use crate::live_system::{listed, shown};
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal};
use fractal_core::Exit;

mod text;

/// Flags of `manifests render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal manifests render --component dashboard --environment dev
  fractal manifests render --component dashboard -f live-system.yaml --provenance
  fractal manifests render --component dashboard --environment prod --set replicas=3 \\
    --set resourceLimits.memory=1Gi
  fractal manifests render ghcr.io/acme/shop-manifests:1.4.2 --component dashboard \\
    -f live-system.yaml | kubectl diff -f -

Standard output is YAML in the order of application; what there is to say of it goes to standard
error. Images stand in it as they were given: the agent pins the component's own image by its digest.
It adds labels and annotations of its own, and the namespace where an object names none.")]
pub(crate) struct RenderArgs {
    /// The repository's folder, a tar of its .fractal, or a published bundle
    #[arg(value_name = "DIR|TAR|REFERENCE", default_value = ".")]
    bundle: String,
    /// The component
    #[arg(long, value_name = "ID", value_parser = component_id)]
    component: ComponentId,
    /// The environment's short name; by default the file's
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A live system's file, for the component's parameters and the environment
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Sets a parameter, over the file's; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<Setting>,
    /// Says above each object where its overlaid fields come from
    #[arg(long)]
    provenance: bool,
    /// Refuses what an agent with this policy file would refuse
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The agent's own namespace, for objects and components that name none
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Refuses names without a value
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: RenderArgs) -> Result<Exit, CliError> {
    let file = File::read(args.file.as_ref())?;
    let params = settings::params(&args.component, file.as_ref(), &args.settings)?;
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let text = format!("reading {}", args.bundle);
    let bundle = terminal
        .during(&text, Bundle::open(&args.bundle, &args.registry))
        .await?;
    let environment = environment(&args, file.as_ref(), &bundle)?;
    let mut rendered = rendered(&args, &bundle, &params, &environment)?;
    if let Some(policy) = policy {
        let namespace = params.text("namespace").map_err(Fault::from)?;
        let namespace = namespace.unwrap_or(&args.namespace);
        policy
            .check(&rendered.objects, namespace, &rendered.warnings)
            .map_err(Fault::from)?;
    }
    rendered.objects = in_order(rendered.objects);
    let shown = text::Shown {
        bundle: &bundle,
        component: &args.component,
        environment: &environment,
        rendered: &rendered,
        params: &params,
    };
    match terminal.format() {
        Format::Json => terminal.json(&shown.document()),
        Format::Text => {
            terminal.notes(shown.notes(terminal.error_paint()));
            terminal.lines(shown.yaml(args.provenance)?);
        }
    }
    Ok(Exit::Success)
}

/// The environment that was named, or the file's; none is needed where the bundle has no parameters.
fn environment(
    args: &RenderArgs,
    file: Option<&File>,
    bundle: &Bundle,
) -> Result<String, CliError> {
    if let Some(name) = &args.environment {
        return Ok(name.clone());
    }
    if let Some(file) = file {
        return Ok(file.environment().to_owned());
    }
    let known = bundle.environments();
    if known.is_empty() {
        return Ok(String::new());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(CliError::usage(
        "no environment is named, and the bundle has parameters for each",
        format!("say which with --environment: {}", listed(&known)),
    ))
}

fn rendered(
    args: &RenderArgs,
    bundle: &Bundle,
    params: &Params,
    environment: &str,
) -> Result<Rendered, CliError> {
    let component = args.component.as_str();
    let overlay = settings::overlay(params).map_err(Fault::from)?;
    let sources = bundle
        .sources(component)
        .map_err(|error| Fault::from(error).at(shown(&bundle.prefix)))?;
    let request = Request {
        component,
        environment,
        overlay: &overlay,
        strict: args.strict,
    };
    Ok(render(&sources, &request).map_err(|error| refused(bundle, error))?)
}

/// The refusal with the file as it is found from here, and the line.
fn refused(bundle: &Bundle, error: ManifestError) -> Fault {
    let Some(file) = error.file() else {
        return error.into();
    };
    let line = error.line().map(|line| format!(":{line}"));
    let place = format!("{}{file}{}", bundle.prefix, line.unwrap_or_default());
    Fault::from(error).at(place)
}

/// Reads an operator's policy file.
fn policy(path: &Path) -> Result<Policy, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::file(path, error))?;
    let policy = Policy::parse(&text);
    policy.map_err(|error| Fault::from(error).at(path.display()).into())
}

fn in_order(objects: Vec<Object>) -> Vec<Object> {
    let order = apply_order(&objects);
    let mut objects: Vec<Option<Object>> = objects.into_iter().map(Some).collect();
    let order = order.into_iter().flatten();
    order
        .filter_map(|place| objects.get_mut(place)?.take())
        .collect()
}
