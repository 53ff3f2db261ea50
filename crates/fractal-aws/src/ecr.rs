//! How ECR registries are logged in to: a token of the registry's region, renewed before it expires.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use fractal_core::reconcile::Grant;
use fractal_registry::{BoxFuture, Credential, CredentialSource};
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::session::Session;

/// A token is renewed this long before it expires: one that expires within a pull costs another round.
const EARLY: Duration = Duration::from_secs(15 * 60);
/// How long a token is believed whose expiry the service does not say, or says wrongly.
const SHORTEST: Duration = Duration::from_secs(5 * 60);

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
    tokens: Mutex<HashMap<String, (Credential, SystemTime)>>,
}

impl EcrCredentials {
    /// Credentials by this session's identity.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            tokens: Mutex::default(),
        }
    }

    /// The lock is held while the token is asked for, so that one request serves all who wait.
    async fn token(&self, region: &str, fresh: bool) -> Result<Credential, Fault> {
        let mut tokens = self.tokens.lock().await;
        let now = SystemTime::now();
        if let Some((credential, until)) = tokens.get(region)
            && !fresh
            && *until > now
        {
            return Ok(credential.clone());
        }
        let (credential, until) = self.ask(region, now).await?;
        tokens.insert(region.to_owned(), (credential.clone(), until));
        Ok(credential)
    }

    async fn ask(&self, region: &str, now: SystemTime) -> Result<(Credential, SystemTime), Fault> {
        let client = aws_sdk_ecr::Client::new(&self.session.config(region));
        let answer = client.get_authorization_token().send().await;
        let answer = answer.map_err(|error| {
            Failure::new("GetAuthorizationToken", error)
                .into_fault(&[], GRANTS)
                .at(format!("ecr in {region}"))
        })?;
        let data = answer.authorization_data().first();
        let pair = data
            .and_then(|data| data.authorization_token())
            .and_then(|token| STANDARD.decode(token).ok());
        let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok());
        let credential = pair
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .map(|(user, password)| Credential::basic(user, password));
        let credential = credential.ok_or_else(|| {
            Fault::transient(
                fractal_core::Reason::new("CloudProtocol"),
                "ECR gave no usable token",
            )
            .at(format!("ecr in {region}"))
        })?;
        let expires = data
            .and_then(|data| data.expires_at())
            .and_then(|at| u64::try_from(at.secs()).ok());
        let expires = expires
            .map(|secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
            .and_then(|at| at.checked_sub(EARLY));
        Ok((credential, expires.unwrap_or(now).max(now + SHORTEST)))
    }
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
