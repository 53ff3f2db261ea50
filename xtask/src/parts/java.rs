//! The Java runtime that Spark needs. It has to be on the machine: the wheels that carry one lack a module Spark's launcher demands.

use std::path::PathBuf;
use std::process::Command;

use crate::fault::Fault;
use crate::workspace::version;

/// The releases Spark 4.1 is run with by its own project.
const JAVA: [u32; 2] = [17, 21];

const ADVICE: &str = "Java 17 or 21, for the tests with Spark only: Debian: apt install openjdk-17-jre-headless; \
     Ubuntu: apt install openjdk-21-jre-headless; Fedora: dnf install java-21-openjdk-headless; macOS: brew install openjdk@21";

/// Looks where Spark's launcher looks: `JAVA_HOME`, then `PATH`.
pub(crate) fn check() -> Result<(), Fault> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = home.map_or_else(
        || PathBuf::from("java"),
        |home| PathBuf::from(home).join("bin/java"),
    );
    let said = Command::new(&java)
        .arg("-version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    let found = match said.as_deref().map(release) {
        Ok(Some(release)) if JAVA.contains(&release) => return Ok(()),
        Ok(Some(release)) => format!("{} is {release}", java.display()),
        Ok(None) => format!("{} does not say its version", java.display()),
        Err(_) => format!("{} does not start", java.display()),
    };
    Err(Fault::Machine(vec![format!("{ADVICE} ({found})")]))
}

/// From `openjdk version "17.0.15" 2025-04-15`; other lines may stand before it.
fn release(said: &str) -> Option<u32> {
    let line = said.lines().find(|line| line.contains(" version \""))?;
    let quoted = line.split('"').nth(1)?;
    version(quoted).map_or_else(|| quoted.parse().ok(), |(major, _)| Some(major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_java_says() {
        let noted = "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"17.0.15\" 2025-04-15\n";
        assert_eq!(release(noted), Some(17));
        assert_eq!(release("openjdk version \"21\" 2023-09-19\n"), Some(21));
        assert_eq!(release("java version \"1.8.0_402\"\n"), Some(1));
        assert_eq!(release("The operation couldn't be completed.\n"), None);
    }
}
