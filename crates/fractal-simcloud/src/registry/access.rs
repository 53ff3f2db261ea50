//! Who may do what: Basic credentials, and the bearer-token flow with its challenge and token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::request::Parts;
use hyper::body::Incoming;
use serde_json::json;

use super::acr::Acr;
use super::routes::{Route, Target};
use super::tokens::Tokens;
use super::{RegistryAuth, gar, header, reply};
use crate::encoding::{find, query_pairs};
use crate::exchange::{Reply, read_body};

const FORM_LIMIT: usize = 64 << 10;

pub(super) struct Access {
    auth: RegistryAuth,
    host: String,
}

impl Access {
    pub(super) fn new(auth: RegistryAuth, host: String) -> Self {
        Self { auth, host }
    }

    /// Nothing when the request may go on, else the challenge.
    pub(super) fn check(&self, tokens: &Tokens, parts: &Parts, route: &Route) -> Result<(), Reply> {
        let authorization = header(&parts.headers, "authorization");
        let basic = authorization.and_then(basic_credentials);
        if self.auth == RegistryAuth::Open
            || basic
                .as_ref()
                .is_some_and(|(user, password)| user == "AWS" && tokens.is_password(password))
        {
            return Ok(());
        }
        match &self.auth {
            RegistryAuth::Basic { username, password }
                if basic == Some((username.clone(), password.clone())) =>
            {
                Ok(())
            }
            RegistryAuth::Basic { .. } => Err(self.challenge("Basic realm=\"fractal-simcloud\"")),
            _ => self.check_bearer(tokens, authorization, route, &parts.method),
        }
    }

    fn check_bearer(
        &self,
        tokens: &Tokens,
        authorization: Option<&str>,
        route: &Route,
        method: &Method,
    ) -> Result<(), Reply> {
        let token = authorization.and_then(|value| {
            value
                .strip_prefix("Bearer ")
                .or_else(|| value.strip_prefix("bearer "))
        });
        let granted = token.and_then(|token| tokens.scope(token));
        let needed = needed(route, method);
        let enough = granted.as_deref().is_some_and(|granted| {
            needed
                .as_ref()
                .is_none_or(|(resource, actions)| grants(granted, resource, actions))
        });
        if enough {
            return Ok(());
        }
        let (path, service) = match &self.auth {
            RegistryAuth::Azure { login_server, .. } => ("/oauth2/token", login_server),
            RegistryAuth::Google { .. } => ("/v2/token", &self.host),
            _ => ("/token", &self.host),
        };
        let mut challenge = format!(
            "Bearer realm=\"http://{}{path}\",service=\"{service}\"",
            self.host
        );
        if let Some((resource, actions)) = needed {
            challenge.push_str(&format!(",scope=\"{resource}:{}\"", actions.join(",")));
        }
        match (token, granted) {
            (Some(_), Some(_)) => challenge.push_str(",error=\"insufficient_scope\""),
            (Some(_), None) => challenge.push_str(",error=\"invalid_token\""),
            _ => {}
        }
        Err(self.challenge(&challenge))
    }

    fn challenge(&self, challenge: &str) -> Reply {
        reply::error(401, "UNAUTHORIZED", "authentication required")
            .header("www-authenticate", challenge)
    }

    /// The token endpoint of whichever kind.
    pub(super) async fn token(
        &self,
        tokens: &Tokens,
        target: &Target,
        parts: &Parts,
        query: &[(String, String)],
        body: &mut Incoming,
    ) -> Reply {
        let form = match (&parts.method, read_body(body, FORM_LIMIT).await) {
            (&Method::POST, Ok(bytes)) => query_pairs(&String::from_utf8_lossy(&bytes), true),
            _ => query.to_vec(),
        };
        match (&self.auth, target) {
            (RegistryAuth::Bearer { .. }, Target::Token) => self.bearer_token(tokens, parts, &form),
            (RegistryAuth::Google { token_seconds }, Target::Token) => {
                gar::token(tokens, parts, &form, *token_seconds)
            }
            (
                RegistryAuth::Azure {
                    login_server,
                    refresh_seconds,
                    access_seconds,
                },
                target,
            ) => {
                let acr = Acr {
                    tokens,
                    login_server,
                    refresh_seconds: *refresh_seconds,
                    access_seconds: *access_seconds,
                };
                match target {
                    Target::Exchange => acr.exchange(&parts.method, &form),
                    _ => acr.token(parts, &form),
                }
            }
            _ => reply::error(404, "UNSUPPORTED", "no token endpoint here"),
        }
    }

