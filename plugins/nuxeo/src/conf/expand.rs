//! Replaces what a value refers to: variables of the environment when a file is read, other keys when one is used.
//!
//! `${env:VAR:default}` and `${env??:VAR}` are those of `ConfigurationLoader`, `${key}`, `${key:=default}` and `$${…}`
//! those of `TextTemplate`, both in Nuxeo's sources.

use std::collections::{BTreeMap, BTreeSet};

/// How often references are replaced by values that hold references themselves.
pub const DEPTH_MAX: usize = 10;
/// The longest text that replacing may make.
pub const BYTES_MAX: usize = 64 << 10;

/// Variables of the environment that Nuxeo runs in, as the operator gave them.
pub type Environment = BTreeMap<String, String>;

/// A value with its references replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// The keys that were put in.
    pub keys: BTreeSet<String>,
    /// Whether references are left because they lead to themselves, too deep, or to too much text.
    pub endless: bool,
}

/// The value with variables of the environment replaced; a variable that is not set, or blank, gives its default, or
/// nothing. `${env??:VAR}` gives `true` or `false`.
pub fn environment(value: &str, variables: &Environment) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${env") {
        let (before, candidate) = rest.split_at(at);
        out.push_str(before);
        let Some(variable) = Variable::parse(candidate) else {
            out.push_str("${env");
            rest = &candidate["${env".len()..];
            continue;
        };
        let set = variables.get(variable.name).filter(|value| !value.trim().is_empty());
        out.push_str(match (variable.asks, set) {
            (true, Some(_)) => "true",
            (true, None) => "false",
            (false, Some(value)) => value,
            (false, None) => variable.default,
        });
        rest = &candidate[variable.length..];
    }
    out.push_str(rest);
    out
}

/// Whether the value asks for a variable of the environment, which no escape prevents.
pub fn asks_environment(value: &str) -> bool {
    value.match_indices("${env").any(|(at, _)| Variable::parse(&value[at..]).is_some())
}

/// The names of the variables that it asks for.
pub fn variables(value: &str) -> Vec<&str> {
    value.match_indices("${env").filter_map(|(at, _)| Some(Variable::parse(&value[at..])?.name)).collect()
}

/// `${env:NAME:default}` or `${env??:NAME}`.
struct Variable<'a> {
    asks: bool,
    name: &'a str,
    default: &'a str,
    length: usize,
}

impl<'a> Variable<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("${env")?;
        let (asks, rest) = rest.strip_prefix("??").map_or((false, rest), |rest| (true, rest));
        let rest = rest.strip_prefix(':')?;
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_')?;
        let (name, rest) = rest.split_at(end);
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let default = &rest[..one_line(rest).find('}')?];
        Some(Self { asks, name, default, length: text.len() - rest.len() + default.len() + 1 })
    }
}

/// The value with references to other keys replaced, again and again up to [`DEPTH_MAX`] times, and `$${` then read as
/// `${`. What is not set stays as it is written.
pub fn references<'a>(value: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> Expanded {
    let mut expanded = Expanded { text: value.to_owned(), ..Expanded::default() };
    // The launcher goes round once more than its limit says.
    for round in 0..=DEPTH_MAX {
        match once(&expanded.text, &lookup, &mut expanded.keys) {
            Some(text) if text == expanded.text => break,
            Some(text) => {
                expanded.text = text;
                expanded.endless = round == DEPTH_MAX;
            }
            None => {
                expanded.endless = true;
                break;
            }
        }
    }
    expanded.text = expanded.text.replace("$${", "${");
    expanded
}

/// One round; none when the text would grow too long.
fn once<'a>(text: &str, lookup: &impl Fn(&str) -> Option<&'a str>, keys: &mut BTreeSet<String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(at) = rest.find("${") {
        let escaped = rest[..at].chars().next_back().or(before) == Some('$');
        let found = if escaped { None } else { Reference::parse(&rest[at..]) };
        let length = found.as_ref().map_or(2, |found| found.length);
        let value = found.and_then(|found| {
            let value = lookup(found.key);
            if value.is_some() {
                keys.insert(found.key.to_owned());
            }
            value.or(found.default)
        });
        out.push_str(&rest[..at]);
        out.push_str(value.unwrap_or(&rest[at..at + length]));
        if out.len() > BYTES_MAX {
            return None;
        }
        before = rest[..at + length].chars().next_back();
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    (out.len() <= BYTES_MAX.max(text.len())).then_some(out)
}

/// `${key}`, `${#key}` or `${key:=default}`.
struct Reference<'a> {
    key: &'a str,
    default: Option<&'a str>,
    length: usize,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("${")?;
        let rest = rest.strip_prefix('#').unwrap_or(rest);
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && !"_-.".contains(character))?;
        let (key, rest) = rest.split_at(end);
        if key.is_empty() {
            return None;
        }
        if rest.starts_with('}') {
            return Some(Self { key, default: None, length: text.len() - rest.len() + 1 });
        }
        let rest = rest.strip_prefix(":=")?;
        // The launcher's expression is greedy: a default lasts to the last brace of the line.
        let default = &rest[..one_line(rest).rfind('}')?];
        Some(Self { key, default: Some(default), length: text.len() - rest.len() + default.len() + 1 })
    }
}

