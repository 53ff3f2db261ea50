//! The SparkApplication, taken at its word: its containers' commands, environment, volumes and files, run by real programs.

use serde_json::{Value, json};

use crate::job::{inputs, rendered, the};
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
