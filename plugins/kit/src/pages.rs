//! Turns a listing that comes in pages into an iterator.

use std::collections::VecDeque;

use crate::Result;

/// Asks for the page after the last entry of the page before, until one is empty.
pub(crate) struct Pages<T, F> {
    ask: F,
    page: VecDeque<T>,
    last: Option<T>,
    ended: bool,
}

impl<T: Clone, F: FnMut(Option<&T>) -> Result<Vec<T>>> Pages<T, F> {
    pub(crate) fn new(ask: F) -> Self {
        Self { ask, page: VecDeque::new(), last: None, ended: false }
    }
}

impl<T: Clone, F: FnMut(Option<&T>) -> Result<Vec<T>>> Iterator for Pages<T, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            match (self.ask)(self.last.as_ref()) {
                Ok(page) => {
                    self.ended = page.is_empty();
                    self.last = page.last().cloned();
                    self.page = page.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}
