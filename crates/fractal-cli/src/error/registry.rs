//! What a registry's error means to somebody at a command line. Class, reason and place stay as the registry's client says them.
//!
//! An agent asks again by itself and gets its credentials from its cloud; a command ends, and gets them by flags.

use fractal_core::{Class, Fault};
use fractal_registry::{Missing, RegistryError};

/// How an anonymous client is called in errors.
const ANONYMOUS: &str = "an anonymous client";
/// What agents are advised where they try again by themselves.
const BY_ITSELF: &str = "nothing to do if this passes; otherwise ";
/// What Go's HTTP server answers to plain HTTP where it speaks TLS: all common registries are written in Go.
const SPEAKS_TLS: &str = "HTTP request to an HTTPS server";

/// The error as a fault whose next step is one at a command line.
pub(crate) fn told(error: RegistryError) -> Fault {
    let next = next(&error);
    let fault = Fault::from(error);
    match next.or_else(|| again(&fault)) {
        Some(next) => fault.next(next),
        None => fault,
    }
}

fn next(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::Unauthenticated { at, identity, .. }
        | RegistryError::Forbidden { at, identity, .. }
            if **identity == *ANONYMOUS =>
        {
            let host = host(at);
            Some(format!(
                "log in with `docker login {host}` and add --registry-config ~/.docker/config.json (nothing is read unasked), \
                 or give --username USER --password-stdin"
            ))
        }
        RegistryError::Unauthenticated { .. } => Some(
            "check the credential in --registry-config, or --username and what --password-stdin reads: tokens of clouds \
             expire within hours"
                .to_owned(),
        ),
        RegistryError::Refused { at, said, .. } if said.to_string().contains(SPEAKS_TLS) => {
            let host = host(at);
            Some(format!(
                "this registry speaks TLS: add --registry-endpoint {host}=https://{host}, and --ca-bundle FILE for an \
                 authority of your own"
            ))
        }
        RegistryError::NotFound {
            missing: Missing::Blob,
            ..
        } => Some(
            "the registry lost the blob, or collected it as garbage: publish the artifact again with `fractal publish`, or send \
             it from where it is whole with `fractal copy --thorough`"
                .to_owned(),
        ),
        RegistryError::Throttled { retry_after, .. } => Some(retry_after.map_or_else(
            || "run the command again in a minute or two".to_owned(),
            |wait| format!("run the command again in {} s", wait.as_secs().max(1)),
        )),
        _ => None,
    }
}

/// What ends here is not tried again unless somebody does.
fn again(fault: &Fault) -> Option<String> {
    let rest = fault.next.as_deref()?.strip_prefix(BY_ITSELF)?;
    let wait = match fault.class {
        Class::Transient {
            retry_after: Some(wait),
        } => format!(" in {} s", wait.as_secs().max(1)),
        _ => String::new(),
    };
    Some(format!(
        "run the command again{wait}; if it stays so, {rest}"
    ))
}

/// The same for an error of pushing to `to`, whose repository may have to be made first.
pub(crate) fn told_of_push(error: RegistryError, to: &str) -> Fault {
    let missing = match &error {
        RegistryError::NotFound {
            missing: Missing::Repository,
            at,
            ..
        } => repository(at) == repository(to),
        _ => false,
    };
    let fault = told(error);
    if !missing {
        return fault;
    }
    let name = repository(to).split_once('/').map_or(to, |(_, name)| name);
    fault.next(format!(
        "create the repository, or correct its name: some registries make none on push (on ECR: aws ecr create-repository \
         --repository-name {name})"
    ))
}

/// The host in `HOST/REPOSITORY...`.
fn host(at: &str) -> &str {
    at.split_once('/').map_or(at, |(host, _)| host)
}

/// `HOST/REPOSITORY` of a reference, without tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference
        .split_once('@')
        .map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fractal_registry::Action;

    use super::*;

    fn not_found(at: &str) -> RegistryError {
        RegistryError::NotFound {
            missing: Missing::Repository,
            at: at.into(),
            said: fractal_registry::Said::default(),
        }
    }

    #[test]
    fn a_client_without_credentials_is_told_how_to_give_some() {
        let forbidden = |identity: &str| {
            let error = RegistryError::Forbidden {
                action: Action::Push,
                at: "registry.example:5000/acme/orders:1".into(),
                identity: identity.into(),
                said: fractal_registry::Said::default(),
            };
            told(error).next.unwrap()
        };
        assert!(forbidden(ANONYMOUS).contains("`docker login registry.example:5000`"));
        assert!(forbidden("user `bob`").contains("AcrPush"));
    }

    #[test]
    fn nobody_is_told_that_a_command_which_ended_tries_again() {
        let throttled = |retry_after| RegistryError::Throttled {
            at: "r.example/a".into(),
            retry_after,
            said: fractal_registry::Said::default(),
        };
        let next = |error| told(error).next.unwrap();
        assert_eq!(
            next(throttled(Some(Duration::from_secs(90)))),
            "run the command again in 90 s"
        );
        assert_eq!(
            next(throttled(None)),
            "run the command again in a minute or two"
        );
        let slow = RegistryError::Slow {
            at: "r.example/a".into(),
            problem: "no answer".into(),
        };
        assert_eq!(
            next(slow),
            "run the command again; if it stays so, check the network between"
        );
    }

    #[test]
    fn a_repository_that_is_pushed_to_may_have_to_be_made() {
        let to = "r.example:5000/acme/orders:1";
        let next = |at| told_of_push(not_found(at), to).next.unwrap();
        assert!(next("r.example:5000/acme/orders").contains("--repository-name acme/orders)"));
        assert!(!next("other.example/acme/orders").contains("create"));
    }
}
