"""Builds the wheel of a project folder with a `src` layout: build_wheel.py PROJECT OUTPUT. The same files make the same bytes.

It knows what the samples need (name, version, scripts, pure Python), nothing else of packaging.
"""

import base64
import hashlib
import pathlib
import sys
import tomllib
import zipfile


def main():
    project, output = map(pathlib.Path, sys.argv[1:])
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    release = f"{facts['name'].replace('-', '_')}-{facts['version']}"
    source = project / "src"
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*.py")}
    files.update(metadata(facts, f"{release}.dist-info"))
    lines = [f"{name},sha256={hashed(content)},{len(content)}" for name, content in sorted(files.items())]
    record = f"{release}.dist-info/RECORD"
    files[record] = "".join(f"{line}\n" for line in [*lines, f"{record},,"]).encode()
    wheel = output / f"{release}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    print(wheel)


def metadata(facts, folder):
    scripts = "".join(f"{name} = {target}\n" for name, target in sorted(facts.get("scripts", {}).items()))
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: samples\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": f"[console_scripts]\n{scripts}",
    }
    return {f"{folder}/{name}": text.encode() for name, text in texts.items()}


def hashed(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


main()
