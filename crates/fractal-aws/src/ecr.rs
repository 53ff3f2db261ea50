//! How ECR registries are logged in to: a token of the registry's region, renewed before it expires.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_sdk_ecr::operation::get_authorization_token::GetAuthorizationTokenOutput;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::artifact::RegistryHost;
use fractal_core::fault::chain;
use fractal_core::reconcile::Grant;
use fractal_core::{Fault, Reason};
use fractal_registry::{BoxFuture, Cache, Credential, CredentialSource, Issued};

use crate::failure::Failure;
use crate::session::Session;

/// How long a token is believed whose expiry the service does not say, or says wrongly.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
const REFUSED: Reason = Reason::new("IdentityRefused");
/// What STS says of a token or binding that only a person can mend.
const UNBOUND: &[&str] = &[
    "AccessDenied",
    "InvalidIdentityToken",
    "ExpiredTokenException",
];

/// The permission a token needs.
const GRANTS: &[Grant] = &[Grant {
    call: "GetAuthorizationToken",
    permission: "ecr:GetAuthorizationToken",
    purpose: "logs in to ECR registries (with ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on their repositories)",
}];

/// Credentials for private ECR registries, by the session's identity.
#[derive(Debug)]
pub struct EcrCredentials {
    session: Session,
    tokens: Cache<Box<str>, Credential>,
}

impl EcrCredentials {
    /// Credentials by this session's identity.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            tokens: Cache::default(),
        }
    }

    async fn token(&self, region: &str, fresh: bool) -> Result<Credential, Fault> {
        let ask = || self.ask(region);
        self.tokens.get(&region.into(), fresh, ask).await
    }

    async fn ask(&self, region: &str) -> Result<Issued<Credential>, Fault> {
        let client = aws_sdk_ecr::Client::new(&self.session.config(region));
        let answer = client.get_authorization_token().send().await;
        let place = || format!("ecr in {region}");
        let answer = answer.map_err(|error| {
            let fault = unbound(&error).unwrap_or_else(|| {
                Failure::new("GetAuthorizationToken", error).into_fault(&[], GRANTS)
            });
            fault.at(place())
        })?;
        issued(&answer).ok_or_else(|| {
            let reason = Reason::new("CloudProtocol");
            Fault::transient(reason, "ECR gave no usable token").at(place())
        })
    }
}

fn issued(answer: &GetAuthorizationTokenOutput) -> Option<Issued<Credential>> {
    let data = answer.authorization_data().first()?;
    let pair = STANDARD.decode(data.authorization_token()?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    let expires = data
        .expires_at()
        .and_then(|at| SystemTime::try_from(*at).ok());
    let left = expires.and_then(|at| at.duration_since(SystemTime::now()).ok());
    Some(Issued {
        value: Credential::basic(user, password),
        lifetime: left.unwrap_or_default().max(SHORTEST),
    })
}

/// That STS gives the pod's service account no session: the SDK tells it as a failed connection.
fn unbound(error: &(dyn Error + 'static)) -> Option<Fault> {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    let refusal = causes.find_map(|cause| {
        cause
            .downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>()?
            .as_service_error()
    })?;
    let code = refusal.code().filter(|code| UNBOUND.contains(code))?;
    let what = "STS gives this pod's service account no session as its role";
    Some(
        Fault::blocked(REFUSED, what)
            .because(format!("{code}: {}", chain(refusal)))
            .next("let the role's trust policy name the cluster's issuer, the service account and the audience sts.amazonaws.com"),
    )
}

impl CredentialSource for EcrCredentials {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(async move {
            match region_of(host.as_str()) {
                Some(region) => self.token(region, fresh).await,
                None => Ok(Credential::Anonymous),
            }
        })
    }
}

/// The region of `<account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]`.
fn region_of(host: &str) -> Option<&str> {
    let rest = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (account, rest) = rest.split_once(".dkr.")?;
    let region = rest
        .strip_prefix("ecr.")
        .or_else(|| rest.strip_prefix("ecr-fips."))?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !region.contains('.')).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_ecr_hosts_have_a_region() {
        let check = |host, region| assert_eq!(region_of(host), region, "{host}");
        check(
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            Some("eu-central-1"),
        );
        check(
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            Some("us-gov-west-1"),
        );
        check(
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            Some("cn-north-1"),
        );
        check(
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.tld",
            None,
        );
        check("evil.dkr.ecr.eu-central-1.amazonaws.com", None);
        check("public.ecr.aws", None);
    }
}
