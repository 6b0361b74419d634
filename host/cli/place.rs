//! Reads the place of a repository from the command line; one that cannot be read is not repeated, as it may hold a password.

use std::ffi::OsStr;

use clap::{Arg, Command, Error, builder::TypedValueParser, error::ErrorKind};

use crate::config::Place;

/// For `--repo`.
#[derive(Clone, Debug)]
pub(super) struct PlaceParser;

impl TypedValueParser for PlaceParser {
    type Value = Place;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Place, Error> {
        let told = |why| Error::raw(ErrorKind::ValueValidation, format!("--repo: {why}\n")).with_cmd(command);
        Place::typed(value.to_owned()).map_err(told)
    }
}
