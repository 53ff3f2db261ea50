//! `check`: whether the agent can work.

use fractal_core::Fault;
use fractal_core::reconcile::Finding;

use super::output::{self, Format};
use super::{queue, reaching};
use crate::agent::{Agent, Connected};
use crate::args::RuntimeArgs;
use fractal_core::Exit;

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

pub(super) async fn check<A: Agent>(
    args: &RuntimeArgs,
    own: &A::Args,
    check: &CheckArgs,
) -> Result<Exit, Fault> {
    let mut findings = vec![queue_finding(args).await];
    match connect::<A>(args, own).await {
        Err(fault) => findings.push(problem("cloud", &fault)),
        Ok(connected) => {
            findings.push(Finding {
                subject: "cloud".into(),
                problem: None,
                detail: "credentials found and accepted".into(),
            });
            findings.extend(connected.platform.preflight().await);
        }
    }
    let bad = findings.iter().any(|finding| finding.problem.is_some());
    match check.output {
        Format::Json => output::json(&findings),
        Format::Text => text::<A>(&findings),
    }
    Ok(if bad { Exit::Failed } else { Exit::Success })
}

async fn connect<A: Agent>(args: &RuntimeArgs, own: &A::Args) -> Result<Connected<A>, Fault> {
    A::connect(own, &reaching(args)?).await
}

async fn queue_finding(args: &RuntimeArgs) -> Finding {
    let looked = async {
        let queue = queue(args)?;
        let id = queue
            .installation()
            .await
            .map_err(|error| Fault::from(&error))?;
        Ok::<_, Fault>(format!("installation {id}"))
    };
    match looked.await {
        Ok(detail) => Finding {
            subject: "queue".into(),
            problem: None,
            detail,
        },
        Err(fault) => problem("queue", &fault),
    }
}

fn problem(subject: &str, fault: &Fault) -> Finding {
    Finding {
        subject: subject.to_owned(),
        problem: Some(fault.to_string()),
        detail: String::new(),
    }
}

fn text<A: Agent>(findings: &[Finding]) {
    for finding in findings {
        match &finding.problem {
            None => output::line(&format!("ok      {}: {}", finding.subject, finding.detail)),
            Some(problem) => output::line(&format!("PROBLEM {}: {problem}", finding.subject)),
        }
    }
    output::line("\nPermissions this agent needs:");
    for grant in A::GRANTS {
        output::line(&format!("  {:<36} {}", grant.permission, grant.purpose));
    }
}
