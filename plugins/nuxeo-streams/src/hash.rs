//! What a partition holds, in one number: every record's time, key, value and headers in their order, and which of
//! them are null. Offsets are not part of it, for a restored partition has others.

use twox_hash::xxhash3_128::Hasher;

/// Runs over the records of a partition.
pub struct RecordHash {
    hasher: Hasher,
    records: u64,
}

impl Default for RecordHash {
    fn default() -> Self {
        Self { hasher: Hasher::new(), records: 0 }
    }
}

impl RecordHash {
    /// One more record.
    pub fn add<'a>(
        &mut self,
        time: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        self.records += 1;
        self.hasher.write(&time.to_le_bytes());
        self.bytes(key);
        self.bytes(value);
        self.hasher.write(&(headers.len() as u64).to_le_bytes());
        for (name, value) in headers {
            self.bytes(Some(name));
            self.bytes(value);
        }
    }

    /// A length first, so that no two records can be told apart only by where one ends; null is a length of its own.
    fn bytes(&mut self, bytes: Option<&[u8]>) {
        let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        self.hasher.write(&length.to_le_bytes());
        self.hasher.write(bytes.unwrap_or_default());
    }

    /// How many there were, and their hash.
    pub fn end(self) -> (u64, String) {
        (self.records, format!("{:032x}", self.hasher.finish_128()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Header = (&'static [u8], Option<&'static [u8]>);

    fn hash(time: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> String {
        let mut hash = RecordHash::default();
        hash.add(time, key, value, headers.iter().copied());
        hash.end().1
    }

    #[test]
    fn whatever_a_record_is_made_of_changes_its_hash() {
        let (a, b): (Header, Header) = ((b"a", Some(b"1")), (b"b", None));
        let different = [
            hash(1, Some(b"k"), Some(b"v"), &[a, b]),
            hash(2, Some(b"k"), Some(b"v"), &[a, b]),
            hash(1, Some(b"kv"), Some(b""), &[a, b]),
            hash(1, Some(b""), Some(b"kv"), &[a, b]),
            hash(1, None, Some(b"v"), &[a, b]),
            hash(1, Some(b""), Some(b"v"), &[a, b]),
            hash(1, Some(b"k"), None, &[a, b]),
            hash(1, Some(b"k"), Some(b"v"), &[b, a]),
            hash(1, Some(b"k"), Some(b"v"), &[a, a, b]),
            hash(1, Some(b"k"), Some(b"v"), &[a, (b"b", Some(b""))]),
            hash(1, Some(b"k"), Some(b"v"), &[]),
        ];
        let unique: std::collections::BTreeSet<_> = different.iter().collect();
        assert_eq!(unique.len(), different.len());
        assert_eq!(different[0], hash(1, Some(b"k"), Some(b"v"), &[a, b]));
    }

    #[test]
    fn the_order_of_records_counts() {
        let of = |values: [&[u8]; 2]| {
            let mut hash = RecordHash::default();
            values.iter().for_each(|value| hash.add(0, None, Some(value), [].into_iter()));
            hash.end()
        };
        assert_ne!(of([b"one", b"two"]), of([b"two", b"one"]));
        assert_eq!(of([b"one", b"two"]).0, 2);
    }
}
