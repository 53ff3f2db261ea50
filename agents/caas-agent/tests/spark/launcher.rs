//! The launcher by itself, under a real Python: what it calls, how it ends, and what it says where there is nothing to call.

use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use crate::job::{objects, the, with};
use crate::programs::part;

const MODULE: &str = "
import sys

ARGUMENTS = sys.argv[1:]

def prints(): print(sys.argv)
def three(): return 3
def truth(): return True
def text(): return 'a table'
def leaves(): sys.exit(7)
def breaks(): raise ValueError('no such day')

class Job:
    @staticmethod
    def run(): print('nested')
";

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the launcher the ConfigMap holds, with `launch.py` also being a module of the wheel.
async fn launch(entry_point: &str, args: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects(with(json!({}))).unwrap();
    let text = the(&objects, "ConfigMap")["data"]["launch.py"]
        .as_str()
        .unwrap();
    let launcher = folder.path().join("launch.py");
    std::fs::write(&launcher, text).unwrap();
    let site = folder.path().join("site");
    let write = |name: &str, text: &str| {
        let path = site.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("etl/__init__.py", "");
    write("etl/main.py", MODULE);
    write("etl/lacking.py", "import pandas_of_the_future\n");
    write("launch.py", "def run(): print('the wheel\\'s own')\n");
    run(&launcher, &site, entry_point, args).await
}

async fn run(launcher: &Path, site: &Path, entry_point: &str, args: &[&str]) -> Ended {
    let output = Command::new(part("pyspark/bin/python"))
        .arg(launcher)
        .args(args)
        .env_clear()
        .envs([
            ("PYTHONPATH", site.to_str().unwrap()),
            ("FRACTAL_ENTRY_POINT", entry_point),
        ])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn the_function_finds_its_arguments_where_programs_do() {
    let ended = launch("etl.main:prints", &["a b", "", "--flag"]).await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "['etl.main:prints', 'a b', '', '--flag']\n"),
        "{}",
        ended.stderr
    );
    let ended = launch("etl.main:Job.run", &[]).await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "nested\n"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_module_of_the_wheel_may_be_called_like_the_launcher() {
    let ended = launch("launch:run", &[]).await;
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "the wheel's own\n"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn it_ends_as_the_function_ends() {
    for (function, code) in [
        ("three", 3),
        ("truth", 0),
        ("text", 0),
        ("leaves", 7),
        ("breaks", 1),
    ] {
        let ended = launch(&format!("etl.main:{function}"), &[]).await;
        assert_eq!(ended.code, Some(code), "{function}: {}", ended.stderr);
        assert_eq!(
            ended.stderr.contains("ValueError: no such day"),
            function == "breaks"
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_said_in_a_line() {
    for (entry_point, says) in [
        (
            "etl.main:walk",
            "launch.py: the module etl.main has no walk\n",
        ),
        (
            "etl.main:Job.walk",
            "launch.py: the module etl.main has no Job.walk\n",
        ),
        (
            "etl.mian:run",
            "launch.py: no module etl.mian is installed: No module named 'etl.mian'\n",
        ),
        (
            "elt.main:run",
            "launch.py: no module elt.main is installed: No module named 'elt'\n",
        ),
        (
            "etl.main:ARGUMENTS",
            "launch.py: etl.main:ARGUMENTS is no function but a list\n",
        ),
        (
            "etl.main",
            "launch.py: FRACTAL_ENTRY_POINT is 'etl.main', not module:function\n",
        ),
    ] {
        let ended = launch(entry_point, &[]).await;
        assert_eq!(
            (ended.code, &*ended.stderr),
            (Some(1), says),
            "{entry_point}"
        );
    }
    // What the wheel's own code lacks is told with the place that wanted it.
    let ended = launch("etl.lacking:run", &[]).await;
    assert!(
        ended.stderr.contains("etl/lacking.py") && ended.stderr.contains("pandas_of_the_future"),
        "{}",
        ended.stderr
    );
}
