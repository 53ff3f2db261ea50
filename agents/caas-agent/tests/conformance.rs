//! The conformance suite on the Kubernetes agent, on a real control plane: once for a workload, once for a manifest bundle.

#[cfg(test)]
#[path = "support/harness.rs"]
mod kubernetes_harness;

mod workload {
    fractal_testkit::conformance!(super::kubernetes_harness::KubernetesCloud::workload);
}

mod bundle {
    fractal_testkit::conformance!(super::kubernetes_harness::KubernetesCloud::bundle);
}
