//! What a plain scalar means: go-yaml 2's table, as `sigs.k8s.io/yaml` turns it into JSON.
//!
//! `yes`, `on` and `y` are true, `0777`, `0o777` and `1_000` are integers, `1e3` is 1000, `12:30`, dates and `0x` are texts.
//! The order of the attempts is go-yaml's: <https://github.com/yaml/go-yaml/blob/v2.4.3/resolve.go>.

use serde_json::{Number, Value};

/// Numbers that JSON cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotFinite;

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Result<Value, NotFinite> {
    let Some(first) = text.bytes().next() else {
        return Ok(Value::Null);
    };
    let value = match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => fraction(text)?,
        b'0'..=b'9' | b'+' | b'-' => number(text)?,
        _ => None,
    };
    Ok(value.unwrap_or_else(|| Value::String(text.to_owned())))
}

fn word(text: &str) -> Option<Value> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        _ => None,
    }
}

/// Go's `ParseFloat` takes underscores between digits here, where go-yaml does not take them away first.
fn fraction(text: &str) -> Result<Option<Value>, NotFinite> {
    if not_finite(text) {
        return Err(NotFinite);
    }
    if text.contains('_') {
        return Ok(underscored(text).and_then(|plain| float(&plain)));
    }
    Ok(float(text))
}

fn not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// The text without underscores, where each stands between two digits.
fn underscored(text: &str) -> Option<String> {
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        if character == '_' && !(before.is_ascii_digit() && after.is_ascii_digit()) {
            return None;
        }
        before = character;
    }
    Some(text.replace('_', ""))
}

fn number(text: &str) -> Result<Option<Value>, NotFinite> {
    if not_finite(text) {
        return Err(NotFinite);
    }
    let stripped;
    let plain = if text.contains('_') {
        stripped = text.replace('_', "");
        stripped.as_str()
    } else {
        text
    };
    Ok(integer(plain)
        .or_else(|| float(plain))
        .or_else(|| binary(plain)))
}

/// Go's `ParseInt` and `ParseUint` with base 0: the prefix decides the base, a leading zero means octal.
fn integer(plain: &str) -> Option<Value> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, plain.get(1..)?),
        b'+' => (false, plain.get(1..)?),
        _ => (false, plain),
    };
    let magnitude = magnitude(digits)?;
    if negative {
        let value = 0_i64.checked_sub_unsigned(magnitude)?;
        return Some(Value::Number(value.into()));
    }
    // `ParseUint` takes no sign, so `+` reaches only as far as a signed integer.
    let fits = i64::try_from(magnitude).is_ok() || digits.len() == plain.len();
    fits.then(|| Value::Number(magnitude.into()))
}

fn magnitude(digits: &str) -> Option<u64> {
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // `from_str_radix` takes a sign of its own.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric())
        .then_some(())?;
    u64::from_str_radix(digits, base).ok()
}

/// go-yaml's last attempt takes a sign after the prefix.
fn binary(plain: &str) -> Option<Value> {
    let value = i64::from_str_radix(plain.strip_prefix("0b")?, 2).ok()?;
    Some(Value::Number(value.into()))
}

/// A decimal fraction or exponent. One out of range stays a text, as Go's `ParseFloat` fails there.
fn float(plain: &str) -> Option<Value> {
    if !is_float(plain.as_bytes()) {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    if value.is_infinite() {
        return None;
    }
    json(value).map(Value::Number)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| {
        bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let unsigned = match bytes {
        [b'-' | b'+', rest @ ..] => rest,
        _ => bytes,
    };
    let whole = digits(unsigned);
    let mut rest = unsigned.get(whole..).unwrap_or_default();
    if let [b'.', after @ ..] = rest {
        let fraction = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = after.get(fraction..).unwrap_or_default();
    } else if whole == 0 {
        return false;
    }
    let exponent = match rest {
        [] => return true,
        [b'e' | b'E', b'-' | b'+', exponent @ ..] | [b'e' | b'E', exponent @ ..] => exponent,
        _ => return false,
    };
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// Go writes a float without fraction as digits alone, and the API server reads those as an integer.
fn json(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    const WHOLE: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || value.abs() >= WHOLE {
        return Number::from_f64(value);
    }
    if value.abs() > EXACT {
        // The shortest digits that mean this float, filled up with zeros: not its exact value.
        return value.to_string().parse::<i64>().ok().map(Number::from);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and exactly representable"
    )]
    let integer = value as i64;
    Some(integer.into())
}

/// The text of a key that is no text, as `sigs.k8s.io/yaml` writes it; none where it refuses the key.
pub(super) fn key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
