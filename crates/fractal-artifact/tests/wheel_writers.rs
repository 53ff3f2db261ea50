//! Wheels of real build backends are taken, whatever zip writer they use.

#[path = "support/wheels.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod wheels;

use std::collections::BTreeMap;

use fractal_artifact::{WheelError, WheelScanner};
use fractal_core::artifact::WheelFacts;
use wheels::{TITLE, files, layer, packed, record};

fn read(wheel: &[u8], title: Option<&str>) -> Result<WheelFacts, WheelError> {
    let mut scanner = WheelScanner::new();
    scanner.push(wheel);
    scanner.finish(&layer(wheel, title))
}

macro_rules! recorded {
    ($(($name:literal, $title:literal)),*) => {
        [$(($name, $title, &include_bytes!(concat!("wheels/", $name, ".whl"))[..])),*]
    };
}

fn group(entries: &[(&str, &str)]) -> BTreeMap<Box<str>, Box<str>> {
    entries
        .iter()
        .map(|(name, object)| ((*name).into(), (*object).into()))
        .collect()
}

#[test]
fn recorded_wheels_of_every_backend_are_taken() {
    let wheels = recorded![
        ("setuptools", "etl-1.2.0-py3-none-any.whl"),
        ("flit", "etl-1.2.0-py2.py3-none-any.whl"),
        ("hatchling", "etl-1.2.0-py2.py3-none-any.whl"),
        ("poetry", "etl-1.2.0-py2.py3-none-any.whl"),
        ("uv", "etl-1.2.0-py3-none-any.whl"),
        ("wheel-pack", "etl-1.2.0-7-py3-none-any.whl")
    ];
    for (backend, title, wheel) in wheels {
        let facts = read(wheel, Some(title)).unwrap_or_else(|error| panic!("{backend}: {error}"));
        assert_eq!(
            (&*facts.name, &*facts.version),
            ("etl", "1.2.0"),
            "{backend}"
        );
        assert_eq!(&*facts.file_name, title, "{backend}");
        let expected = BTreeMap::from([
            ("console_scripts".into(), group(&[("etl", "etl:main")])),
            ("fractal.jobs".into(), group(&[("daily", "etl.jobs:daily")])),
        ]);
        assert_eq!(facts.entry_points, expected, "{backend}");
        assert!(facts.names.is_sorted(), "{backend}");
        assert!(facts.names.contains(&"etl/jobs.py".into()), "{backend}");
        assert_eq!(facts.layer, layer(wheel, Some(title)), "{backend}");
        // Without a title the name is the one the backend gave it.
        assert_eq!(&*read(wheel, None).unwrap().file_name, title, "{backend}");
    }
}

#[test]
fn a_wheel_with_a_module_in_c_keeps_its_platform() {
    let title = "etl_ext-0.1rc1-cp311-cp311-linux_x86_64.whl";
    let wheel = include_bytes!("wheels/setuptools-extension.whl");
    let facts = read(wheel, Some(title)).unwrap();
    assert_eq!((&*facts.name, &*facts.version), ("etl-ext", "0.1rc1"));
    assert_eq!(facts.entry_points, BTreeMap::new());
    assert_eq!(&*read(wheel, None).unwrap().file_name, title);
}

#[test]
fn sizes_behind_files_and_folders_in_between_are_read() {
    let mut files = files();
    files.push((
        "etl-1.2.0.dist-info/RECORD".into(),
        record(&files, "etl-1.2.0.dist-info").into(),
    ));
    let streamed = read(&packed(&files, true), Some(TITLE)).unwrap();
    let plain = read(&packed(&files, false), Some(TITLE)).unwrap();
    assert_eq!(streamed.names, plain.names);
    assert_eq!(streamed.entry_points, plain.entry_points);
    files.insert(0, ("etl/".into(), vec![]));
    files.insert(3, ("etl-1.2.0.dist-info/".into(), vec![]));
    assert_eq!(
        read(&packed(&files, false), Some(TITLE)).unwrap().names,
        plain.names
    );
}

#[test]
fn wheels_come_in_pieces_of_any_size() {
    let wheel = include_bytes!("wheels/uv.whl");
    let whole = read(wheel, Some(TITLE));
    let mut files = files();
    files.push((
        "etl-1.2.0.dist-info/RECORD".into(),
        record(&files, "etl-1.2.0.dist-info").into(),
    ));
    let streamed = packed(&files, true);
    for size in [1, 2, 3, 7, 64, 1000] {
        for (wheel, expected) in [
            (&wheel[..], &whole),
            (&streamed, &read(&streamed, Some(TITLE))),
        ] {
            let mut scanner = WheelScanner::new();
            wheel.chunks(size).for_each(|piece| scanner.push(piece));
            assert_eq!(
                &scanner.finish(&layer(wheel, Some(TITLE))),
                expected,
                "{size}"
            );
        }
    }
}
