//! The SparkApplication, taken at its word: its containers' commands, environment, volumes and files, run by real programs.

use std::time::Duration;

use fractal_core::artifact::Digest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::job::{etl, inputs, rendered, rollout, the};
use crate::kubelet::{Ended, Pod};
use crate::programs::{build, part, publish};
use crate::published::Published;

/// Everything that a shell, Kubernetes, a JVM or `spark-submit` might take for something else.
fn torture() -> Vec<Value> {
    vec![
        json!("plain"),
        json!(""),
        json!("two words  and more "),
        json!("'single' \"double\" `id`"),
        json!("$HOME $(LC_ALL) $$(LC_ALL) $(NOBODY) $$ ${HOME} $"),
        json!("back\\slash \\n \\"),
        json!("--help"),
        json!("--conf"),
        json!("-"),
        json!("--"),
        json!("été 日本語 🚀 e\u{301}"),
        json!("line one\nline two\n\ttab\n"),
        json!("; exit 1 # * ? [a] {b,c} | & > <"),
        json!("{\"json\": [1, \"two\"]}"),
        json!("%s %d key=value,other"),
        json!("/opt/elsewhere"),
        json!(42),
        json!(-1.5),
        json!(true),
        json!(""),
    ]
}

fn as_texts(items: &[Value]) -> Vec<String> {
    let one = |item: &Value| {
        item.as_str()
            .map_or_else(|| item.to_string(), str::to_owned)
    };
    items.iter().map(one).collect()
}

#[tokio::test]
async fn the_wheel_is_pulled_installed_and_run_with_exactly_its_arguments() {
    let registry = Published::start().await;
    let folder = tempfile::tempdir().unwrap();
    let wheel = build(folder.path()).await;
    // `oras` takes plain HTTP of this name only, and the object says nothing of HTTP.
    let host = registry.host().replace("127.0.0.1", "localhost");
    let rollout = publish(&wheel, &format!("{host}/lake/argument-report:1.0.0")).await;
    let given = torture();
    let parameters = json!({
        "entryPoint": "argument-report", "entryPointArgs": given, "sparkConf": { "spark.ui.enabled": "false" },
    });
    let objects = rendered(&inputs("report", parameters), &rollout).unwrap();
    let application = the(&objects, "SparkApplication");

    let ended = drive(&folder.path().join("driver"), application, &objects).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let printed: Value = ended
        .stdout
        .lines()
        .find_map(|line| serde_json::from_str(line).ok())
        .unwrap();
    let wanted = as_texts(&given);
    assert_eq!(printed["arguments"], json!(wanted));
    // Executors have the wheel too.
    let lengths: Vec<_> = wanted.iter().map(String::len).collect();
    assert_eq!(printed["lengths"], json!(lengths));

    let executor = &application["spec"]["executor"]["template"];
    let pod = Pod::new(&folder.path().join("executor"), executor, &objects);
    pod.prepare(&search_path()).await;
    let command = [
        "python3",
        "-c",
        "from argument_report import measure; print(measure.length('é'))",
    ];
    let command = command.map(str::to_owned);
    let ended = pod.main().run(&command, &search_path(), &[]).await;
    assert_eq!(
        (ended.code, ended.stdout.trim()),
        (Some(0), "2"),
        "{}",
        ended.stderr
    );
}

/// The pull secret reaches `oras`: a registry that asks for a password is given the one of the first secret.
#[tokio::test]
async fn the_wheels_registry_is_logged_in_to_with_the_first_pull_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let asked = tokio::spawn(async move { login(&listener).await });
    let parameters = crate::job::with(json!({ "imagePullSecrets": ["lake", "mirror"] }));
    let rollout = rollout(&format!("{host}/lake/etl:1"), Digest::sha256("etl"), etl());
    let mut objects = rendered(&inputs("nightly", parameters), &rollout).unwrap();
    // `reader:canary`, as `kubectl create secret docker-registry` writes it.
    let config = json!({ "auths": { (host): { "auth": "cmVhZGVyOmNhbmFyeQ==" } } });
    objects.push(json!({
        "kind": "Secret", "metadata": { "name": "lake" }, "stringData": { ".dockerconfigjson": config.to_string() },
    }));
    let template = the(&objects, "SparkApplication")["spec"]["executor"]["template"].clone();
    let folder = tempfile::tempdir().unwrap();
    let ended = Pod::new(folder.path(), &template, &objects)
        .run_init(0, &search_path())
        .await;
    assert_ne!(ended.code, Some(0), "there is no such wheel");
    let asked = tokio::time::timeout(Duration::from_secs(30), asked)
        .await
        .unwrap()
        .unwrap();
    let path = format!("/v2/lake/etl/manifests/{}", Digest::sha256("etl"));
    assert_eq!(
        asked,
        (path, "Basic cmVhZGVyOmNhbmFyeQ==".to_owned()),
        "{}",
        ended.stderr
    );
}

/// Answers as a registry that wants a password and then knows nothing; what was asked for with which credentials.
async fn login(listener: &TcpListener) -> (String, String) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let path = head
            .first()
            .and_then(|line| line.split(' ').nth(1))
            .unwrap_or_default()
            .to_owned();
        let credentials = head
            .iter()
            .find_map(|line| line.strip_prefix("Authorization: "));
        let answer = match credentials {
            None => "401 Unauthorized\r\nWww-Authenticate: Basic realm=\"lake\"",
            Some(_) => "404 Not Found",
        };
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        if let Some(credentials) = credentials {
            return (path, credentials.to_owned());
        }
    }
}

/// Programs of the images: oras, and Python with pip and Spark; and those of any image.
fn search_path() -> String {
    let own = ["bin", "pyspark/bin"].map(|folder| part(folder).display().to_string());
    format!("{}:/usr/bin:/bin", own.join(":"))
}

/// The driver: what is before it, then `spark-submit` as the image's entry point calls it.
async fn drive(folder: &std::path::Path, application: &Value, objects: &[Value]) -> Ended {
    let spec = &application["spec"];
    let pod = Pod::new(folder, &spec["driver"]["template"], objects);
    pod.prepare(&search_path()).await;
    let driver = pod.main();
    let settings = spec["sparkConf"].as_object().unwrap();
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
        .collect();
    let mut command = vec![
        "spark-submit".to_owned(),
        "--master".to_owned(),
        "local[2]".to_owned(),
    ];
    command.extend(
        settings
            .into_iter()
            .flat_map(|it| ["--conf".to_owned(), it]),
    );
    command.push(driver.placed(spec["mainApplicationFile"].as_str().unwrap()));
    let arguments = spec["arguments"].as_array().unwrap();
    command.extend(driver.arguments(arguments.iter().map(|it| it.as_str().unwrap())));
    let scratch = folder.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let scratch = scratch.display().to_string();
    let java = format!("-XX:-UsePerfData -Djava.io.tmpdir={scratch}");
    let image = [
        ("SPARK_LOCAL_IP", "127.0.0.1"),
        ("SPARK_LOCAL_HOSTNAME", "localhost"),
        ("SPARK_LOCAL_DIRS", &scratch),
        ("JAVA_TOOL_OPTIONS", &java),
    ];
    driver.run(&command, &search_path(), &image).await
}
