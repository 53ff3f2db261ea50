//! The `fractal-simcloud` program: a simulated AWS and its registry as a process of its own. Everything it does is the library's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use fractal_simcloud::{
    Clock, Config, Identities, Identity, Quotas, RegistryAuth, Settling, SimCloud, SimError,
};
use tokio::signal::unix::{SignalKind, signal};

/// A simulated AWS on loopback: Lambda, S3, STS, IAM roles and ECR tokens over their real wire protocols, and the OCI registry that plays ECR.
///
/// Point any AWS SDK at it: AWS_ENDPOINT_URL=<aws>, any access key, any region. Push images to <registry>/NAME:TAG, and give Lambda
/// 123456789012.dkr.ecr.REGION.amazonaws.com/NAME@DIGEST. Functions become Pending, then Active, as at the real service; updates while one is in progress
/// are refused with 409. Every call is in the ledger, which survives a kill.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    /// Folder for state and ledger; a temporary one, removed at the end, when not given.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Loopback port of the AWS endpoint; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Loopback port of the registry; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    registry_port: u16,
    /// Where to write one JSON line with the endpoints when ready: a file, or - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    announce: PathBuf,
    /// A role ARN Lambda can assume; repeatable. Without any: arn:aws:iam::123456789012:role/lambda-role.
    #[arg(long, value_name = "ARN")]
    role: Vec<String>,
    /// A known access key; repeatable. With a secret, its signatures are verified.
    #[arg(long, value_name = "KEY:ACCOUNT[:SECRET]", value_parser = identity)]
    identity: Vec<Identity>,
    /// Refuse access keys that no --identity names.
    #[arg(long)]
    known_keys_only: bool,
    /// So many reads of a function still show a write in progress.
    #[arg(long, value_name = "N", default_value_t = 2)]
    settle_reads: u32,
    /// A write is also finished after so many milliseconds.
    #[arg(long, value_name = "MS")]
    settle_ms: Option<u64>,
    /// Do not throttle (GetFunction 100 a second, all other Lambda calls together 15).
    #[arg(long)]
    no_quotas: bool,
    /// Tag writes move a function's RevisionId.
    #[arg(long)]
    tags_move_revision: bool,
    /// The registry asks for this user by the bearer-token flow, or for an ECR token.
    #[arg(long, value_name = "USER:PASSWORD", value_parser = user)]
    registry_user: Option<(String, String)>,
    /// Whom Vault, Azure, Google and EKS know: a JSON file; each one in it is simulated too.
    #[arg(long, value_name = "FILE")]
    identities: Option<PathBuf>,
    /// Whose tokens the registry takes, besides those of ECR.
    #[arg(long, value_name = "VENDOR", conflicts_with = "registry_user")]
    registry_vendor: Option<Vendor>,
    /// Time stands still and moves by POST /_sim/clock/advance only.
    #[arg(long)]
    manual_clock: bool,
    /// Force each ledger record to the disk before its answer leaves.
    #[arg(long)]
    fsync: bool,
}

/// A vendor whose registry is simulated.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Vendor {
    /// fractal.azurecr.io, with a token exchange.
    Azure,
    /// Artifact Registry.
    Google,
}

impl Vendor {
    fn auth(self) -> RegistryAuth {
        match self {
            Self::Azure => RegistryAuth::Azure {
                login_server: "fractal.azurecr.io".to_owned(),
                refresh_seconds: 3 * 3600,
                access_seconds: 4500,
            },
            Self::Google => RegistryAuth::Google {
                token_seconds: 3600,
            },
        }
    }
}

