//! The pins themselves: name, version, lock and cost of every part. To move one, change the lock beside it and the version here.

use crate::parts::go::{Module, PUBLISHED};
use crate::parts::python::Environment;

use super::{Part, Source};

pub(crate) const GO_TOOLCHAIN: Environment = Environment {
    wheels: include_str!("../../../parts/python/go.txt"),
    archives: "",
};

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "registry",
        version: "v3.1.2",
        source: Source::Go(Module {
            packages: &["github.com/distribution/distribution/v3/cmd/registry"],
            module: include_str!("../../../parts/go/registry/go.mod"),
            sums: include_str!("../../../parts/go/registry/go.sum"),
            ..PUBLISHED
        }),
        programs: &["bin/registry"],
        probe: ("bin/registry", &["--version"]),
        cost: "Go modules of the OCI reference registry, then compiling: about 90 s",
    },
    Part {
        name: "crane",
        version: "v0.22.1",
        source: Source::Go(Module {
            packages: &["github.com/google/go-containerregistry/cmd/crane"],
            module: include_str!("../../../parts/go/crane/go.mod"),
            sums: include_str!("../../../parts/go/crane/go.sum"),
            ..PUBLISHED
        }),
        programs: &["bin/crane"],
        probe: ("bin/crane", &["version"]),
        cost: "Go modules, then compiling: about 30 s",
    },
    Part {
        name: "regctl",
        version: "v0.11.7",
        source: Source::Go(Module {
            packages: &["github.com/regclient/regclient/cmd/regctl"],
            module: include_str!("../../../parts/go/regctl/go.mod"),
            sums: include_str!("../../../parts/go/regctl/go.sum"),
            ..PUBLISHED
        }),
        programs: &["bin/regctl"],
        probe: ("bin/regctl", &["version"]),
        cost: "Go modules, then compiling: about 10 s",
    },
    Part {
        name: "oras",
        version: "v2.6.4",
        source: Source::Go(Module {
            packages: &["."],
            module: include_str!("../../../parts/go/oras/go.mod"),
            sums: include_str!("../../../parts/go/oras/go.sum"),
            files: &[
                ("main.go", include_str!("../../../parts/go/oras/main.go")),
                ("copy.go", include_str!("../../../parts/go/oras/copy.go")),
                (
                    "referrers.go",
                    include_str!("../../../parts/go/oras/referrers.go"),
                ),
            ],
            ..PUBLISHED
        }),
        programs: &["bin/oras"],
        probe: ("bin/oras", &["version"]),
        cost: "Go modules, then compiling: about 10 s",
    },
    Part {
        name: "referrers",
        version: "v0.22.1",
        source: Source::Go(Module {
            packages: &["."],
            module: include_str!("../../../parts/go/referrers/go.mod"),
            sums: include_str!("../../../parts/go/referrers/go.sum"),
            files: &[(
                "main.go",
                include_str!("../../../parts/go/referrers/main.go"),
            )],
            ..PUBLISHED
        }),
        programs: &["bin/referrers"],
        probe: ("bin/referrers", &["--version"]),
        cost: "Go modules of a second registry, then compiling: about 10 s",
    },
    Part {
        name: "kubernetes",
        version: "v1.36.3",
        source: Source::Go(Module {
            packages: &[
                "k8s.io/kubernetes/cmd/kube-apiserver",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-scheduler",
                "k8s.io/kubernetes/cmd/kubectl",
            ],
            module: include_str!("../../../parts/go/kubernetes/go.mod"),
            sums: include_str!("../../../parts/go/kubernetes/go.sum"),
            // What `kubectl version` and the API server say, and what clients call themselves.
            linked: "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 \
                     -X k8s.io/component-base/version.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
            ..PUBLISHED
        }),
        programs: &[
            "bin/kube-apiserver",
            "bin/kube-controller-manager",
            "bin/kube-scheduler",
            "bin/kubectl",
        ],
        probe: ("bin/kube-apiserver", &["--version"]),
        cost: "Go modules of the Kubernetes control plane, 300 MB, then compiling: about 6 min",
    },
    Part {
        name: "etcd",
        version: "v3.7.3",
        source: Source::Go(Module {
            packages: &["go.etcd.io/etcd/server/v3"],
            module: include_str!("../../../parts/go/etcd/go.mod"),
            sums: include_str!("../../../parts/go/etcd/go.sum"),
            ..PUBLISHED
        }),
        programs: &["bin/etcd"],
        probe: ("bin/etcd", &["--version"]),
        cost: "Go modules, then compiling: about 20 s",
    },
    Part {
        name: "kwok",
        version: "v0.8.0",
        source: Source::Go(Module {
            packages: &["sigs.k8s.io/kwok/cmd/kwok"],
            module: include_str!("../../../parts/go/kwok/go.mod"),
            sums: include_str!("../../../parts/go/kwok/go.sum"),
            ..PUBLISHED
        }),
        programs: &["bin/kwok"],
        probe: ("bin/kwok", &["--version"]),
        cost: "Go modules of the kubelet that runs nothing, then compiling: about 1 min",
    },
    Part {
        name: "kustomize-bench",
        version: "v0.21.1",
        source: Source::Go(Module {
            packages: &["."],
            module: include_str!("../../../parts/go/kustomize-bench/go.mod"),
            sums: include_str!("../../../parts/go/kustomize-bench/go.sum"),
            files: &[(
                "main.go",
                include_str!("../../../parts/go/kustomize-bench/main.go"),
            )],
            ..PUBLISHED
        }),
        programs: &["bin/kustomize-bench"],
        probe: ("bin/kustomize-bench", &["-version"]),
        cost: "Go modules, then compiling: about 15 s",
    },
    Part {
        name: "ministack",
        version: "1.5.33",
        source: Source::Python(Environment {
            wheels: include_str!("../../../parts/python/ministack.txt"),
            archives: "",
        }),
        programs: &["ministack/bin/python", "ministack/bin/ministack"],
        probe: (
            "ministack/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, ministack; print(m.version('ministack'))",
            ],
        ),
        cost: "17 wheels from PyPI, 25 MB: about 15 s",
    },
    Part {
        name: "boto3",
        version: "1.44.5",
        source: Source::Python(Environment {
            wheels: include_str!("../../../parts/python/boto3.txt"),
            archives: "",
        }),
        programs: &["boto3/bin/python"],
        probe: (
            "boto3/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, boto3, awslambdaric; print(m.version('boto3'))",
            ],
        ),
        cost: "10 wheels from PyPI (boto3, awslambdaric 4.2.2), 18 MB: about 10 s",
    },
    Part {
        name: "pyspark",
        version: "4.1.4",
        source: Source::Python(Environment {
            wheels: include_str!("../../../parts/python/pyspark.txt"),
            archives: include_str!("../../../parts/python/pyspark-source.txt"),
        }),
        programs: &["pyspark/bin/python", "pyspark/bin/spark-submit"],
        probe: (
            "pyspark/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, pyspark; print(m.version('pyspark'))",
            ],
        ),
        cost: "Spark from PyPI, 456 MB: about 1 min",
    },
    Part {
        name: "kubeflow-spark-api",
        version: "2.4.0",
        source: Source::Python(Environment {
            wheels: include_str!("../../../parts/python/kubeflow-spark-api.txt"),
            archives: "",
        }),
        programs: &["kubeflow-spark-api/bin/python"],
        probe: (
            "kubeflow-spark-api/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, kubeflow_spark_api; print(m.version('kubeflow-spark-api'))",
            ],
        ),
        cost: "6 wheels from PyPI, 3 MB: about 5 s",
    },
    Part {
        name: "cargo-deny",
        version: "0.20.2",
        source: Source::Crate,
        programs: &["cargo-deny/bin/cargo-deny"],
        probe: ("cargo-deny/bin/cargo-deny", &["--version"]),
        cost: "a crate and its dependencies, then compiling: about 2 min",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_locked_to_the_version_it_names() {
        for part in PARTS {
            match &part.source {
                Source::Go(module) => locked_module(part, module),
                Source::Python(environment) => locked_environment(part, environment),
                Source::Crate => assert!(part.version.split('.').count() == 3, "{}", part.name),
            }
        }
    }

    fn locked_module(part: &Part, module: &Module) {
        assert!(!module.packages.is_empty(), "{}", part.name);
        for package in module.packages.iter().filter(|package| **package != ".") {
            assert!(
                module.module.contains(&format!("tool {package}\n"))
                    || module.module.contains(&format!("\t{package}\n")),
                "{} declares no tool {package}",
                part.name
            );
            let required = module.module.lines().filter_map(|line| {
                let mut words = line
                    .split_whitespace()
                    .skip_while(|word| *word == "require");
                Some((words.next()?, words.next()?))
            });
            let mut owner = required.filter(|(path, _)| {
                package
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            let version = owner.next().map(|(_, version)| version);
            assert_eq!(version, Some(part.version), "{package}");
        }
        assert_eq!(
            module.packages == ["."],
            !module.files.is_empty(),
            "{}",
            part.name
        );
        let summed = format!(" {} h1:", part.version);
        assert!(
            module.sums.lines().any(|sum| sum.contains(&summed)),
            "{}",
            part.name
        );
    }

    fn locked_environment(part: &Part, environment: &Environment) {
        let pin = format!("\n{}=={} \\", part.name, part.version);
        let lists = [environment.wheels, environment.archives];
        assert!(
            lists.iter().any(|list| list.contains(&pin)),
            "{}",
            part.name
        );
        let pins = lists.iter().flat_map(|list| list.lines());
        for requirement in pins.filter(|line| line.contains("==") && !line.starts_with('#')) {
            assert!(requirement.ends_with('\\'), "{requirement} has no hash");
        }
    }
}
