//! Which operation of the distribution API a request is. No access to any state.

use http::Method;
use http::request::Parts;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Api,
    Token,
    /// Azure's exchange of an identity's token for a registry's.
    Exchange,
    Catalog,
    Blob(String),
    Uploads,
    Upload(String),
    Manifest(String),
    Tags,
    Referrers(String),
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) repository: String,
    pub(super) target: Target,
    pub(super) operation: &'static str,
    pub(super) mutating: bool,
}

pub(super) fn route(parts: &Parts) -> Route {
    let (repository, target) = target(parts.uri.path());
    let mounts = parts
        .uri
        .query()
        .is_some_and(|query| query.contains("mount="));
    let operation = operation(&target, &parts.method, mounts);
    let writes = matches!(
        parts.method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    );
    Route {
        mutating: writes && !matches!(target, Target::Token | Target::Exchange),
        repository,
        target,
        operation,
    }
}

/// A target that carries a reference.
type Named = fn(String) -> Target;

fn target(path: &str) -> (String, Target) {
    let Some(rest) = path.strip_prefix("/v2/") else {
        let target = match path {
            "/v2" => Target::Api,
            "/token" | "/oauth2/token" => Target::Token,
            "/oauth2/exchange" => Target::Exchange,
            _ => Target::Unknown,
        };
        return (String::new(), target);
    };
    match rest {
        "" => return (String::new(), Target::Api),
        "token" => return (String::new(), Target::Token),
        "_catalog" => return (String::new(), Target::Catalog),
        _ => {}
    }
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return (name.to_owned(), Target::Tags);
    }
    if let Some((name, id)) = rest.rsplit_once("/blobs/uploads") {
        let id = id.trim_matches('/');
        let target = if id.is_empty() {
            Target::Uploads
        } else {
            Target::Upload(id.to_owned())
        };
        return (name.to_owned(), target);
    }
    let named: [(&str, Named); 3] = [
        ("/blobs/", Target::Blob),
        ("/manifests/", Target::Manifest),
        ("/referrers/", Target::Referrers),
    ];
    let found = named.iter().find_map(|(part, target)| {
        rest.rsplit_once(part)
            .map(|(name, last)| (name.to_owned(), target(last.replace("%3A", ":"))))
    });
    found.unwrap_or_else(|| (String::new(), Target::Unknown))
}

fn operation(target: &Target, method: &Method, mounts: bool) -> &'static str {
    match (target, method.as_str()) {
        (Target::Api, _) => "CheckApi",
        (Target::Token, _) => "Token",
        (Target::Exchange, _) => "Exchange",
        (Target::Catalog, _) => "ListRepositories",
        (Target::Blob(_), "HEAD") => "HeadBlob",
        (Target::Blob(_), "DELETE") => "DeleteBlob",
        (Target::Blob(_), _) => "GetBlob",
        (Target::Uploads, _) if mounts => "MountBlob",
        (Target::Uploads, _) => "StartUpload",
        (Target::Upload(_), "PATCH") => "PatchUpload",
        (Target::Upload(_), "PUT") => "FinishUpload",
        (Target::Upload(_), "DELETE") => "CancelUpload",
        (Target::Upload(_), _) => "UploadStatus",
        (Target::Manifest(_), "HEAD") => "HeadManifest",
        (Target::Manifest(_), "PUT") => "PutManifest",
        (Target::Manifest(_), "DELETE") => "DeleteManifest",
        (Target::Manifest(_), _) => "GetManifest",
        (Target::Tags, _) => "ListTags",
        (Target::Referrers(_), _) => "ListReferrers",
        (Target::Unknown, _) => "Unknown",
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes, 255 characters at most.
pub(crate) fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

fn is_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<&u8>| byte.copied().is_some_and(alphanumeric);
    let separators = part
        .split(|each: char| each.is_ascii() && alphanumeric(each as u8))
        .filter(|run| !run.is_empty());
    ends(part.as_bytes().first())
        && ends(part.as_bytes().last())
        && separators
            .into_iter()
            .all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
pub(crate) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// The hex of a well-formed SHA-256 digest.
pub(crate) fn sha256_digest(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64
        && hex
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)))
    .then_some(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_distribution_grammar() {
        for good in ["a", "a/b-c/d.e", "a__b", "a---b", "0"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "A", "a//b", "-a", "a-", "a..b", "a___b", "a._b", "é"] {
            assert!(!is_repository(bad), "{bad}");
        }
        assert!(is_tag("_x.y-Z") && !is_tag(".x") && !is_tag("") && !is_tag(&"a".repeat(129)));
    }

    #[test]
    fn paths_are_split_at_the_last_marker() {
        assert_eq!(
            target("/v2/a/manifests/b/manifests/t"),
            ("a/manifests/b".into(), Target::Manifest("t".into()))
        );
        assert_eq!(
            target("/v2/a/b/blobs/uploads/"),
            ("a/b".into(), Target::Uploads)
        );
        assert_eq!(
            target("/v2/a/b/blobs/uploads/x-1"),
            ("a/b".into(), Target::Upload("x-1".into()))
        );
        assert_eq!(target("/v2/"), (String::new(), Target::Api));
        assert_eq!(target("/other"), (String::new(), Target::Unknown));
    }
}
