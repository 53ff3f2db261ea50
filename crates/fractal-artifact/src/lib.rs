//! What artifact bytes say: the directory of a deployment zip, the files of a manifest bundle, the one image of an index,
//! an image's config.
//!
//! Pure parsers of hostile bytes: no I/O, no clock, no decompression, memory bounded by stated caps.
//! Fetching and verifying the bytes is `fractal-registry`'s; deciding what to do with them is the agents'.

pub mod bundle;
mod image;
pub mod manifests;
mod zip;

pub use bundle::{BundleError, BundleFiles, BundleScanner, bundle_tar};
pub use image::{CONFIG_MAX, ImageConfig, ImageError, Selected, image_config, select_image};
pub use zip::{
    DirectoryRead, Limits, Mode, ZipDirectory, ZipEntry, ZipError, ZipScanner, read_directory,
    zip_facts,
};
