//! Command lines that are refused, as a script reads them.

use serde_json::Value;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_reads_a_usage_error_as_it_reads_every_other() {
    let rig = Rig::new();
    let cases: [(&[&str], &str, &str); 4] = [
        (
            &["stauts", "--output", "json"],
            "unrecognized subcommand 'stauts'",
            "tip: a similar subcommand exists: 'status'; Usage: fractal [OPTIONS] <COMMAND>",
        ),
        (
            &["--output=json", "publish", "a.zip"],
            "the following required arguments were not provided: <TO>...",
            "Usage: fractal publish <FROM> <TO>...",
        ),
        (
            &[
                "up",
                "a.yaml",
                "--wait",
                "--timeout",
                "0",
                "--output",
                "json",
            ],
            "invalid value '0' for '--timeout <SECONDS>': write a whole number of seconds from 1 to 86400",
            "look at `fractal --help`",
        ),
        (
            &["publish", "a.zip", "registry.example/a", "--output", "json"],
            "registry.example/a names no version",
            "write it with a tag: registry.example/a:1.0.0",
        ),
    ];
    for (args, what, next) in cases {
        let ran = rig.run(args).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
        let document: Value = serde_json::from_str(&ran.err).unwrap();
        let fault = &document["fault"];
        assert_eq!(fault["reason"], "UsageInvalid", "{ran}");
        assert_eq!(
            (&fault["what"], &fault["next"]),
            (&what.into(), &next.into()),
            "{ran}"
        );
    }
    let help = rig.run(&["status", "--help", "--output", "json"]).await;
    assert_eq!((help.code, help.err.as_str()), (0, ""));
}
