//! Long work on a whole snapshot or repository, told as it goes on: how many bytes of each of its phases, and whether to stop.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;

use super::event::{Event, Observer};
use crate::repository::Watch;

/// Events of one phase are at least this far apart; what is over sooner is not told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// See the module.
pub struct Telling {
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    phase: Mutex<Phase>,
}

struct Phase {
    doing: &'static str,
    bytes: u64,
    total: Option<u64>,
    told: Instant,
}

impl Phase {
    fn new(doing: &'static str, total: Option<u64>) -> Self {
        Self { doing, bytes: 0, total, told: Instant::now() }
    }
}

impl Telling {
    /// Tells `observer`; the work ends when `stop` says so.
    pub fn new(observer: Arc<dyn Observer>, stop: CancellationToken) -> Self {
        Self { observer, stop, phase: Mutex::new(Phase::new("reading", None)) }
    }

    /// The same for work of a single phase.
    pub(super) fn of(doing: &'static str, total: u64, observer: Arc<dyn Observer>, stop: CancellationToken) -> Self {
        Self { observer, stop, phase: Mutex::new(Phase::new(doing, Some(total))) }
    }

    fn moved_by(&self, bytes: u64, now: Instant) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        phase.bytes += bytes;
        if now.saturating_duration_since(phase.told) >= TELL_EVERY {
            phase.told = now;
            let Phase { doing, bytes, total, .. } = *phase;
            self.observer.event(SystemTime::now(), &Event::Snapshot { doing, bytes, total });
        }
    }
}

impl Watch for Telling {
    fn phase(&self, doing: &'static str, total: Option<u64>) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Phase::new(doing, total);
    }

    fn moved(&self, bytes: u64, _files: u64) {
        self.moved_by(bytes, Instant::now());
    }

    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn event(&self, _: SystemTime, event: &Event) {
            let Event::Snapshot { doing, bytes, total } = event else { panic!("{event:?}") };
            self.0.lock().unwrap().push(format!("{doing} {bytes} {total:?}"));
        }
    }

    #[test]
    fn each_phase_is_told_ten_times_a_second_and_a_short_one_not_at_all() {
        let heard = Arc::new(Heard::default());
        let stop = CancellationToken::new();
        let telling = Telling::new(heard.clone(), stop.clone());
        let phase = |doing, total| {
            telling.phase(doing, total);
            let began = telling.phase.lock().unwrap().told;
            move |hundredths: u64| began + Duration::from_millis(10 * hundredths)
        };
        let after = phase("reading packs", Some(9));
        telling.moved_by(1, after(1));
        telling.moved_by(2, after(11));
        telling.moved_by(3, after(15));
        telling.moved_by(3, after(22));
        let after = phase("walking trees", None);
        telling.moved_by(5, after(1));
        telling.moved_by(5, after(12));
        assert_eq!(
            *heard.0.lock().unwrap(),
            ["reading packs 3 Some(9)", "reading packs 9 Some(9)", "walking trees 10 None"]
        );
        assert!(!telling.stopped());
        stop.cancel();
        assert!(telling.stopped());
    }
}
