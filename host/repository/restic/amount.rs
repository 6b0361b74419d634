//! Amounts as restic's options say them: bytes with `K`, `M`, `G` or `T` (of 1024), and hundredths
//! (<https://restic.readthedocs.io/en/stable/060_forget.html#customize-pruning>).

/// Bytes: `10G`, `512K`, `7`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        (at, 't' | 'T') => (&text[..at], 40),
        _ => (text, 0),
    };
    let whole = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| whole)?.checked_mul(1 << shift)
}

/// Hundredths from 0 to 100: `2.5%`.
pub(super) fn percent(text: &str) -> Option<f64> {
    text.strip_suffix('%')?.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_restic_reads_them() {
        assert_eq!([bytes("7"), bytes("2k"), bytes("3M"), bytes("1T")], [7, 2048, 3 << 20, 1 << 40].map(Some));
        for wrong in ["", "K", "-1", "+1", "1.5G", "1X", "99999999T", "é"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!([percent("2.5%"), percent("0%"), percent("100%")], [2.5, 0.0, 100.0].map(Some));
        for wrong in ["", "%", "5", "-1%", "101%", "NaN%", "inf%"] {
            assert_eq!(percent(wrong), None, "{wrong}");
        }
    }
}
