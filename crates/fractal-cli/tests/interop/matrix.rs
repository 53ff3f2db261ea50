//! Every client on every server with every kind of artifact, in both directions.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Server, Setup};

use crate::content::Content;
use crate::crane::Crane;
use crate::oci_client::OciClient;
use crate::oras::Oras;
use crate::ours::{self, Fractal, is_sample};
use crate::regctl::Regctl;
use crate::samples::{Sample, Samples};
use crate::skopeo::Skopeo;

/// Another client of registries.
pub(crate) trait Client: Sized {
    /// `None` where it is not on this machine and need not be.
    async fn new(server: &Server) -> Option<Self>;

    /// The artifact whole; a part that is not what its digest says fails the test.
    async fn read(&self, at: &Reference) -> Content;

    /// Publishes the sample as its users do; the digest it says that has.
    async fn write(&self, sample: &Sample, to: &Reference) -> String;
}

async fn reads_and_writes<C: Client>(setup: Setup) {
    let server = Server::start(setup).await;
    let Some(client) = C::new(&server).await else {
        say_not_tested::<C>();
        return;
    };
    let (fractal, registry) = (Fractal::new(&[&server]), ours::client(&server));
    let samples = Samples::new();
    for sample in &samples.all {
        let to = server.reference(&format!("ours/{}:1", sample.name));
        let printed = fractal.publish(sample, &to.to_string()).await;
        let ours = ours::read(&registry, &to).await;
        assert_eq!(ours.digest, printed);
        is_sample(&ours, sample, &samples).await;
        assert_eq!(client.read(&to).await, ours, "{setup:?} {}", sample.name);

        let to = server.reference(&format!("theirs/{}:1", sample.name));
        let printed = client.write(sample, &to).await;
        let inspected = fractal.json(&["inspect", &to.to_string()]).await;
        assert_eq!(inspected["digest"], *printed, "{inspected}");
        assert_eq!(inspected["kind"], sample.kind, "{inspected}");
        let theirs = ours::read(&registry, &to).await;
        assert_eq!(theirs.digest, printed);
        is_sample(&theirs, sample, &samples).await;
    }
}

/// Not by `println`, which the test harness keeps to itself where a test passes.
fn say_not_tested<C>() {
    let client = std::any::type_name::<C>();
    let line = format!("{client}: not on PATH, so not tested\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

macro_rules! matrix {
    ($($server:ident: $setup:ident,)*) => {
        $(mod $server {
            use super::*;

            #[tokio::test]
            async fn crane() {
                reads_and_writes::<Crane>(Setup::$setup).await;
            }

            #[tokio::test]
            async fn regctl() {
                reads_and_writes::<Regctl>(Setup::$setup).await;
            }

            #[tokio::test]
            async fn oras() {
                reads_and_writes::<Oras>(Setup::$setup).await;
            }

            #[tokio::test]
            async fn oci_client() {
                reads_and_writes::<OciClient>(Setup::$setup).await;
            }

            #[tokio::test]
            async fn skopeo_where_it_is_installed() {
                reads_and_writes::<Skopeo>(Setup::$setup).await;
            }
        })*
    };
}

matrix! {
    plain: Plain,
    basic: Basic,
    bearer: Bearer,
    tls: Tls,
    referrers: Referrers,
}
