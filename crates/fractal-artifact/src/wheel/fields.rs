//! The fields of `METADATA` and `WHEEL`: lines of `Key: value` up to the first empty one, as in an e-mail's header.

use super::error::WheelError;

/// The fields in their order. What follows the first empty line is not read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    file: &'static str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(file: &'static str, bytes: &'a [u8]) -> Result<Self, WheelError> {
        let malformed = |what| WheelError::Metadata { file, what };
        let text =
            std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        let mut fields = Vec::new();
        let header = text.lines().take_while(|line| !line.is_empty());
        for (index, line) in header.enumerate() {
            // Continues the line before; none of the fields read here may span lines.
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let field = line
                .split_once(':')
                .ok_or_else(|| malformed(format!("line {} has no colon", index + 1)))?;
            fields.push((field.0, field.1.trim()));
        }
        Ok(Self { file, fields })
    }

    /// All values of `key`. Keys are compared without case, as in e-mails.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(key))
            .map(|(_, value)| *value)
    }

    /// The value of `key`, where there is at most one.
    pub(super) fn optional(&self, key: &str) -> Result<Option<&'a str>, WheelError> {
        let mut values = self.all(key);
        let first = values.next();
        match values.next() {
            None => Ok(first.filter(|value| !value.is_empty())),
            Some(_) => Err(WheelError::Metadata {
                file: self.file,
                what: format!("it has `{key}` twice"),
            }),
        }
    }

    /// The one value of `key`.
    pub(super) fn one(&self, key: &str) -> Result<&'a str, WheelError> {
        self.optional(key)?.ok_or_else(|| WheelError::Metadata {
            file: self.file,
            what: format!("it has no `{key}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_at_the_first_empty_line() {
        let text = b"Metadata-Version: 2.1\r\nname:  etl \r\nSummary: a\r\n  : b\r\nTag: x\r\nTag: y\r\nKeywords:\r\n\r\nName: other\r\nno field\r\n";
        let fields = Fields::parse("METADATA", text).unwrap();
        assert_eq!(fields.one("Name"), Ok("etl"));
        assert_eq!(fields.all("Tag").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(fields.optional("Keywords"), Ok(None));
        assert_eq!(fields.optional("Build"), Ok(None));
        let what = |error: WheelError| error.to_string();
        assert_eq!(
            what(fields.one("Version").unwrap_err()),
            "`METADATA` is malformed: it has no `Version`"
        );
        assert_eq!(
            what(fields.one("Tag").unwrap_err()),
            "`METADATA` is malformed: it has `Tag` twice"
        );
    }

    #[test]
    fn z15_what_is_no_field_is_refused() {
        for (bytes, what) in [
            (&b"Name: a\nVersion\n"[..], "line 2 has no colon"),
            (b"Name: \xff\n", "it is not UTF-8"),
        ] {
            let error = Fields::parse("WHEEL", bytes).unwrap_err().to_string();
            assert_eq!(error, format!("`WHEEL` is malformed: {what}"));
        }
    }
}
