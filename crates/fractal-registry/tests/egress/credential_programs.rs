//! Docker's credential helpers, as real programs: scripts that a test writes, started as Docker starts them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fractal_core::{Class, Fault};
use fractal_registry::{
    Credential, CredentialSource as _, DockerConfig, Options, Registry, Secret,
};
use fractal_simcloud::{Registry as Simulated, RegistryAuth, RegistryConfig};

use crate::support::whole;

pub(crate) const SECRET: &str = "canary-of-the-helper";
const NOT_FOUND: &str = "credentials not found in native keychain";

/// A folder on `PATH` with helpers, and a configuration that names them.
pub(crate) struct Rig(tempfile::TempDir);

impl Rig {
    pub(crate) fn new(config: &str) -> Self {
        let rig = Self(tempfile::tempdir().unwrap());
        rig.configure(config);
        rig
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.file("config.json"), config).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// A script that is told the server in `$server`. It also writes down what it was asked.
    pub(crate) fn helper(&self, name: &str, body: &str) {
        let folder = self.0.path().display();
        let text =
            format!("#!/bin/sh\nserver=$(cat)\necho \"$1 $server\" >> {folder}/asked\n{body}\n");
        write_program(&self.file(&format!("docker-credential-{name}")), &text);
    }

    pub(crate) fn source(&self) -> DockerConfig {
        let config = DockerConfig::read(&self.file("config.json")).unwrap();
        config.with_helpers_in(Some(self.search()))
    }

    fn search(&self) -> OsString {
        // Folders that are not there, relative or hold no such program are passed over.
        std::env::join_paths([
            "/nonexistent".into(),
            PathBuf::from("relative"),
            self.0.path().to_owned(),
        ])
        .unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.read("asked").lines().map(str::to_owned).collect()
    }
}

