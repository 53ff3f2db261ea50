//! Whole publications under each set-up: ours read by us and by the other clients, theirs read by us.

use fractal_core::artifact::{Digest, Manifest, Reference};
use fractal_registry::{CopyOptions, Registry, RequestKind, copy};
use fractal_testkit::registry::{Peer, Server, Setup};

use crate::artifacts::{Artifact, function, image, tar};
use crate::client::client;

#[tokio::test]
async fn plain() {
    everything(Setup::Plain).await;
}

#[tokio::test]
async fn basic() {
    everything(Setup::Basic).await;
}

#[tokio::test]
async fn bearer() {
    let server = everything(Setup::Bearer).await;
    assert!(!server.tokens().unwrap().given().is_empty());
}

#[tokio::test]
async fn tls() {
    everything(Setup::Tls).await;
}

#[tokio::test]
async fn referrers() {
    everything(Setup::Referrers).await;
}

async fn everything(setup: Setup) -> Server {
    let server = Server::start(setup).await;
    let ours = client(&server);
    for (name, artifact) in [("function", function()), ("image", image())] {
        let tagged = server.reference(&format!("team/{name}:1"));
        let digest = artifact.push(&ours, &tagged).await.unwrap();
        assert_eq!(digest, artifact.digest());
        read_by_us(&ours, &tagged, &artifact).await;
        copied_and_tagged(&server, &ours, &tagged, &digest).await;
        read_by_crane(&server, &tagged, &artifact).await;
        read_by_regctl(&server, &tagged, &artifact).await;
    }
    written_by_crane(&server, &ours).await;
    written_by_regctl(&server, &ours).await;
    server
}

async fn read_by_us(ours: &Registry, tagged: &Reference, artifact: &Artifact) {
    let resolved = ours.resolve(tagged).await.unwrap();
    assert_eq!(resolved.digest, artifact.digest());
    for (media_type, bytes) in &artifact.manifests {
        let fetched = ours.manifest(tagged, &Digest::sha256(bytes)).await.unwrap();
        assert_eq!(
            (&fetched.bytes, fetched.media_type.as_str()),
            (bytes, *media_type)
        );
    }
    for (descriptor, bytes) in &artifact.blobs {
        let read = ours.blob(tagged, descriptor).await.unwrap();
        assert_eq!(read.collect().await.unwrap(), bytes);
    }
}

/// A copy within the registry sends no blob where it mounts them; the second one sends nothing at all.
async fn copied_and_tagged(server: &Server, ours: &Registry, from: &Reference, digest: &Digest) {
    let to = server.reference(&format!("{}-copy:1", from.repository()));
    let (from, to_one) = (ours.locate(from), [ours.locate(&to)]);
    let report = copy(&from, &to_one, &CopyOptions::default()).await;
    let copied = report.only().unwrap();
    assert_eq!(&copied.digest, digest, "{copied:?}");
    // The second implementation answers every mount with an upload to be done.
    if server.setup() != Setup::Referrers {
        assert!(copied.mounted > 0 && copied.uploaded == 0, "{copied:?}");
    }
    let writes = || {
        let requests = ours.requests();
        [
            RequestKind::Open,
            RequestKind::Upload,
            RequestKind::PutManifest,
        ]
        .map(|kind| requests.of(kind))
    };
    let before = writes();
    let report = copy(&from, &to_one, &CopyOptions::default()).await;
    let again = report.only().unwrap();
    assert_eq!((again.manifests, writes()), (0, before));
    let live = "live".parse().unwrap();
    ours.tag(&(&to).into(), digest, &live).await.unwrap();
    let tagged = server.reference(&format!("{}:live", to.repository()));
    assert_eq!(ours.resolve(&tagged).await.unwrap().digest, *digest);
}

async fn read_by_crane(server: &Server, tagged: &Reference, artifact: &Artifact) {
    let crane = Peer::crane(server).await;
    let name = tagged.to_string();
    assert_eq!(
        crane.text(&["digest", &name]).await,
        artifact.digest().as_str()
    );
    let manifest = crane.bytes(&["manifest", &name]).await;
    assert_eq!(manifest, artifact.manifests.last().unwrap().1);
    for (descriptor, bytes) in &artifact.blobs {
        let pinned = format!(
            "{}/{}@{}",
            server.host(),
            tagged.repository(),
            descriptor.digest
        );
        let read = crane.bytes(&["blob", &pinned]).await;
        assert!(read == *bytes, "crane reads another {pinned}");
    }
}

async fn read_by_regctl(server: &Server, tagged: &Reference, artifact: &Artifact) {
    let regctl = Peer::regctl(server).await;
    let name = tagged.to_string();
    assert_eq!(
        regctl.text(&["image", "digest", &name]).await,
        artifact.digest().as_str()
    );
    let manifest = regctl
        .bytes(&["manifest", "get", "--format", "raw-body", &name])
        .await;
    assert_eq!(manifest, artifact.manifests.last().unwrap().1);
    let repository = format!("{}/{}", server.host(), tagged.repository());
    for (descriptor, bytes) in &artifact.blobs {
        let digest = descriptor.digest.as_str();
        let read = regctl.bytes(&["blob", "get", &repository, digest]).await;
        assert!(read == *bytes, "regctl reads another {digest}");
    }
}

async fn written_by_crane(server: &Server, ours: &Registry) {
    let crane = Peer::crane(server).await;
    let layer = crane.home().join("layer.tar");
    std::fs::write(&layer, tar("hello.txt", b"hello from crane")).unwrap();
    let name = server.reference("theirs/crane:1");
    let append = [
        "append",
        "--oci-empty-base",
        "-f",
        layer.to_str().unwrap(),
        "-t",
        &name.to_string(),
    ];
    crane.text(&append).await;
    let digest = crane.text(&["digest", &name.to_string()]).await;
    read_whole(ours, &name, &digest).await;
}

async fn written_by_regctl(server: &Server, ours: &Registry) {
    let regctl = Peer::regctl(server).await;
    let file = regctl.home().join("function.zip");
    std::fs::write(&file, &function().blobs[1].1).unwrap();
    let name = server.reference("theirs/regctl:1");
    let put = [
        "artifact",
        "put",
        "--artifact-type",
        "application/vnd.fractal.workload-function.v1+zip",
        "--file-media-type",
        "application/vnd.fractal.workload-function.v1+zip",
        "--file",
        file.to_str().unwrap(),
        &name.to_string(),
    ];
    regctl.text(&put).await;
    let digest = regctl.text(&["image", "digest", &name.to_string()]).await;
    let manifest = read_whole(ours, &name, &digest).await;
    let Manifest::Image(manifest) = manifest else {
        panic!("regctl wrote an index")
    };
    assert_eq!(manifest.layers[0].digest, function().blobs[1].0.digest);
}

/// Resolves what someone else wrote, and reads its manifest and every blob, all verified.
async fn read_whole(ours: &Registry, name: &Reference, digest: &str) -> Manifest {
    let resolved = ours.resolve(name).await.unwrap();
    assert_eq!(resolved.digest.as_str(), digest);
    let fetched = ours.manifest(name, &resolved.digest).await.unwrap();
    if let Manifest::Image(manifest) = &fetched.manifest {
        for layer in manifest.layers.iter().chain([&manifest.config]) {
            let read = ours.blob(name, layer).await.unwrap();
            assert_eq!(read.collect().await.unwrap().len() as u64, layer.size);
        }
    }
    fetched.manifest
}
