//! Rows R1 to R17: references and parameters that a live system's author may write.
//!
//! R4 and what of R8 and R13 is to be deployed is in [`crate::accepted`], R11 and R12 in [`crate::documents`], R18 in [`crate::owners`].
//! R14 and R16 are other targets' rows: an image for GCP Functions is refused in fractal-cli's and fractal-core's tests, an entry point in caas-agent's.

use crate::row::{Row, rows};

const REFERENCE: &str = "ReferenceInvalid";
const WRITE_IT: &str = "host/repository:tag";
/// What the operator lets be reached: the registries of the stage by their names, and Azure's.
const LISTED: &[&str] = &[
    "--allow-host=honest.example",
    "--allow-host=lying.example",
    "--allow-host=*.azurecr.io",
];

const fn unreadable(reference: &'static str) -> Row {
    Row::reference(reference)
        .is("Terminal", REFERENCE)
        .saying(&["parameters.sourceArtifact"])
        .next(WRITE_IT)
}

const fn not_reached(reference: &'static str) -> Row {
    Row::reference(reference).is("Blocked", "EgressDenied")
}

const fn parameter(parameters: &'static str) -> Row {
    Row::parameters(parameters)
        .is("Terminal", "ParameterInvalid")
        .next("correct the parameter")
}

rows! {
    r01_nothing: Row::reference("").is("Terminal", "ParameterInvalid").saying(&["sourceArtifact", "found nothing"]),
    r01_blanks: Row::reference("   ").is("Terminal", "ParameterInvalid").saying(&["sourceArtifact", "found nothing"]),
    r01_a_scheme_alone: unreadable("oci://").saying(&["the artifact reference is empty"]),

    r02_https: unreadable("https://lying.example/shop/zip").saying(&["scheme `https://` is not supported"]),
    r02_docker: unreadable("docker://lying.example/shop/zip").saying(&["scheme `docker://` is not supported"]),
    r02_a_file: unreadable("file:///etc/passwd").saying(&["scheme `file://` is not supported"]),
    r02_a_layout_on_the_agents_disk: Row::reference("oci-layout:/etc").is("Blocked", "RegistryUnresolved").saying(&["parameters.sourceArtifact"]),

    r03_upper_case: unreadable("lying.example/Shop/zip:2").saying(&["character `S` at offset 14", "a repository"]),
    r03_a_tag_of_129_characters: unreadable(concat!(
        "lying.example/shop/zip:",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "4",
    ))
    .saying(&["the tag has 129 characters"]),
    r03_an_empty_tag: unreadable("lying.example/shop/zip:").saying(&["the tag is empty"]),
    r03_an_empty_digest: unreadable("lying.example/shop/zip@").saying(&["digest"]),
    r03_an_empty_segment: unreadable("lying.example/shop//zip:2").saying(&["the repository has an empty segment"]),

    r05_63_digits: unreadable("lying.example/shop/zip@sha256:000000000000000000000000000000000000000000000000000000000000000").saying(&["digest"]),
    r05_upper_case_digits: unreadable("lying.example/shop/zip@sha256:ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD").saying(&["digest"]),
    r05_md5: unreadable("lying.example/shop/zip@md5:d41d8cd98f00b204e9800998ecf8427e").saying(&["md5"]),
    r05_an_unknown_algorithm: unreadable("lying.example/shop/zip@crc32:00000000").saying(&["crc32"]),

    r06_nul: unreadable("lying.example/shop/z\0ip:2").saying(&["character `\\u{0}` at offset 20"]),
    r06_a_new_line: unreadable("lying.example/shop/z\nip:2").saying(&["character `\\u{a}` at offset 20"]),
    r06_an_escaped_dot_dot: unreadable("lying.example/%2e%2e/zip:2").saying(&["character `%` at offset 14"]),
    r06_dot_dot: unreadable("lying.example/../zip:2").saying(&["the segment `..`"]),
    r06_right_to_left: unreadable("lying.example/shop\u{202e}/zip:2").saying(&["character `\\u{202e}`"]),
    r06_a_homoglyph_in_the_host: unreadable("lying.ex\u{0430}mple/shop/zip:2").saying(&["character `\\u{430}`"]),

    r07_a_host_that_looks_like_a_listed_one: not_reached("shop.azurecr.io.evil.tld/shop/zip:2").flags(LISTED).saying(&["shop.azurecr.io.evil.tld"]).next("--allow-host shop.azurecr.io.evil.tld"),
    r07_a_host_that_ends_like_a_listed_one: not_reached("evilazurecr.io/shop/zip:2").flags(LISTED).saying(&["evilazurecr.io"]).next("--allow-host evilazurecr.io"),
    r07_a_port_of_a_listed_host: not_reached("shop.azurecr.io:8443/shop/zip:2").flags(LISTED).saying(&["shop.azurecr.io:8443"]).next("--allow-host"),

    r08_loopback: not_reached("127.0.0.1:{port}/shop/zip:2").saying(&["{trap}"]).next("--allow-private {trap}"),
    r08_loopback_as_a_number: not_reached("2130706433:{port}/shop/zip:2").saying(&["2130706433"]).next("--allow-private"),
    r08_loopback_in_octal: not_reached("0177.0.0.1:{port}/shop/zip:2").saying(&["0177.0.0.1"]).next("--allow-private"),
    r08_loopback_in_hexadecimal: not_reached("0x7f.1:{port}/shop/zip:2").saying(&["0x7f.1"]).next("--allow-private"),
    r08_loopback_cut_short: not_reached("127.1:{port}/shop/zip:2").saying(&["127.1"]).next("--allow-private"),
    r08_a_private_address: not_reached("10.0.0.1/shop/zip:2").saying(&["10.0.0.1"]).next("--allow-private 10.0.0.1"),
    r08_metadata: not_reached("169.254.169.254/latest/meta-data:2").saying(&["169.254.169.254"]).next("public address"),
    r08_metadata_although_named: not_reached("169.254.169.254/latest/meta-data:2").flags(&["--allow-private=169.254.169.254"]).saying(&["169.254.169.254"]).next("public address"),
    r08_azures_platform: not_reached("168.63.129.16/metadata:2").saying(&["168.63.129.16"]).next("public address"),
    r08_googles_metadata: not_reached("metadata.google.internal/computemetadata/v1:2").saying(&["metadata.google.internal"]),
    r08_ipv6: unreadable("[fd00:ec2::254]/latest/meta-data:2").saying(&["`["]),
    r08_ipv6_mapped: unreadable("[::ffff:127.0.0.1]:{port}/shop/zip:2").saying(&["`["]),

    r09_a_name_that_resolves_to_loopback: not_reached("localhost:{port}/shop/zip:2").saying(&["localhost:{port}"]).next("--allow-private localhost:{port}"),
    r09_a_listed_name_that_resolves_to_loopback: not_reached("localhost:{port}/shop/zip:2").flags(&["--allow-host=localhost:{port}", "--allow-host=honest.example"]).saying(&["localhost:{port}"]).next("--allow-private localhost:{port}"),

    r10_credentials: unreadable("robot:canary-in-the-reference@lying.example/shop/zip:2").saying(&["carries credentials"]).hiding(&["canary-in-the-reference"]),
    r10_credentials_after_a_scheme: unreadable("oci://robot:canary-in-the-reference@lying.example/shop/zip:2").saying(&["carries credentials"]).hiding(&["canary-in-the-reference"]),

    r13_an_image_that_is_to_be_a_zip: Row::reference("lying.example/shop/image:1").asking(true).with(r#"{"packageType":"zip"}"#).is("Terminal", "ShapeConflict").saying(&["packageType is `zip`", "the artifact is a container", "lying.example/shop/image:1"]).next("remove `packageType`"),
    r13_a_zip_that_is_to_be_an_image: Row::parameters(r#"{"packageType":"image"}"#).is("Terminal", "ShapeConflict").saying(&["packageType is `image`", "function_zip"]).next("remove `packageType`"),
    r13_a_zip_under_an_image_config: Row::reference("lying.example/shop/either:1").asking(true).is("Terminal", "ShapeAmbiguous").saying(&["as an image and as a zip"]).next("set `packageType`"),
    r13_another_package_type: Row::parameters(r#"{"packageType":"jar"}"#).asking(false).is("Terminal", "ParameterInvalid").saying(&["`jar`"]).next("image or zip"),
    r13_a_wheel: Row::reference("lying.example/shop/wheel:1").asking(true).is("Terminal", "UnsupportedOnTarget").saying(&["python_wheel"]).next("publish a function_zip"),
    r13_a_bundle: Row::reference("lying.example/shop/bundle:1").asking(true).is("Terminal", "UnsupportedOnTarget").saying(&["manifests"]).next("publish a function_zip"),

    r15_a_role_of_another_account: Row::parameters(r#"{"roleArn":"arn:aws:iam::999999999999:role/lambda-role"}"#).is("Blocked", "RoleDenied").saying(&["999999999999", "parameters.roleArn", "account 123456789012"]).next("--allow-role"),
    r15_a_role_not_on_the_list: Row::parameters(r#"{"roleArn":"arn:aws:iam::123456789012:role/admin"}"#).flags(&["--allow-role=arn:aws:iam::123456789012:role/lambda-*"]).is("Blocked", "RoleDenied").saying(&["role/admin", "role/lambda-*"]).next("--allow-role"),
    r15_a_user_in_the_place_of_a_role: Row::parameters(r#"{"roleArn":"arn:aws:iam::123456789012:user/admin"}"#).is("Blocked", "RoleDenied").saying(&["user/admin"]).next("--allow-role"),
    r15_another_services_arn: Row::parameters(r#"{"roleArn":"arn:aws:sts::123456789012:assumed-role/admin/x"}"#).is("Blocked", "RoleDenied").saying(&["assumed-role"]).next("--allow-role"),

    r16_a_handler_with_a_command: Row::parameters(r#"{"handler":"app;reboot.handler"}"#).is("Terminal", "HandlerMissing").saying(&["app;reboot"]),
    r16_a_handler_that_leads_out: Row::parameters(r#"{"handler":"../../etc/passwd.handler"}"#).is("Terminal", "HandlerMissing").saying(&["parameters.handler"]),

    r17_negative_memory: parameter(r#"{"memoryMb":-1}"#).saying(&["memoryMb", "from 128 to 10240", "found -1"]),
    r17_memory_beyond_numbers: parameter(r#"{"memoryMb":1e300}"#).saying(&["from 128 to 10240"]),
    r17_memory_in_hexadecimal: parameter(r#"{"memoryMb":"0x100"}"#).saying(&["a text of 5 characters"]),
    r17_memory_that_is_no_number: parameter(r#"{"memoryMb":"NaN"}"#).saying(&["a text of 3 characters"]),
    r17_cve_2022_39272_a_duration: parameter(r#"{"timeoutSeconds":"30s"}"#).saying(&["timeoutSeconds", "from 1 to 900"]),
    r17_half_a_second: parameter(r#"{"timeoutSeconds":0.5}"#).saying(&["from 1 to 900"]),
    r17_a_text_of_infinity: parameter(r#"{"timeoutSeconds":"1e400"}"#).saying(&["from 1 to 900"]),
}
