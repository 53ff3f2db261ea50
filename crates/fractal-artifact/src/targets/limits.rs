//! The documented limits, each with the page that says it, and how a size is held against one.

use super::finding::{Finding, Limit};

/// Largest zip or wheel whose content is read to be checked, in bytes; far above what any target takes.
pub const READ_MAX: u64 = 2 << 30;

/// A limit of a target's on a size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) rule: &'static str,
    pub(super) max: u64,
    pub(super) source: &'static str,
}

/// Bytes after unpacking, layers included: 250 MiB.
pub(super) const LAMBDA_UNPACKED: Bytes = Bytes {
    rule: "zip-unpacked-size",
    max: 262_144_000,
    source: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
};
/// A zip in a request is base64 in JSON; the API's own limit is 50 MiB, and above 40 MiB the agent asks for a bucket.
pub(super) const LAMBDA_INLINE: Bytes = Bytes {
    rule: "zip-staging",
    max: 40 << 20,
    source: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
};
/// All layers, uncompressed: 10 GB, read as the larger 10 GiB.
pub(super) const LAMBDA_IMAGE: Bytes = Bytes {
    rule: "image-size",
    max: 10 << 30,
    source: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
};
/// The package, as it is: 1 GB, read as the larger 1 GiB.
pub(super) const AZURE_PACKAGE: Bytes = Bytes {
    rule: "zip-packed-size",
    max: 1 << 30,
    source: "https://learn.microsoft.com/azure/azure-functions/run-functions-from-deployment-package",
};
/// Temporary storage of an instance, where the package is put: 500 MB.
pub(super) const AZURE_CONSUMPTION_TEMPORARY: Bytes = Bytes {
    rule: "zip-temporary-storage",
    max: 500_000_000,
    source: "https://learn.microsoft.com/azure/azure-functions/functions-scale#service-limits",
};
/// One upload to a volume: 5 GiB.
pub(super) const DATABRICKS_FILE: Bytes = Bytes {
    rule: "wheel-size",
    max: 5 << 30,
    source: "https://docs.databricks.com/api/workspace/files/upload",
};
/// A layer from Docker Hub or a remote repository: 9.9 GB.
pub(super) const CLOUD_RUN_LAYER: Bytes = Bytes {
    rule: "image-layer-size",
    max: 9_900_000_000,
    source: "https://cloud.google.com/run/quotas",
};
/// A Fargate task's storage, which the image takes its part of: 20 GiB unless more is asked for.
pub(super) const FARGATE_STORAGE: Bytes = Bytes {
    rule: "image-size",
    max: 20 << 30,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html",
};

/// A zip's headers and directory at their largest, in bytes: a packed size above a limit by more than that
/// cannot unpack to less than the limit.
pub(super) const ZIP_OVERHEAD: u64 = 24 << 20;

impl Bytes {
    /// That `found` is over the limit, where it is.
    pub(super) fn over(self, found: u64, what: &str) -> Option<Finding> {
        (found > self.max).then(|| self.finding(found, what))
    }

    /// As [`over`](Self::over), where the target takes it all the same.
    pub(super) fn over_softly(self, found: u64, what: &str) -> Option<Finding> {
        self.over(found, what).map(|finding| Finding {
            severity: super::Severity::Warning,
            ..finding
        })
    }

    pub(super) fn finding(self, found: u64, what: &str) -> Finding {
        let limit = Limit {
            found,
            max: self.max,
            unit: "bytes",
        };
        let what = format!("{what} {found} bytes, at most {} are taken", self.max);
        Finding::error(self.rule, what)
            .limited(limit)
            .said_by(self.source)
    }
}

/// The limits on sizes, for the documentation: rule, most bytes, page.
#[must_use]
pub fn rule_limits() -> Vec<(&'static str, u64, &'static str)> {
    [
        LAMBDA_UNPACKED,
        LAMBDA_INLINE,
        LAMBDA_IMAGE,
        AZURE_PACKAGE,
        AZURE_CONSUMPTION_TEMPORARY,
        DATABRICKS_FILE,
        CLOUD_RUN_LAYER,
        FARGATE_STORAGE,
    ]
    .map(|limit| (limit.rule, limit.max, limit.source))
    .into()
}
