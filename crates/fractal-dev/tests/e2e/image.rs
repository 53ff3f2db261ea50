//! The program in a published image's layer, as a cloud would find it: pulled from the registry by digest, unpacked, run.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use fractal_core::artifact::{Digest, ImageIndex, ImageManifest, Reference};
use fractal_registry::Registry;
use serde_json::Value;

use crate::support::artifacts::publish_image;
use crate::support::stage::Stage;
use crate::support::system::ECR;

const TEXT: &str = "report 1.0.0, said by a layer\n";
const CAP: u64 = 1 << 20;
const BLOCK: usize = 512;

/// The one file of a layer: its path, mode and content.
struct File {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

fn octal(field: &[u8]) -> u64 {
    let text = std::str::from_utf8(field).unwrap();
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).unwrap()
}

/// Reads the tar by the format's own rules, its checksum included: not by what made it.
fn unpack(tar: &[u8]) -> File {
    let header = &tar[..BLOCK];
    assert_eq!(&header[257..263], b"ustar\0");
    let sum = |(at, byte): (usize, &u8)| {
        u64::from(if (148..156).contains(&at) {
            b' '
        } else {
            *byte
        })
    };
    assert_eq!(
        octal(&header[148..156]),
        header.iter().enumerate().map(sum).sum::<u64>()
    );
    assert_eq!(header[156], b'0', "a regular file");
    let size = usize::try_from(octal(&header[124..136])).unwrap();
    let end = (BLOCK + size).next_multiple_of(BLOCK);
    assert!(
        tar.len() >= end + 2 * BLOCK && tar[end..].iter().all(|byte| *byte == 0),
        "one file, then the end"
    );
    let name = header[..100].split(|byte| *byte == 0).next().unwrap();
    File {
        path: String::from_utf8(name.to_vec()).unwrap(),
        mode: u32::try_from(octal(&header[100..108])).unwrap(),
        content: tar[BLOCK..BLOCK + size].to_vec(),
    }
}

/// The program of the image for `architecture`, pulled by tag, then by digest only.
async fn pull(client: &Registry, reference: &Reference, architecture: &str) -> File {
    let index = client.resolve(reference).await.unwrap().digest;
    let listed = client.manifest(reference, &index).await.unwrap();
    let listed: ImageIndex = serde_json::from_slice(&listed.bytes).unwrap();
    let of = |descriptor: &&fractal_core::artifact::Descriptor| {
        descriptor.platform.as_ref().unwrap().architecture == architecture
    };
    let child = listed.manifests.iter().find(of).unwrap();
    let manifest = client.manifest(reference, &child.digest).await.unwrap();
    let manifest: ImageManifest = serde_json::from_slice(&manifest.bytes).unwrap();
    let [layer] = manifest.layers.as_slice() else {
        panic!("one layer")
    };
    let blob = client.blob_bytes(reference, layer, CAP).await.unwrap();
    let config = client
        .blob_bytes(reference, &manifest.config, CAP)
        .await
        .unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        Digest::sha256(&blob).to_string()
    );
    let file = unpack(&blob);
    assert_eq!(config["config"]["Entrypoint"][0], format!("/{}", file.path));
    file
}

fn run(file: &File, folder: &Path) -> Output {
    let path = folder.join(&file.path);
    std::fs::write(&path, &file.content).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(file.mode)).unwrap();
    Command::new(&path).env_clear().output().unwrap()
}

/// What a kernel checks before it runs a program: a 64-bit little-endian executable for `machine`, one loadable segment that is the whole file.
fn is_executable_for(machine: u16, program: &[u8]) {
    let half = |at: usize| u16::from_le_bytes(program[at..at + 2].try_into().unwrap());
    let word = |at: usize| u32::from_le_bytes(program[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(program[at..at + 8].try_into().unwrap());
    assert_eq!(&program[..7], b"\x7fELF\x02\x01\x01");
    assert_eq!((half(16), half(18)), (2, machine));
    assert_eq!(
        (long(32), half(54), half(56)),
        (64, 56, 1),
        "one program header behind the file header"
    );
    let (kind, flags, at, address, size) = (word(64), word(68), long(72), long(80), long(96));
    assert_eq!(
        (kind, flags, at),
        (1, 5, 0),
        "loaded from the file's beginning, readable and executable"
    );
    assert_eq!(size, program.len() as u64);
    let entry = long(24);
    assert!((address + 120..address + size).contains(&entry) && (entry - address) % 4 == 0);
}

#[tokio::test]
async fn the_layers_program_runs_and_says_its_text() {
    let stage = Stage::new(&[]).await;
    let layout = stage.path().join("layout");
    let amd64 = publish_image(&stage.client, &layout, "shop/report:live", TEXT).await;
    let reference: Reference = format!("{ECR}/shop/report:live").parse().unwrap();
    for (architecture, machine) in [("amd64", 62), ("arm64", 183)] {
        let file = pull(&stage.client, &reference, architecture).await;
        assert_eq!(file.mode, 0o755);
        is_executable_for(machine, &file.content);
        assert!(file.content.ends_with(TEXT.as_bytes()));
        let here = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        if architecture == here {
            let output = run(&file, stage.path());
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), TEXT);
        }
    }
    let pinned: Reference = format!("{ECR}/shop/report@{amd64}").parse().unwrap();
    assert_eq!(stage.client.resolve(&pinned).await.unwrap().digest, amd64);
}