const AFTER_HELP: &str = "\
Control, on the AWS endpoint:
  GET    /_sim/ledger?since=N       every call after sequence number N
  POST   /_sim/faults               arm a fault: {\"filter\":{\"service\":\"lambda\",\"mutating\":true},\"nth\":2,\"action\":{\"kind\":\"lose-answer\"}}
  GET    /_sim/faults               armed faults;  DELETE /_sim/faults[/ID] lifts them
  POST   /_sim/counters/reset       count calls again from here, fill the quota buckets
  POST   /_sim/clock/advance        {\"milliseconds\":1000}
  GET    /_sim/lambda/functions     what each function serves now
  GET    /_sim/s3/objects           every object
Kinds of faults: fail (status, code, message, retry_after), throttle, deny, reset, lose-answer, delay (milliseconds), cut-answer (bytes; registry), fail-late (code, reason),
stale-reads (reads). \"times\": null holds until lifted.

Identities (--identities FILE), every member optional:
  {\"vault\": {\"rootToken\": \"root\", \"roles\": [{\"mount\": \"kubernetes\", \"login\": \"kubernetes\", \"name\": \"fractal\",
     \"issuer\": {\"issuer\": \"https://cluster.example\", \"publicKey\": \"PEM\"}, \"subject\": \"system:serviceaccount:NS:NAME\",
     \"policies\": [\"registries\"], \"ttlSeconds\": 3600, \"maxTtlSeconds\": 86400}],
     \"policies\": [{\"name\": \"registries\", \"rules\": [[\"fractal_cloud/data/*\", [\"read\"]]]}]},
   \"azure\": {\"applications\": [{\"tenant\": \"T\", \"clientId\": \"C\", \"secret\": \"S\", \"managed\": true, \"access\": \"pull\"}]},
   \"gcp\": {\"accounts\": [{\"email\": \"E\", \"attached\": true, \"access\": \"reader\"}]},
   \"eks\": {\"issuer\": {...}, \"roles\": [[\"system:serviceaccount:NS:NAME\", \"ROLE-ARN\"]], \"sessionSeconds\": 3600}}
Where each listens is in the line with the endpoints: VAULT_ADDR=<vault>, AZURE_AUTHORITY_HOST=<azure>, GCE_METADATA_HOST=<gcp>.

Example:
  fractal-simcloud --state-dir ./sim --port 4566 --registry-port 5000
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x aws lambda list-functions --region eu-west-1";

fn identity(text: &str) -> Result<Identity, String> {
    let mut fields = text.splitn(3, ':');
    let (key, account) = (
        fields.next().unwrap_or_default(),
        fields.next().unwrap_or_default(),
    );
    if key.is_empty() || account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            "expected KEY:ACCOUNT or KEY:ACCOUNT:SECRET, the account twelve digits".to_owned(),
        );
    }
    Ok(Identity {
        access_key_id: key.to_owned(),
        secret_access_key: fields.next().map(str::to_owned),
        account: account.to_owned(),
        expired: false,
    })
}

fn user(text: &str) -> Result<(String, String), String> {
    let (name, password) = text.split_once(':').ok_or("expected USER:PASSWORD")?;
    Ok((name.to_owned(), password.to_owned()))
}

impl Arguments {
    fn config(self) -> Result<Config, SimError> {
        let defaults = Config::default();
        let identities = match &self.identities {
            Some(path) => Identities::read(path)?,
            None => Identities::default(),
        };
        let user = self
            .registry_user
            .map(|(username, password)| RegistryAuth::Bearer {
                username,
                password,
                token_seconds: 300,
                anonymous_pull: false,
            });
        let auth = user.or_else(|| self.registry_vendor.map(Vendor::auth));
        Ok(Config {
            state_dir: self.state_dir,
            port: self.port,
            registry_port: self.registry_port,
            fsync: self.fsync,
            default_account: defaults.default_account.filter(|_| !self.known_keys_only),
            identities: self.identity,
            roles: if self.role.is_empty() {
                defaults.roles
            } else {
                self.role
            },
            settling: Settling {
                reads: Some(self.settle_reads),
                milliseconds: self.settle_ms,
            },
            quotas: if self.no_quotas {
                Quotas::unlimited()
            } else {
                Quotas::default()
            },
            tags_move_revision: self.tags_move_revision,
            registry_auth: auth.unwrap_or(RegistryAuth::Open),
            eks: identities.eks,
            azure: identities.azure,
            gcp: identities.gcp,
            vault: identities.vault,
            clock: if self.manual_clock {
                Clock::manual()
            } else {
                Clock::system()
            },
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "fractal-simcloud: {}",
                chain(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let announce = arguments.announce.clone();
    let cloud = SimCloud::start(arguments.config()?).await?;
    announced(&announce, &serde_json::to_string(cloud.endpoints())?)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    cloud.stop().await;
    Ok(())
}

/// A file appears whole: whoever waits for it never reads half a line.
fn announced(target: &Path, line: &str) -> std::io::Result<()> {
    if target == Path::new("-") {
        let mut out = std::io::stdout();
        writeln!(out, "{line}")?;
        return out.flush();
    }
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, format!("{line}\n"))?;
    std::fs::rename(&part, target)
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
