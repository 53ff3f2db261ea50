//! What a kubelet does with a pod, on this machine: volumes as folders, containers as processes, one after the other.
//!
//! It knows what our templates use. Images are programs on a search path; a container sees nothing of the pod but its own mounts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// Where the templates put things in a pod.
const HOME: &str = "/opt/fractal";
/// Longest run of a container.
const PATIENCE: Duration = Duration::from_secs(180);

/// A pod in a folder of its own.
pub(crate) struct Pod<'a> {
    folder: PathBuf,
    spec: &'a Value,
}

/// How a container ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'a> Pod<'a> {
    /// A pod of `template`. ConfigMaps are looked for in `objects`.
    pub(crate) fn new(folder: &Path, template: &'a Value, objects: &[Value]) -> Self {
        let spec = &template["spec"];
        for volume in spec["volumes"].as_array().unwrap() {
            let path = folder.join("volumes").join(text(&volume["name"]));
            std::fs::create_dir_all(&path).unwrap();
            for (file, content) in files(volume, objects) {
                std::fs::write(path.join(file), content).unwrap();
            }
        }
        Self {
            folder: folder.to_owned(),
            spec,
        }
    }

    /// Runs the init containers in their order; each has to succeed.
    pub(crate) async fn prepare(&self, path: &str) {
        for index in 0..self.spec["initContainers"].as_array().unwrap().len() {
            let ended = self.run_init(index, path).await;
            assert_eq!(
                ended.code,
                Some(0),
                "{index}: {}{}",
                ended.stdout,
                ended.stderr
            );
        }
    }

    /// Runs one init container.
    pub(crate) async fn run_init(&self, index: usize, path: &str) -> Ended {
        let sandbox = self.sandbox(&self.spec["initContainers"][index]);
        sandbox.run(&sandbox.command(), path, &[]).await
    }

    /// The container beside the init containers.
    pub(crate) fn main(&self) -> Sandbox<'a> {
        let [container] = self.spec["containers"].as_array().unwrap().as_slice() else {
            panic!("one container: {}", self.spec)
        };
        self.sandbox(container)
    }

    fn sandbox(&self, container: &'a Value) -> Sandbox<'a> {
        let root = self.folder.join(text(&container["name"]));
        for mount in container["volumeMounts"].as_array().unwrap() {
            let target = PathBuf::from(format!("{}{}", root.display(), text(&mount["mountPath"])));
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let mut source = self.folder.join("volumes").join(text(&mount["name"]));
            assert!(source.is_dir(), "{mount} mounts no volume of the pod");
            if let Some(sub) = mount["subPath"].as_str() {
                source.push(sub);
            }
            std::os::unix::fs::symlink(source, target).unwrap();
        }
        std::fs::create_dir_all(root.join("tmp")).unwrap();
        Sandbox { root, container }
    }
}

/// The files of a volume, by their names: those of a ConfigMap, or of the Secrets that are projected into it.
fn files<'o>(volume: &Value, objects: &'o [Value]) -> Vec<(String, &'o str)> {
    let entries = |kind: &str, name: &Value, field: &str| {
        let is = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == *name;
        let object = objects
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("no {kind} {name}"));
        object[field].as_object().unwrap()
    };
    if volume["configMap"].is_object() {
        let data = entries("ConfigMap", &volume["configMap"]["name"], "data");
        return data
            .iter()
            .map(|(key, it)| (key.clone(), text(it)))
            .collect();
    }
    let mut all = Vec::new();
    for source in volume["projected"]["sources"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let secret = entries("Secret", &source["secret"]["name"], "stringData");
        for item in source["secret"]["items"].as_array().unwrap() {
            all.push((
                text(&item["path"]).to_owned(),
                text(&secret[text(&item["key"])]),
            ));
        }
    }
    assert!(
        !all.is_empty() || volume["emptyDir"].is_object(),
        "no such volume is known: {volume}"
    );
    all
}

/// A container's view of the pod.
pub(crate) struct Sandbox<'a> {
    root: PathBuf,
    container: &'a Value,
}

impl Sandbox<'_> {
    /// Its environment, as the kubelet resolves it.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for entry in self.container["env"].as_array().into_iter().flatten() {
            let value = expand(text(&entry["value"]), &all);
            all.insert(text(&entry["name"]).to_owned(), value);
        }
        all
    }

    /// Its command line.
    fn command(&self) -> Vec<String> {
        let both =
            ["command", "args"].map(|key| self.container[key].as_array().into_iter().flatten());
        self.arguments(both.into_iter().flatten().map(text))
    }

    /// Texts as this container is started with: variables replaced, paths of the pod where they are on this machine.
    pub(crate) fn arguments<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Vec<String> {
        let env = self.environment();
        texts.map(|it| self.placed(&expand(it, &env))).collect()
    }

    /// A text with the pod's paths replaced by this machine's.
    pub(crate) fn placed(&self, text: &str) -> String {
        text.replace(HOME, &format!("{}{HOME}", self.root.display()))
    }

    /// Runs a command with the container's environment, `path` to find programs on, and what else its image sets.
    pub(crate) async fn run(
        &self,
        command: &[String],
        path: &str,
        image: &[(&str, &str)],
    ) -> Ended {
        let (program, args) = command.split_first().unwrap();
        let temporary = self.root.join("tmp");
        let child = Command::new(find(program, path))
            .args(args)
            .env_clear()
            .env("PATH", path)
            .envs([("HOME", &temporary), ("TMPDIR", &temporary)])
            .envs(image.iter().copied())
            .envs(
                self.environment()
                    .iter()
                    .map(|(key, value)| (key, self.placed(value))),
            )
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output
            .unwrap_or_else(|_| panic!("{program} did not end"))
            .unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The search path is the child's, not this process's.
fn find(program: &str, path: &str) -> PathBuf {
    let mut all = path
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    all.find(|it| it.is_file())
        .unwrap_or_else(|| panic!("no {program} on {path}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Replaces `$(NAME)` of known names, and `$$` by `$`, as the kubelet does in commands, arguments and variables.
/// <https://github.com/kubernetes/kubernetes/blob/master/third_party/forked/golang/expansion/expand.go>
pub(crate) fn expand(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            made.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|it| it.split_once(')'))
        {
            match known.get(name) {
                Some(value) => made.push_str(value),
                None => made.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            made.push('$');
        }
    }
    made + rest
}

#[test]
fn variables_are_replaced_as_kubernetes_documents_it() {
    let known = [("A".to_owned(), "1".to_owned())].into();
    for (text, expected) in [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$(B)", "$(B)"),
        ("$A $", "$A $"),
        ("$(A", "$(A"),
        ("a$$b", "a$b"),
    ] {
        assert_eq!(expand(text, &known), expected, "{text}");
    }
}
