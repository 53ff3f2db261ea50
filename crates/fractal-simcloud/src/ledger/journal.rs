//! The file behind the ledger: one JSON record a line, appended with one write, replayed at the start.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Entry;
use crate::error::SimError;

const NAME: &str = "journal.jsonl";

/// One call and what it changed: documents put, or deleted where `None`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) entry: Entry,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) changes: BTreeMap<String, Option<Value>>,
}

#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    fsync: bool,
}

impl Journal {
    /// Opens or begins the journal; a last line torn by a kill was never answered and is dropped.
    pub(super) fn open(folder: &Path, fsync: bool) -> Result<(Self, Vec<Record>), SimError> {
        std::fs::create_dir_all(folder).map_err(SimError::state(folder))?;
        let path = folder.join(NAME);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(SimError::state(&path))?;
        let (records, length) = replay(&file, &path)?;
        file.set_len(length).map_err(SimError::state(&path))?;
        Ok((
            Self {
                file,
                path,
                length,
                fsync,
            },
            records,
        ))
    }

    /// Appends a record; after an error nothing of it is left in the file.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), SimError> {
        let mut line = serde_json::to_vec(record)
            .map_err(|error| SimError::state(&self.path)(error.into()))?;
        line.push(b'\n');
        let synced = self.file.write_all(&line).and_then(|()| {
            if self.fsync {
                self.file.sync_data()
            } else {
                Ok(())
            }
        });
        if let Err(source) = synced {
            let _ = self.file.set_len(self.length);
            return Err(SimError::state(&self.path)(source));
        }
        self.length = self.length.saturating_add(line.len() as u64);
        Ok(())
    }
}

fn replay(file: &File, path: &Path) -> Result<(Vec<Record>, u64), SimError> {
    let mut reader = BufReader::new(file);
    reader
        .seek(SeekFrom::Start(0))
        .map_err(SimError::state(path))?;
    let (mut records, mut length, mut line) = (Vec::new(), 0_u64, Vec::new());
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(SimError::state(path))?;
        if line.last() != Some(&b'\n') {
            return Ok((records, length));
        }
        let number = records.len().saturating_add(1);
        let record = serde_json::from_slice(&line).map_err(|source| SimError::Journal {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        records.push(record);
        length = length.saturating_add(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Outcome;

    fn record(seq: u64) -> Record {
        let entry = Entry {
            seq,
            at_ms: 1,
            service: "lambda".into(),
            operation: "GetFunction".into(),
            account: "1".into(),
            region: "r".into(),
            resource: "f".into(),
            mutating: false,
            outcome: Outcome::Accepted,
            status: 200,
            code: None,
            request: Value::Null,
            fault: None,
        };
        Record {
            entry,
            changes: BTreeMap::from([
                ("k".to_owned(), Some(Value::from(seq))),
                ("gone".to_owned(), None),
            ]),
        }
    }

    #[test]
    fn replays_and_drops_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, none) = Journal::open(folder.path(), true).unwrap();
        assert!(none.is_empty());
        journal.append(&record(1)).unwrap();
        journal.append(&record(2)).unwrap();
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        let torn = whole.len() - 5;
        std::fs::write(&path, &whole[..torn]).unwrap();
        let (mut journal, records) = Journal::open(folder.path(), false).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].changes["gone"], None);
        journal.append(&record(2)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn refuses_a_foreign_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{}\n").unwrap();
        assert!(matches!(
            Journal::open(folder.path(), false),
            Err(SimError::Journal { line: 1, .. })
        ));
    }
}