fn one_line(text: &str) -> &str {
    &text[..text.find(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).unwrap_or(text.len())]
}

/// The text as a value in which nothing is replaced.
pub fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(value: &str) -> String {
        let variables = [("HOST", "h1"), ("BLANK", " "), ("X_1", "x")];
        environment(value, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn expand(value: &str) -> Expanded {
        let all = [("a", "1"), ("b.c-d_e", "[${a}]"), ("self", "${self}"), ("grow", "x${grow}"), ("lit", "$${a}")];
        references(value, |key| all.iter().find(|(name, _)| *name == key).map(|(_, value)| *value))
    }

    #[test]
    fn variables_are_replaced_by_their_value_or_their_default() {
        assert_eq!(env("http://${env:HOST}:${env:PORT:9200}/"), "http://h1:9200/");
        assert_eq!(env("${env:HOST:other}${env:X_1}"), "h1x");
        assert_eq!(env("[${env:NONE}][${env:NONE:}][${env:BLANK:d}]"), "[][][d]");
        assert_eq!(env("${env:NONE:jdbc:x://h:1/d}"), "jdbc:x://h:1/d");
        assert_eq!(env("${env??:HOST} ${env??:NONE} ${env??:BLANK}"), "true false false");
        assert_eq!(env("${env:A-B}"), "-B", "what follows the name is the default, with or without a colon");
    }

    #[test]
    fn what_is_no_variable_stays() {
        for text in ["${environment}", "${env}", "${env:HOST", "$ {env:HOST}", "${env?:HOST}", "${env:NONE:a\nb}"] {
            assert_eq!(env(text), text);
        }
        assert!(asks_environment("x${env:HOST}") && !asks_environment("${env}${environment:x"));
        assert_eq!(variables("${env:A}${env??:B}${env:C:d}"), ["A", "B", "C"]);
    }

    #[test]
    fn references_are_replaced_through_other_references() {
        assert_eq!(expand("${a}-${b.c-d_e}-${#a}").text, "1-[1]-1");
        assert_eq!(expand("${b.c-d_e}").keys.into_iter().collect::<Vec<_>>(), ["a", "b.c-d_e"]);
        assert_eq!(expand("${none}/${no ne}/${}").text, "${none}/${no ne}/${}");
        assert_eq!(expand("${none:=dflt}").text, "dflt");
        assert_eq!(expand("${none:=}").text, "");
        assert_eq!(expand("${a:=dflt}").text, "1");
        assert_eq!(expand("${none:=x}/${a:=y}").text, "x}/${a:=y", "the first default lasts to the last brace");
    }

    #[test]
    fn an_escaped_reference_stays_and_loses_its_escape() {
        assert_eq!(expand("$${a}").text, "${a}");
        assert_eq!(expand("${lit}").text, "${a}");
        assert_eq!(expand("$$${a}").text, "$${a}");
        assert_eq!(expand(&literal("p${a}$")).text, "p${a}$");
    }

    #[test]
    fn what_refers_to_itself_ends() {
        assert_eq!(
            expand("${self}"),
            Expanded { text: "${self}".into(), keys: ["self".to_owned()].into(), endless: false }
        );
        let grown = expand("${grow}");
        assert!(grown.endless);
        assert_eq!(grown.text, format!("{}${{grow}}", "x".repeat(DEPTH_MAX + 1)));
        let deep = |depth: usize| {
            let keys: Vec<String> = (0..=depth).map(|n| format!("${{k{}}}", n + 1)).collect();
            references("${k0}", |key| match key[1..].parse::<usize>() {
                Ok(n) if n < depth => Some(keys[n].as_str()),
                _ => Some("end"),
            })
        };
        assert_eq!(deep(9).text, "end");
        assert!(deep(20).endless);
    }

    #[test]
    fn a_reference_that_multiplies_itself_is_cut_short() {
        let bomb = "${a}".repeat(30);
        let expanded = references("${a}", |_| Some(&bomb));
        assert!(expanded.endless && expanded.text.len() <= BYTES_MAX + bomb.len());
        let (lookups, large) = (std::cell::Cell::new(0), "x".repeat(BYTES_MAX / 2));
        let count = |_: &str| {
            lookups.set(lookups.get() + 1);
            Some(large.as_str())
        };
        assert!(references(&"${a}".repeat(10_000), count).endless);
        assert!(lookups.get() < 10, "it ends before the text is made: {}", lookups.get());
        let long = format!("{}${{", "$".repeat(100_000));
        assert_eq!(references(&long, |_| None).text.len(), long.len() - 1);
    }
}
