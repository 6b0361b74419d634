//! Live lines on a terminal: one for each running part. The home of `indicatif`.

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words;
use crate::run::event::PartName;

const TEMPLATE: &str = "{spinner} {prefix:<24!} {binary_bytes:>10} {binary_bytes_per_sec:>12}       {wide_msg}";
const TEMPLATE_OF: &str =
    "{spinner} {prefix:<24!} {binary_bytes:>10} {binary_bytes_per_sec:>12} {percent:>3}%  {wide_msg}";

/// The foot of this process's terminal, once it has one.
static FOOT: OnceLock<MultiProgress> = OnceLock::new();

/// Runs `print` while no line of this process is on the screen.
pub fn above_all(print: impl FnOnce()) {
    match FOOT.get() {
        Some(foot) => foot.suspend(print),
        None => print(),
    }
}

/// The lines at the foot of the terminal.
pub struct Live {
    foot: MultiProgress,
    lines: HashMap<PartName, ProgressBar>,
    tick: Duration,
}

impl Live {
    /// On standard error, drawn as often as `$STRONGROOM_PROGRESS_FPS` says (1 to 60 times a second, default 10).
    pub fn new() -> Self {
        let wanted = std::env::var("STRONGROOM_PROGRESS_FPS").ok().and_then(|fps| fps.parse().ok());
        let fps: u8 = wanted.unwrap_or(10).clamp(1, 60);
        let foot = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(fps));
        // A process has one terminal; a second foot is not drawn on it.
        let _ = FOOT.set(foot.clone());
        Self { foot, lines: HashMap::new(), tick: Duration::from_secs(1) / u32::from(fps) }
    }

    /// A part runs. `total` is what it will probably move.
    pub fn begin(&mut self, part: &PartName, total: Option<u64>) {
        let line = ProgressBar::no_length().with_prefix(words::line(&part.to_string()));
        set_total(&line, total);
        // Not before it has its style: what is added is drawn.
        let line = self.foot.add(line);
        line.enable_steady_tick(self.tick);
        if let Some(before) = self.lines.insert(part.clone(), line) {
            before.finish_and_clear();
        }
    }

    /// A part has come so far.
    pub fn moved(&mut self, part: &PartName, bytes: u64, message: String) {
        if let Some(line) = self.lines.get(part) {
            // An estimate that was too low must not claim that all is done.
            if line.length().is_some_and(|total| bytes > total) {
                set_total(line, None);
                line.unset_length();
            }
            line.set_position(bytes);
            line.set_message(message);
        }
    }

    /// A part ended.
    pub fn end(&mut self, part: &PartName) {
        if let Some(line) = self.lines.remove(part) {
            line.finish_and_clear();
            self.foot.remove(&line);
        }
    }

    /// Nothing runs any more.
    pub fn clear(&mut self) {
        self.lines.drain().for_each(|(_, line)| line.finish_and_clear());
        let _ = self.foot.clear();
    }

    /// Runs `print` while the lines are off the screen.
    pub fn above(&self, print: impl FnOnce()) {
        self.foot.suspend(print);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Work that ends without a summary leaves no line behind.
        self.clear();
    }
}

fn set_total(line: &ProgressBar, total: Option<u64>) {
    let total = total.filter(|total| *total > 0);
    let template = if total.is_some() { TEMPLATE_OF } else { TEMPLATE };
    // Both templates are constants; a wrong one would only cost the looks.
    line.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
    if let Some(total) = total {
        line.set_length(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_well_formed() {
        for template in [TEMPLATE, TEMPLATE_OF] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn an_estimate_that_was_too_low_is_dropped() {
        let (mut live, part) = (Live::new(), PartName { step: "wiki".into(), part: "home".into() });
        live.begin(&part, Some(10));
        assert_eq!(live.lines[&part].length(), Some(10));
        live.moved(&part, 11, String::new());
        assert_eq!(live.lines[&part].length(), None);
        live.end(&part);
        assert!(live.lines.is_empty());
    }
}