/// Another process writes it: one of this process's children, started meanwhile, could hold it open, and then it cannot be run.
fn write_program(path: &Path, text: &str) {
    let script = r#"cat > "$0" && chmod 700 "$0""#;
    let mut writer = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut writer.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

fn printing(username: &str, secret: &str) -> String {
    format!(
        r#"printf '{{"ServerURL":"%s","Username":"{username}","Secret":"{secret}"}}' "$server""#
    )
}

async fn get(source: &DockerConfig, host: &str) -> Result<Credential, Fault> {
    source.credential(&host.parse().unwrap(), false).await
}

#[tokio::test]
async fn a_helper_is_told_the_server_as_docker_tells_it() {
    let rig = Rig::new(
        r#"{"credsStore":"all","credHelpers":{"r.example:5000":"one"},"auths":{"ghcr.io":{"username":"u","password":"p"}}}"#,
    );
    rig.helper("all", &printing("all", SECRET));
    rig.helper("one", &printing("<token>", SECRET));
    let source = rig.source();
    assert_eq!(
        get(&source, "ghcr.io").await,
        Ok(Credential::basic("all", SECRET))
    );
    assert_eq!(
        get(&source, "docker.io").await,
        Ok(Credential::basic("all", SECRET))
    );
    assert_eq!(
        get(&source, "r.example:5000").await,
        Ok(Credential::Refresh(Secret::new(SECRET)))
    );
    assert_eq!(
        rig.asked(),
        [
            "get ghcr.io",
            "get https://index.docker.io/v1/",
            "get r.example:5000"
        ]
    );
}

#[tokio::test]
async fn what_no_helper_has_is_anonymous() {
    let rig = Rig::new(r#"{"credsStore":"all","credHelpers":{"empty.example":"empty"}}"#);
    rig.helper("all", &format!("echo '{NOT_FOUND}'; exit 1"));
    rig.helper(
        "empty",
        r#"echo '{"ServerURL":"","Username":"","Secret":""}'"#,
    );
    let source = rig.source();
    assert_eq!(get(&source, "ghcr.io").await, Ok(Credential::Anonymous));
    assert_eq!(
        get(&source, "empty.example").await,
        Ok(Credential::Anonymous)
    );
}

#[tokio::test]
async fn a_helper_is_asked_once_by_all_and_again_when_its_answer_is_refused() {
    let rig = Rig::new(r#"{"credsStore":"all"}"#);
    rig.helper(
        "all",
        &printing("u", "$(wc -l < $(dirname $0)/asked | tr -d ' ')"),
    );
    rig.helper("all", r#"printf '{"Username":"u","Secret":"%s"}' "$(wc -l < "$(dirname "$0")/asked" | tr -d ' ')""#);
    let source = rig.source();
    let host = "ghcr.io".parse().unwrap();
    let (a, b, c) = tokio::join!(
        get(&source, "ghcr.io"),
        get(&source, "ghcr.io"),
        source.credential(&host, true)
    );
    for credential in [a, b, c, get(&source, "ghcr.io").await] {
        assert_eq!(credential, Ok(Credential::basic("u", "1")));
    }
    assert_eq!(
        source.credential(&host, true).await,
        Ok(Credential::basic("u", "2"))
    );
    assert_eq!(rig.asked().len(), 2);
}

#[tokio::test]
async fn a_changed_configuration_is_read_when_a_credential_is_refused() {
    let rig = Rig::new(r#"{"auths":{"ghcr.io":{"username":"u","password":"old"}}}"#);
    rig.helper("all", &printing("u", "new"));
    let source = rig.source();
    assert_eq!(
        get(&source, "ghcr.io").await,
        Ok(Credential::basic("u", "old"))
    );
    rig.configure(r#"{"credsStore":"all"}"#);
    let host = "ghcr.io".parse().unwrap();
    assert_eq!(
        source.credential(&host, true).await,
        Ok(Credential::basic("u", "new"))
    );
}

fn blocked(fault: &Fault, says: &str) {
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "CredentialHelper"),
        "{fault}"
    );
    let text = whole(fault);
    assert!(
        text.contains("docker-credential-all") && text.contains(says),
        "{text}"
    );
    assert!(fault.next.is_some() && text.len() < 16 * 1024, "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn h08_a_helper_that_fails_is_named_and_its_words_are_shown_without_secrets() {
    let cases = [
        (
            "echo 'no such profile: dev' >&2; exit 3".to_owned(),
            "no such profile: dev",
        ),
        (
            "echo 'the keychain is locked'; exit 1".to_owned(),
            "the keychain is locked",
        ),
        (
            format!("echo 'refused password={SECRET}' >&2; exit 1"),
            "refused password=<redacted>",
        ),
        (format!("{}; exit 1", printing("u", SECRET)), "redacted"),
        (
            format!("echo 'Bearer {SECRET}' >&2; head -c 5000000 /dev/zero >&2; exit 1"),
            "Bearer <redacted>",
        ),
        (
            format!("echo '{SECRET}'"),
            "something other than a credential",
        ),
        (
            format!("echo '{{\"Secret\":[\"{SECRET}\"]}}'"),
            "something other than a credential",
        ),
        ("head -c 3000000 /dev/zero".to_owned(), "more than 1 MiB"),
        ("kill -9 $$".to_owned(), "signal: 9"),
    ];
    for (body, says) in cases {
        let rig = Rig::new(r#"{"credsStore":"all"}"#);
        rig.helper("all", &body);
        blocked(&get(&rig.source(), "ghcr.io").await.unwrap_err(), says);
    }
    let absent = Rig::new(r#"{"credsStore":"all"}"#);
    blocked(
        &get(&absent.source(), "ghcr.io").await.unwrap_err(),
        "is not on PATH",
    );
    let nowhere = DockerConfig::read(&absent.file("config.json")).unwrap();
    blocked(
        &get(&nowhere, "ghcr.io").await.unwrap_err(),
        "is not on PATH",
    );
    std::fs::write(absent.file("docker-credential-all"), "#!/bin/sh\n").unwrap();
    blocked(
        &get(&absent.source(), "ghcr.io").await.unwrap_err(),
        "is not on PATH",
    );
}

/// Is the process whose id `file` holds still there?
fn alive(rig: &Rig, file: &str) -> bool {
    let pid = rig.read(file).trim().to_owned();
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // What waits to be collected is gone.
    !pid.is_empty() && !state.is_empty() && !state.contains(") Z ")
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_helper_nobody_waits_for_any_more_is_killed() {
    let rig = Rig::new(r#"{"credsStore":"all"}"#);
    rig.helper("all", "echo $$ > \"$(dirname \"$0\")/pid\"; exec sleep 600");
    let source = Arc::new(rig.source());
    let asking = tokio::spawn({
        let source = source.clone();
        async move { get(&source, "ghcr.io").await }
    });
    until("the helper's start", || alive(&rig, "pid")).await;
    asking.abort();
    until("the helper's end", || !alive(&rig, "pid")).await;
}

#[tokio::test]
async fn a_registry_is_read_with_what_a_helper_says() {
    let server = Simulated::start(RegistryConfig {
        auth: RegistryAuth::Basic {
            username: "u".into(),
            password: "second".into(),
        },
        ..RegistryConfig::default()
    })
    .await
    .unwrap();
    let rig = Rig::new(&format!(
        r#"{{"credHelpers":{{"{}":"one"}}}}"#,
        server.host()
    ));
    // The first answer has run out; the second is good.
    rig.helper("one", r#"test "$(wc -l < "$(dirname "$0")/asked")" -gt 1 && s=second || s=first; printf '{"Username":"u","Secret":"%s"}' $s"#);
    let registry = Registry::new(Options {
        credentials: Arc::new(rig.source()),
        ..Options::on_loopback()
    })
    .unwrap();
    let fault = Fault::from(
        registry
            .resolve(&format!("{}/a:1", server.host()).parse().unwrap())
            .await
            .unwrap_err(),
    );
    assert_eq!(fault.reason.as_str(), "RegistryNotFound", "{fault}");
    assert_eq!(rig.asked().len(), 2);
}