    /// GET with Basic credentials, or the OAuth2 form by POST.
    fn bearer_token(&self, tokens: &Tokens, parts: &Parts, form: &[(String, String)]) -> Reply {
        let RegistryAuth::Bearer {
            username,
            password,
            token_seconds,
            anonymous_pull,
        } = &self.auth
        else {
            return reply::error(404, "UNSUPPORTED", "no token endpoint here");
        };
        let given = header(&parts.headers, "authorization").and_then(basic_credentials);
        let posted = find(form, "username")
            .zip(find(form, "password"))
            .map(|(user, password)| (user.to_owned(), password.to_owned()));
        let known = match given.or(posted) {
            Some((user, secret))
                if (user == *username && secret == *password)
                    || (user == "AWS" && tokens.is_password(&secret)) =>
            {
                true
            }
            Some(_) => return self.challenge("Basic realm=\"token\""),
            None if *anonymous_pull => false,
            None => return self.challenge("Basic realm=\"token\""),
        };
        let asked: Vec<&str> = form
            .iter()
            .filter(|(name, _)| name == "scope")
            .flat_map(|(_, scopes)| scopes.split(' '))
            .collect();
        let granted: Vec<String> = asked
            .into_iter()
            .filter_map(|scope| narrow(scope, known))
            .collect();
        let token = tokens.issue_bearer(&granted.join(" "), *token_seconds);
        let format = &time::format_description::well_known::Rfc3339;
        let issued = tokens.clock().now().format(format).unwrap_or_default();
        Reply::json(
            200,
            &json!({ "token": token, "access_token": token, "expires_in": token_seconds, "issued_at": issued }),
        )
    }
}

/// The scope as asked for somebody known, at most its pull part for anybody else.
pub(super) fn narrow(scope: &str, known: bool) -> Option<String> {
    if known {
        return Some(scope.to_owned());
    }
    let (resource, actions) = scope.rsplit_once(':')?;
    actions
        .split(',')
        .any(|action| action == "pull" || action == "*")
        .then(|| format!("{resource}:pull"))
}

fn needed(route: &Route, method: &Method) -> Option<(String, Vec<&'static str>)> {
    let actions = match *method {
        Method::GET | Method::HEAD => vec!["pull"],
        Method::DELETE => vec!["delete"],
        _ => vec!["pull", "push"],
    };
    match route.target {
        Target::Catalog => Some(("registry:catalog".to_owned(), vec!["*"])),
        _ if route.repository.is_empty() => None,
        _ => Some((format!("repository:{}", route.repository), actions)),
    }
}

fn grants(granted: &str, resource: &str, actions: &[&str]) -> bool {
    let of_resource = |scope: &&str| {
        scope
            .rsplit_once(':')
            .is_some_and(|(name, _)| name == resource)
    };
    let given: Vec<&str> = granted
        .split(' ')
        .filter(of_resource)
        .filter_map(|scope| scope.rsplit_once(':'))
        .flat_map(|(_, given)| given.split(','))
        .collect();
    actions
        .iter()
        .all(|action| given.contains(action) || given.contains(&"*"))
}

pub(super) fn basic_credentials(header: &str) -> Option<(String, String)> {
    let encoded = header
        .strip_prefix("Basic ")
        .or_else(|| header.strip_prefix("basic "))?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.split_once(':')
        .map(|(user, password)| (user.to_owned(), password.to_owned()))
}
