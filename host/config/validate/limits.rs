//! `[step.NAME.limits]`: each within what this host can keep.

use std::time::Duration;

use crate::config::{
    Limits,
    reader::{Reader, Value},
    schema,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn read(reader: &mut Reader, value: &Value) -> Option<Limits> {
    let table = reader.table(value, schema::LIMITS)?;
    let default = Limits::default();
    let mut size = |name, default, low, high| match table.get(name) {
        Some(value) => reader.size(&value, low..=high),
        None => Some(default),
    };
    let memory_bytes = size("memory", default.memory_bytes, MIB, 4 * GIB);
    let log_bytes = size("log-bytes", default.log_bytes, 256, GIB);
    let hostcall_fuel_bytes = size("hostcall-fuel", default.hostcall_fuel_bytes, 4 * KIB, GIB);
    let mut time = |name, default| match table.get(name) {
        Some(value) => reader.duration(&value, SHORTEST..=LONGEST),
        None => Some(default),
    };
    let compute = time("compute", default.compute);
    let no_progress = time("no-progress", default.no_progress);
    let part_time = time("part-time", default.part_time);
    let mut count = |name, default| match table.get(name) {
        Some(value) => reader.integer(&value, 1..=1_000_000).and_then(|count| u32::try_from(count).ok()),
        None => Some(default),
    };
    let handles = count("handles", default.handles);
    let open_streams = count("open-streams", default.open_streams);
    Some(Limits {
        memory_bytes: memory_bytes?,
        compute: compute?,
        no_progress: no_progress?,
        part_time: part_time?,
        handles: handles?,
        open_streams: open_streams?,
        log_bytes: log_bytes?,
        hostcall_fuel_bytes: hostcall_fuel_bytes?,
    })
}
