//! A storage that reads each file back after it was written, and compares.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use super::{Found, Kind, Name, Storage};

/// See the module.
#[derive(Debug)]
pub(in crate::repository) struct ReadBack(pub(in crate::repository) Arc<dyn Storage>);

impl Storage for ReadBack {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        self.0.create(kinds)
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        self.0.list(kind)
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        self.0.read_at(name, offset, room)
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        self.0.write(name, content)?;
        let why = match self.0.read(name) {
            Ok(read) if read == content => return Ok(()),
            Ok(read) => {
                let (read, written) = (read.len(), content.len());
                let what = format!("it was read back as other bytes ({read} of {written}) than were written");
                io::Error::new(io::ErrorKind::InvalidData, what)
            }
            Err(why) => why,
        };
        // It would be found missing or damaged by whoever needs it: better now than then.
        match self.0.remove(name) {
            Ok(()) => Err(io::Error::new(why.kind(), format!("{why}; it was removed again"))),
            Err(still) => Err(io::Error::new(why.kind(), format!("{why}; it could not be removed: {still}"))),
        }
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        self.0.sweep(kinds, untouched)
    }

    fn connections(&self) -> usize {
        self.0.connections()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        self.0.room()
    }

    fn place(&self) -> PathBuf {
        self.0.place()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            faulty::{Fault, Faulty},
            local::Local,
        },
        *,
    };

    #[test]
    fn what_does_not_come_back_is_gone_where_that_can_be_done() {
        let directory = tempfile::tempdir().unwrap();
        let local = Arc::new(Local::new(directory.path()));
        local.create(&[Kind::Index]).unwrap();
        let name = Name::new(Kind::Index, "1".repeat(64));
        for (fault, left, words) in [(Fault::Fails(2), 0, "removed again"), (Fault::Dies(2), 1, "could not be removed")]
        {
            let why = ReadBack(Arc::new(Faulty::new(local.clone(), fault))).write(&name, b"content").unwrap_err();
            assert!(why.to_string().contains(words), "{why}");
            assert_eq!(local.list(Kind::Index).unwrap().len(), left);
        }
    }

    #[test]
    fn what_comes_back_changed_is_an_error_and_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let local = Arc::new(Local::new(directory.path()));
        local.create(&[Kind::Index]).unwrap();
        let storage = ReadBack(Arc::new(Faulty::new(local, Fault::Garbles(3))));
        let name = |digit: &str| Name::new(Kind::Index, digit.repeat(64));
        storage.write(&name("1"), b"first").unwrap();
        let failed = storage.write(&name("2"), b"second").unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::InvalidData);
        let listed: Vec<_> = storage.list(Kind::Index).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(listed, ["1".repeat(64)]);
    }
}
