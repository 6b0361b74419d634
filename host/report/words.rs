//! How numbers, times and foreign text are written for people.

use std::time::{Duration, SystemTime};

use crate::snapshot::receipts::Receipt;

/// `1.4 GiB`.
pub fn bytes(count: u64) -> String {
    bytesize::ByteSize(count).display().iec().to_string()
}

/// `20,000`.
pub fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// `1 part`, `5 parts`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `850ms`, `12s`, `1h 3m 7s`: whole seconds from ten seconds on.
pub fn duration(time: Duration) -> String {
    let rounded = match time.as_secs() {
        0 => Duration::from_millis(time.as_millis() as u64),
        1..10 => Duration::from_millis(time.as_millis() as u64 / 100 * 100),
        seconds => Duration::from_secs(seconds),
    };
    humantime::format_duration(rounded).to_string()
}

/// `14:03:07Z`.
pub fn clock(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| at.strftime("%H:%M:%SZ").to_string())
}

/// How long ago an RFC 3339 time was; `?` where it is none.
pub fn age(time: &str) -> String {
    let seconds = |since: jiff::Timestamp| jiff::Timestamp::now().as_second().saturating_sub(since.as_second());
    let since = time.parse().map(|since| u64::try_from(seconds(since)).unwrap_or(0));
    since.map_or_else(|_| "?".to_owned(), |age| humantime::format_duration(Duration::from_secs(age)).to_string())
}

/// RFC 3339 in UTC, with milliseconds.
pub fn timestamp(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// The first twelve digits of a hash: enough to compare by eye.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Text that others wrote (plugins, file names, servers), on one line and without power over the terminal.
pub fn line(text: &str) -> String {
    clean(text, false)
}

/// The same, with its line breaks kept.
pub fn lines(text: &str) -> String {
    clean(text, true)
}

/// Control characters could move the cursor or colour the screen, and directional ones show a name as another.
fn clean(text: &str, keep_breaks: bool) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' if keep_breaks => cleaned.push('\n'),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                cleaned.extend(letter.escape_unicode());
            }
            _ if letter.is_control() => cleaned.extend(letter.escape_default()),
            _ => cleaned.push(letter),
        }
    }
    cleaned
}

/// `rows CONTENT: expected 200, got 199`.
pub fn receipt(receipt: &Receipt) -> String {
    format!("{}: expected {}, got {}", line(&receipt.subject), count(receipt.expected), count(receipt.actual))
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    /// Whether to colour at all.
    pub on: bool,
}

impl Paint {
    /// Red: failed, damaged, blocked.
    pub fn bad(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    /// Yellow: look at it.
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Green: proven.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Dimmed: less important.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_has_no_power_over_the_terminal() {
        assert_eq!(line("a\x1b[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
        assert_eq!(lines("grant it:\n  path\r"), "grant it:\n  path\\r");
        assert_eq!(line("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_503_238_553), "1.4 GiB");
        assert_eq!(counted(1, "part", "parts"), "1 part");
        assert_eq!(counted(20_000, "file", "files"), "20,000 files");
        assert_eq!(duration(Duration::from_millis(3787)), "3s 700ms");
        assert_eq!(duration(Duration::from_millis(3_787_900)), "1h 3m 7s");
        assert_eq!(duration(Duration::from_micros(1500)), "1ms");
    }

    #[test]
    fn times_are_utc() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_266_187_250);
        assert_eq!(clock(at), "13:03:07Z");
        assert_eq!(timestamp(at), "2026-11-21T13:03:07.250Z");
    }

    #[test]
    fn an_age_is_counted_in_whole_seconds() {
        let earlier = SystemTime::now() - Duration::from_secs(3725);
        assert!(age(&timestamp(earlier)).starts_with("1h 2m "));
        assert_eq!(age(&timestamp(SystemTime::now() + Duration::from_secs(90))), "0s");
        assert_eq!(age("yesterday"), "?");
    }

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Paint { on: false }.bad("FAILED"), "FAILED");
        assert_eq!(Paint { on: true }.bad("FAILED"), "\x1b[31;1mFAILED\x1b[0m");
    }
}
