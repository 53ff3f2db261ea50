//! Where an artifact can run: the contract's table, and what to do where it cannot. Pure.

use fractal_core::artifact::ArtifactKind::{self, Container, FunctionZip, Manifests, PythonWheel};
use serde::Serialize;

/// Largest deployment package Lambda takes, in bytes after unpacking.
const LAMBDA_UNPACKED: u64 = 250 << 20;
/// Largest deployment package that Lambda takes within a request, in bytes. A larger one goes through a staging bucket.
const LAMBDA_INLINE: u64 = 40 << 20;

/// One service that runs artifacts.
struct Target {
    name: &'static str,
    kinds: &'static [ArtifactKind],
    /// CPU architectures of images, in Go's words.
    architectures: &'static [&'static str],
    note: &'static str,
}

const ANY: &[&str] = &[];
const X86: &[&str] = &["amd64"];
const BOTH: &[&str] = &["amd64", "arm64"];

const TARGETS: &[Target] = &[
    Target {
        name: "Kubernetes",
        kinds: &[Container, Manifests],
        architectures: ANY,
        note: "",
    },
    Target {
        name: "AWS Lambda",
        kinds: &[FunctionZip, Container],
        architectures: BOTH,
        note: "",
    },
    Target {
        name: "AWS ECS",
        kinds: &[Container],
        architectures: BOTH,
        note: "",
    },
    Target {
        name: "AWS App Runner",
        kinds: &[Container],
        architectures: X86,
        note: "existing services only",
    },
    Target {
        name: "Azure Functions",
        kinds: &[FunctionZip, Container],
        architectures: X86,
        note: "",
    },
    Target {
        name: "Azure Container Apps",
        kinds: &[Container],
        architectures: X86,
        note: "",
    },
    Target {
        name: "Google Cloud Functions",
        kinds: &[FunctionZip],
        architectures: ANY,
        note: "",
    },
    Target {
        name: "Google Cloud Run",
        kinds: &[Container],
        architectures: X86,
        note: "",
    },
    Target {
        name: "Databricks (AWS, Azure, GCP)",
        kinds: &[PythonWheel],
        architectures: ANY,
        note: "",
    },
    Target {
        name: "Spark on Kubernetes",
        kinds: &[PythonWheel],
        architectures: ANY,
        note: "",
    },
    Target {
        name: "this machine",
        kinds: &[Container, FunctionZip, PythonWheel],
        architectures: ANY,
        note: "",
    },
];

/// What decides where an artifact can run.
#[derive(Debug, Clone, Default)]
pub(super) struct Traits {
    /// What it can be read as; two where `packageType` decides.
    pub(super) kinds: Vec<ArtifactKind>,
    /// Platforms of its images, as `os/architecture`.
    pub(super) platforms: Vec<String>,
    /// Compressed bytes of its layers.
    pub(super) size: u64,
    /// Bytes after unpacking, where they are known.
    pub(super) unpacked: Option<u64>,
}

/// Whether a target runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    pub(super) target: &'static str,
    pub(super) runs: bool,
    /// A condition where it runs, the fix where it does not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
}

/// What each target does with an artifact of these traits.
pub(super) fn verdicts(traits: &Traits) -> Vec<Verdict> {
    TARGETS
        .iter()
        .map(|target| target.verdict(traits))
        .collect()
}

impl Target {
    fn verdict(&self, traits: &Traits) -> Verdict {
        let judged = self.judged(traits);
        let (runs, mut note) = match judged {
            Ok(note) => (true, note),
            Err(fix) => (false, fix),
        };
        if runs && note.is_empty() {
            note = self.note.to_owned();
        }
        Verdict {
            target: self.name,
            runs,
            note,
        }
    }

    /// As the first kind that the target takes and that fits it.
    fn judged(&self, traits: &Traits) -> Result<String, String> {
        let taken = traits.kinds.iter().filter(|kind| self.kinds.contains(kind));
        let mut misfits = Err(self.instead(traits));
        for (place, kind) in taken.enumerate() {
            match self.fits(*kind, traits) {
                Ok(note) => return Ok(note),
                Err(fix) if place == 0 => misfits = Err(fix),
                Err(_) => {}
            }
        }
        misfits
    }

    /// What to publish, or where to go, instead.
    fn instead(&self, traits: &Traits) -> String {
        let wanted: Vec<&str> = self.kinds.iter().map(|kind| words(*kind)).collect();
        let publish = format!("publish {}", wanted.join(" or "));
        let is_image = traits.kinds == [Container];
        if is_image && self.name == "Google Cloud Functions" {
            return format!("{publish}, or select Google Cloud Run");
        }
        publish
    }

    fn fits(&self, kind: ArtifactKind, traits: &Traits) -> Result<String, String> {
        let mut notes = Vec::new();
        if let [_, _, ..] = traits.kinds.as_slice() {
            let word = if kind == Container { "image" } else { "zip" };
            notes.push(format!("set packageType to {word}"));
        }
        match kind {
            Container => self.platform(traits)?,
            FunctionZip if self.name == "AWS Lambda" => notes.extend(lambda_zip(traits)?),
            FunctionZip | PythonWheel | Manifests => {}
        }
        Ok(notes.join("; "))
    }

