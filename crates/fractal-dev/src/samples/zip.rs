//! A function's deployment zip, the same bytes for the same version wherever and whenever it is packed.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A Python function that answers with its version and what it was sent.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn function_zip(version: &str) -> Result<Vec<u8>, zip::result::ZipError> {
    let source = format!(
        "import os\n\n\ndef handler(event, context):\n    return {{\"version\": \"{version}\", \"greeting\": os.environ.get(\"GREETING\", \"hello\"), \"event\": event}}\n"
    );
    // Clock and permissions of the machine that packs must not show in the bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("app.py", options)?;
    writer.write_all(source.as_bytes())?;
    Ok(writer.finish()?.into_inner())
}
