//! Our side: bundles as tars, and the way from a tar's bytes to the objects' JSON.

use std::time::Instant;

use fractal_artifact::bundle::{deployment, parameters};
use fractal_artifact::manifests::{ManifestError, Object, Overlay, Request, Sources, render};
use fractal_artifact::{BundleFiles, BundleScanner, bundle_tar};
use fractal_core::Fault;
use fractal_core::contract::Params;
use serde_json::json;

use super::Spent;
use crate::error::Error;

/// The Deployment, and the component whose overlay is laid over it.
pub(super) const NAME: &str = "web";
pub(super) const ENVIRONMENT: &str = "bench";
const MANIFEST: &str = include_str!("workload.yaml");
/// The image the bundle has, without its tag.
pub(super) const IMAGE: &str = "registry.example.com/base/web";

/// One bundle, and what the SDK set.
pub(super) struct Bundle {
    pub(super) tar: Vec<u8>,
    pub(super) params: Params,
}

/// The manifest as kustomize gets it, which sets the namespace itself.
pub(super) fn base() -> String {
    let lines = MANIFEST.lines().filter(|line| !line.contains("$NAMESPACE"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// As many bundles, with the values that kustomize's overlays have.
pub(super) fn bundles(count: u32) -> Result<Vec<Bundle>, Error> {
    (0..count).map(bundle).collect()
}

fn bundle(place: u32) -> Result<Bundle, Error> {
    let values = format!(
        "environments:\n- name: {ENVIRONMENT}\n  parameters:\n    NAMESPACE: namespace-{place}\n"
    );
    let files = [
        ("web-fdeploy.yaml", MANIFEST.as_bytes()),
        ("fractal-parameters.yml", values.as_bytes()),
    ];
    let params = json!({
        "artifactUri": format!("registry.example.com/overlay/{NAME}:v{place}"),
        "replicas": 1 + place % 9,
        "port": 8000 + place % 1000,
        "cpu": format!("{}m", 100 + place % 400),
        "memory": "128Mi",
    });
    let params = params.as_object().cloned().unwrap_or_default();
    Ok(Bundle {
        tar: bundle_tar(files).map_err(Fault::from)?,
        params: Params::new(params),
    })
}

/// Renders all of them, and gives back the last one's objects.
pub(super) fn render_all(bundles: &[Bundle]) -> Result<(Spent, Vec<Object>), Error> {
    let mut last = Vec::new();
    let mut bytes = 0;
    let (before, began) = (processor()?, Instant::now());
    for bundle in bundles {
        let (objects, json) = render_one(bundle)?;
        bytes += json.len();
        last = objects;
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), processor()? - before);
    // Asked for, so that nothing of it can be left out.
    std::hint::black_box(bytes);
    Ok((Spent { cpu, wall }, last))
}

/// What an agent does with a bundle's bytes, up to the bytes it sends.
fn render_one(bundle: &Bundle) -> Result<(Vec<Object>, Vec<u8>), Error> {
    let files = files(&bundle.tar)?;
    let overlay = Overlay::from_params(&bundle.params).map_err(Fault::from)?;
    let objects = objects(&files, &overlay)?;
    let mut json = Vec::new();
    for object in &objects {
        serde_json::to_writer(&mut json, object.value())
            .map_err(|error| Error::unexpected("the renderer", error))?;
    }
    Ok((objects, json))
}

/// The files of a bundle's tar.
pub(super) fn files(tar: &[u8]) -> Result<BundleFiles, Error> {
    let mut scanner = BundleScanner::new();
    scanner.push(tar);
    Ok(scanner.finish(tar.len() as u64).map_err(Fault::from)?)
}

fn objects(files: &BundleFiles, overlay: &Overlay) -> Result<Vec<Object>, Error> {
    let (manifest_name, manifest) = deployment(files, NAME).map_err(Fault::from)?;
    let parameters = parameters(files).map_err(Fault::from)?;
    let sources = Sources {
        manifest_name,
        manifest,
        parameters: parameters.map(|(name, text)| (name, &**text)),
    };
    rendered(&sources, overlay).map_err(|error| Fault::from(error).into())
}

fn rendered(sources: &Sources<'_>, overlay: &Overlay) -> Result<Vec<Object>, ManifestError> {
    let request = Request {
        component: NAME,
        environment: ENVIRONMENT,
        overlay,
        strict: true,
    };
    render(sources, &request).map(|rendered| rendered.objects)
}

/// Somebody else's YAML, read by the reader of bundles.
pub(super) fn read(yaml: &str) -> Result<Vec<Object>, Error> {
    let sources = Sources {
        manifest_name: "theirs.yaml",
        manifest: yaml,
        parameters: None,
    };
    rendered(&sources, &Overlay::default()).map_err(|error| Fault::from(error).into())
}

/// CPU seconds of this thread, which does all the work, to the nanosecond.
pub(super) fn processor() -> Result<f64, Error> {
    const PATH: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(PATH).map_err(Error::io(format!("reading {PATH}")))?;
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|it| it.parse::<f64>().ok());
    nanoseconds
        .map(|it| it / 1e9)
        .ok_or_else(|| Error::unexpected(PATH, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_differ_in_all_that_is_overlaid() {
        let bundles = bundles(3).unwrap();
        let (_, last) = render_all(&bundles).unwrap();
        let deployment = last[0].value();
        let at = |pointer: &str| deployment.pointer(pointer).unwrap().clone();
        assert_eq!(at("/metadata/namespace"), "namespace-2");
        assert_eq!(at("/spec/replicas"), 3);
        let container = at("/spec/template/spec/containers/0");
        assert_eq!(container["image"], "registry.example.com/overlay/web:v2");
        assert_eq!(
            container["ports"][0],
            json!({"name": "http", "containerPort": 8002, "protocol": "TCP"})
        );
        let amounts = json!({"cpu": "102m", "memory": "128Mi"});
        assert_eq!(
            container["resources"],
            json!({"requests": amounts, "limits": amounts})
        );
        assert_eq!(last[1].namespace(), Some("namespace-2"));
        assert!(!base().contains('$') && base().contains("kind: Service"));
    }
}
