//! Kubernetes' grammar of resource quantities: `250m`, `1.5`, `512Mi`, `1e9`.

/// Longest quantity taken, in bytes.
const LENGTH_MAX: usize = 64;

/// Whether a text is a quantity that a container may ask for: none is negative.
///
/// The grammar of `k8s.io/apimachinery/pkg/api/resource`: a sign, digits with one dot, then a binary suffix, a decimal suffix or
/// an exponent.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let number = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (digits, suffix) = unsigned.split_at(number);
    text.len() <= LENGTH_MAX && is_number(digits) && is_suffix(suffix)
}

fn is_number(text: &str) -> bool {
    text.matches('.').count() <= 1 && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_suffix(suffix: &str) -> bool {
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti"
        | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(is_exponent),
    }
}

fn is_exponent(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_the_documentation_are_taken() {
        for text in [
            "0",
            "1",
            "250m",
            "0.5",
            ".5",
            "1.",
            "+1",
            "512Mi",
            "1Gi",
            "129e6",
            "1E3",
            "1e-3",
            "1E",
            "100k",
            "128974848",
            "129M",
            "123Mi",
            "5n",
            "7u",
        ] {
            assert!(is_quantity(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", ".", "-1", "1.2.3", "512 Mi", "512mb", "1K", "1ki", "1KI", "e3", "1e", "1e+", "m",
            "0x10", "1_000", "one", "1mi", "1,5", "++1", "½",
        ] {
            assert!(!is_quantity(text), "{text}");
        }
        assert!(!is_quantity(&"1".repeat(65)));
    }
}
