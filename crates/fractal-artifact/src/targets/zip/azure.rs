//! What Azure Functions wants of a zip: host.json, one of the programming models, dependencies that are there already.

mod models;

use serde_json::Value;

use super::{ZipContents, ZipSubject};
use crate::targets::Settings;
use crate::targets::finding::{Finding, shown};
use crate::targets::limits::{AZURE_CONSUMPTION_TEMPORARY, AZURE_PACKAGE};
use crate::targets::target::AzurePlan;

const HOST: &str = "host.json";
const HOST_PAGE: &str = "https://learn.microsoft.com/azure/azure-functions/functions-host-json";
const PACKAGE_PAGE: &str = "https://learn.microsoft.com/azure/azure-functions/deployment-zip-push#deployment-zip-file-requirements";

pub(super) fn sizes(zip: &ZipSubject, settings: &Settings, findings: &mut Vec<Finding>) {
    let fix = "publish a smaller zip, or a container image for a Premium or Dedicated plan";
    let over = AZURE_PACKAGE.over(zip.size, "the zip has");
    if over.is_none() && settings.plan == Some(AzurePlan::Consumption) {
        let unpacked = zip.contents.as_ref();
        let unpacked = unpacked.map_or(zip.size, |contents| contents.directory.unpacked());
        let short = AZURE_CONSUMPTION_TEMPORARY.over_softly(unpacked, "the zip unpacks to");
        findings
            .extend(short.map(|finding| finding.fix("choose a Flex Consumption or Premium plan")));
    }
    findings.extend(over.map(|finding| finding.fix(fix)));
}

pub(super) fn check(zip: &ZipContents, settings: &Settings, findings: &mut Vec<Finding>) {
    plan(settings, findings);
    let host = host(zip, findings);
    let local = zip.names().find(|name| *name == "local.settings.json");
    findings.extend(local.map(|name| {
        Finding::warning("local-settings", "local.settings.json is in the zip")
            .at(name)
            .because("it is read on developers' machines only, and usually holds connection strings")
            .said_by("https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file")
            .fix("add it to .funcignore, and set the values on the component")
    }));
    models::check(zip, settings, host.as_ref(), findings);
}

fn plan(settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.plan == Some(AzurePlan::Consumption) {
        findings.push(
            Finding::note(
                "azure-plan",
                "the Linux Consumption plan gets no new features, and ends on 2028-09-30",
            )
            .said_by("https://learn.microsoft.com/azure/azure-functions/consumption-plan")
            .fix("choose a Flex Consumption plan for new function apps"),
        );
    }
}

fn host(zip: &ZipContents, findings: &mut Vec<Finding>) -> Option<Value> {
    if !zip.has(HOST) {
        let finding = zip
            .missing("host-json", &[HOST.to_owned()])
            .said_by(HOST_PAGE);
        findings.push(match finding.fix.as_str() {
            "" => finding.fix("add host.json outside of any folder: {\"version\": \"2.0\"}"),
            _ => finding,
        });
        return None;
    }
    let text = zip.text(HOST)?;
    let document: Option<Value> = serde_json::from_str(without_mark(text)).ok();
    let version = document
        .as_ref()
        .and_then(|document| document.get("version"))
        .and_then(Value::as_str);
    if version != Some("2.0") {
        let what = match (&document, version) {
            (None, _) => "host.json is no JSON".to_owned(),
            (_, Some(version)) => format!("host.json says version `{}`", shown(version)),
            (_, None) => "host.json says no version".to_owned(),
        };
        findings.push(
            Finding::error("host-json", what)
                .at(HOST)
                .because("hosts of today read version 2.0 only")
                .said_by(HOST_PAGE)
                .fix("write \"version\": \"2.0\""),
        );
    }
    document
}

/// Editors on Windows begin files with a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
