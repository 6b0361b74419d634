//! Stores one partition: batches inside the cut as they are, spliced in the host and proved by their own checksum;
//! those across it written anew with the records that stay.

use std::io::Write;

use strongroom_kafka::{Builder, Header, Records, batch::HEADER_BYTES};
use strongroom_plugin::{Algorithm, Context, Error, InputStream, Meta, OutputStream, Result, snapshot, streams};

use crate::{
    broker::Broker,
    cut::Cut,
    keep::{Keeper, Tally},
    scan::{self, Range, Scanned, Taker},
    store::{self, Index, VERSION},
};

/// Stores what `range` holds up to the cut.
pub(super) fn capture(broker: &mut impl Broker, range: Range, cut: &Cut) -> Result<(Index, Scanned)> {
    let (output, input) = streams::pipe()?;
    let path = store::batches(range.topic, range.partition);
    let pending = snapshot::submit(&path, input, &Meta { mode: Some(0o600), ..Meta::default() })?;
    let mut writer = Writer { output, records: 0, index: Index::default() };
    let scanned = scan::scan(broker, range, Keeper::new(range.from, range.to, cut), &mut writer)?;
    writer.output.finish()?;
    let stored = pending.wait().context(format!("storing {path}"))?;
    let index = Index {
        version: VERSION,
        from: range.from,
        fence: range.to,
        bytes: stored.size,
        sha256: stored.sha256,
        // What was stored, not what was meant to be.
        tally: Tally { kept: writer.records, ..scanned.tally.clone() },
        gaps: scanned.gaps.clone(),
        unread: scanned.unread.map(|(offset, _)| offset),
        ..writer.index
    };
    snapshot::put_bytes(&store::index(range.topic, range.partition), store::to_json(&index)?.as_bytes())?;
    Ok((index, scanned))
}

struct Writer {
    output: OutputStream,
    /// In what has been stored.
    records: u64,
    index: Index,
}

impl Writer {
    fn stored(&mut self, records: u32, (first, last): (i64, i64), newest: i64) {
        self.records += u64::from(records);
        self.index.batches += 1;
        self.index.offsets = Some((self.index.offsets.map_or(first, |(first, _)| first), last));
        self.index.newest = Some(self.index.newest.map_or(newest, |before| before.max(newest)));
    }
}

impl Taker for Writer {
    fn whole(&mut self, headers: &[Header], batches: &[u8], stream: &InputStream) -> Result<()> {
        let mut left = batches.len() as u64;
        while left > 0 {
            match self.output.splice(stream, left)? {
                0 => return Err(Error::corrupt("the stream ended inside a batch")),
                moved => left = left.saturating_sub(moved),
            }
        }
        for header in headers {
            self.stored(header.count, (header.base_offset, header.last_offset()), header.max_timestamp);
        }
        Ok(())
    }

    fn long(&mut self, header: &Header, stream: &InputStream) -> Result<()> {
        let head = stream.peek(HEADER_BYTES as u32)?;
        let head: &[u8; HEADER_BYTES] =
            head.as_slice().try_into().map_err(|_| Error::corrupt("a batch's header is cut off"))?;
        scan::skip(stream, HEADER_BYTES as u64)?;
        self.output.write_all(head)?;
        let body = self.output.splice_digest(stream, header.body_bytes(), Algorithm::Crc32c)?;
        let crc = body.as_slice().try_into().map(u32::from_be_bytes);
        let crc = crc.map_err(|_| Error::corrupt("the host's CRC-32C has not four bytes"))?;
        if !header.is_proved_by(head, crc) {
            let message = format!("the batch at offset {} is not what its checksum says", header.base_offset);
            return Err(Error::corrupt(message));
        }
        self.stored(header.count, (header.base_offset, header.last_offset()), header.max_timestamp);
        self.index.longest = self.index.longest.max(header.bytes());
        Ok(())
    }

    fn straddling(&mut self, batch: &[u8], keeper: &mut Keeper, tally: &mut Tally) -> Result<u64> {
        let records = Records::of(batch)?;
        let (codec, clock) = (records.header().codec(), records.header().timestamp_type());
        let (mut newest, mut last) = (i64::MIN, 0);
        let mut kept: Option<(Builder, i64)> = None;
        let covered = scan::sift(records, keeper, tally, |record| {
            let new = || (Builder::keeping_offsets(codec, record.offset).timestamp_type(clock), record.offset);
            kept.get_or_insert_with(new).0.push(record)?;
            (newest, last) = (newest.max(record.timestamp), record.offset);
            Ok(())
        })?;
        if let Some((builder, first)) = kept {
            let records = builder.count();
            self.output.write_all(&builder.finish(None)?)?;
            self.index.rewritten += 1;
            self.stored(records, (first, last), newest);
        }
        Ok(covered)
    }
}