    fn platform(&self, traits: &Traits) -> Result<(), String> {
        let runs = |platform: &String| match platform.split_once('/') {
            Some(("linux", architecture)) => {
                let architecture = architecture.split('/').next().unwrap_or_default();
                self.architectures.is_empty() || self.architectures.contains(&architecture)
            }
            _ => false,
        };
        if traits.platforms.iter().any(runs) {
            return Ok(());
        }
        let wanted = if self.architectures.is_empty() {
            BOTH
        } else {
            self.architectures
        };
        let wanted: Vec<String> = wanted.iter().map(|one| format!("linux/{one}")).collect();
        Err(format!(
            "build it for {} too and push again",
            wanted.join(" or ")
        ))
    }
}

fn lambda_zip(traits: &Traits) -> Result<Option<String>, String> {
    if traits
        .unpacked
        .is_some_and(|unpacked| unpacked > LAMBDA_UNPACKED)
    {
        return Err(format!(
            "publish at most {} MiB unpacked, or a container image",
            LAMBDA_UNPACKED >> 20
        ));
    }
    let large = traits.size > LAMBDA_INLINE;
    Ok(large.then(|| "the agent needs a staging bucket".to_owned()))
}

const fn words(kind: ArtifactKind) -> &'static str {
    match kind {
        Container => "a container image",
        FunctionZip => "a function zip",
        PythonWheel => "a Python wheel",
        Manifests => "a manifest bundle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_on(traits: &Traits) -> Vec<&'static str> {
        let all = verdicts(traits).into_iter();
        all.filter(|verdict| verdict.runs)
            .map(|verdict| verdict.target)
            .collect()
    }

    fn note(traits: &Traits, target: &str) -> String {
        let mut all = verdicts(traits).into_iter();
        all.find(|verdict| verdict.target == target).unwrap().note
    }

    fn image(platform: &str) -> Traits {
        Traits {
            kinds: vec![Container],
            platforms: vec![platform.into()],
            ..Traits::default()
        }
    }

    #[test]
    fn every_kind_runs_where_the_contract_says() {
        let of = |kind| {
            runs_on(&Traits {
                kinds: vec![kind],
                ..Traits::default()
            })
        };
        assert_eq!(
            of(FunctionZip),
            [
                "AWS Lambda",
                "Azure Functions",
                "Google Cloud Functions",
                "this machine"
            ]
        );
        assert_eq!(
            of(PythonWheel),
            [
                "Databricks (AWS, Azure, GCP)",
                "Spark on Kubernetes",
                "this machine"
            ]
        );
        assert_eq!(of(Manifests), ["Kubernetes"]);
        let everywhere = runs_on(&image("linux/amd64"));
        assert_eq!(everywhere.len(), 8);
        assert!(!everywhere.contains(&"Google Cloud Functions"));
    }

    #[test]
    fn an_image_needs_an_architecture_that_the_target_has() {
        let arm = image("linux/arm64/v8");
        assert_eq!(
            runs_on(&arm),
            ["Kubernetes", "AWS Lambda", "AWS ECS", "this machine"]
        );
        assert_eq!(
            note(&arm, "Google Cloud Run"),
            "build it for linux/amd64 too and push again"
        );
        assert_eq!(runs_on(&image("windows/amd64")), Vec::<&str>::new());
        assert_eq!(
            note(&arm, "Google Cloud Functions"),
            "publish a function zip, or select Google Cloud Run"
        );
    }

    #[test]
    fn lambda_takes_zips_up_to_its_limits() {
        let zip = |size, unpacked| Traits {
            kinds: vec![FunctionZip],
            size,
            unpacked: Some(unpacked),
            ..Traits::default()
        };
        assert_eq!(note(&zip(LAMBDA_INLINE, LAMBDA_UNPACKED), "AWS Lambda"), "");
        assert_eq!(
            note(&zip(LAMBDA_INLINE + 1, 1), "AWS Lambda"),
            "the agent needs a staging bucket"
        );
        let large = zip(1, LAMBDA_UNPACKED + 1);
        assert_eq!(
            note(&large, "AWS Lambda"),
            "publish at most 250 MiB unpacked, or a container image"
        );
        assert!(runs_on(&large).contains(&"Azure Functions"));
    }

    #[test]
    fn what_can_be_read_two_ways_needs_a_package_type() {
        let mut either = image("linux/amd64");
        either.kinds = vec![Container, FunctionZip];
        assert_eq!(note(&either, "Kubernetes"), "set packageType to image");
        either.platforms = vec!["linux/arm64".into()];
        assert_eq!(note(&either, "Azure Functions"), "set packageType to zip");
        assert_eq!(
            note(&either, "Google Cloud Functions"),
            "set packageType to zip"
        );
        assert_eq!(
            note(&either, "Databricks (AWS, Azure, GCP)"),
            "publish a Python wheel"
        );
    }
}
