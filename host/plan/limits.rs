//! Limits as people read them.

use bytesize::ByteSize;
use humantime::format_duration;

use crate::config::Limits;

/// All of them, by the names that the pipeline file uses.
pub(super) fn lines(limits: &Limits) -> [String; 3] {
    let size = |bytes| ByteSize(bytes).display().iec();
    [
        format!(
            "memory {}, compute {}, no-progress {}, part-time {}",
            size(limits.memory_bytes),
            format_duration(limits.compute),
            format_duration(limits.no_progress),
            format_duration(limits.part_time),
        ),
        format!(
            "handles {}, open-streams {}, log-bytes {}, hostcall-fuel {}",
            limits.handles,
            limits.open_streams,
            size(limits.log_bytes),
            size(limits.hostcall_fuel_bytes),
        ),
        format!(
            "hold-time {}, release-time {}, holds {}",
            format_duration(Limits::HOLD_TIME_MAX),
            format_duration(limits.release_time()),
            Limits::HOLDS_MAX,
        ),
    ]
}
