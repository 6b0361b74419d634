//! Draws every problem of a file: where, with a caret, and what to write instead.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Problems};

impl Problems {
    /// All problems, one below the other; with `color`, for a terminal.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let drawn: Vec<_> = self.problems.iter().map(|problem| self.draw(&renderer, problem)).collect();
        drawn.join("\n\n")
    }

    fn draw(&self, renderer: &Renderer, problem: &Diagnostic) -> String {
        let title = Level::ERROR.primary_title(&problem.message);
        let mut group = match &problem.span {
            Some(span) => {
                let caret = AnnotationKind::Primary.span(self.first_line_of(span));
                title.element(Snippet::source(&self.text).path(&self.file).annotation(caret))
            }
            None => title.element(Origin::path(&self.file)),
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    /// A problem may be about a whole table; its first line is enough to find it.
    fn first_line_of(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end).max(start);
        let length = self.text[start..end].find('\n').unwrap_or(end - start);
        start..start + length
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(span: Option<Range<usize>>) -> Problems {
        let problem = Diagnostic { message: "no".to_owned(), span, help: Some("write yes".to_owned()) };
        Problems { file: "a.toml".to_owned(), text: "a = 1\n[ü]\nb = 2".to_owned(), problems: vec![problem] }
    }

    #[test]
    fn a_problem_shows_its_line_a_caret_and_what_to_write() {
        insta::assert_snapshot!(problems(Some(6..9)).render(false), @r"
        error: no
         --> a.toml:2:1
          |
        2 | [ü]
          | ^^
          |
          = help: write yes
        ");
    }

    #[test]
    fn any_span_can_be_drawn() {
        let length = problems(None).text.len();
        for start in 0..length + 3 {
            for end in 0..length + 3 {
                assert!(problems(Some(start..end)).render(false).contains("error: no"), "{start}..{end}");
            }
        }
        assert!(problems(None).render(true).contains("a.toml"));
    }
}
