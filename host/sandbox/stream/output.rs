//! What a guest's `output-stream` stands for: the writing end of a pipe, of a connection, or a file that is put in place when finished.

use std::{fs::File, io};

use tokio::io::AsyncWriteExt;

use super::{Open, pipe, socket};

/// Puts a finished file in place, on a thread that may block.
pub type Place = Box<dyn FnOnce(File) -> io::Result<()> + Send>;
/// What follows from dropping it unfinished.
pub type Abandon = Box<dyn FnOnce() + Send>;

/// Bytes that the guest makes, or moves.
pub struct OutputStream {
    target: Target,
    _open: Open,
}

/// Where they go.
pub enum Target {
    /// To whoever holds the reading end.
    Pipe(pipe::Writer),
    /// Into a file.
    File(FileTarget),
    /// To the other end of a connection.
    Socket(socket::Writer),
}

/// A file that is not yet what it will be.
pub struct FileTarget {
    file: tokio::fs::File,
    place: Option<Place>,
    abandon: Option<Abandon>,
}

impl FileTarget {
    /// `place` is called when it is finished, `abandon` when it is dropped before.
    pub fn new(file: File, place: Place, abandon: Abandon) -> Self {
        Self { file: tokio::fs::File::from_std(file), place: Some(place), abandon: Some(abandon) }
    }

    async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        let file = self.file.try_clone().await?.into_std().await;
        let Some(place) = self.place.take() else { return Ok(()) };
        tokio::task::spawn_blocking(move || place(file)).await.map_err(io::Error::other)??;
        self.abandon = None;
        Ok(())
    }
}

impl Drop for FileTarget {
    fn drop(&mut self) {
        if let Some(abandon) = self.abandon.take() {
            abandon();
        }
    }
}

impl OutputStream {
    /// A stream in the guest's hands.
    pub fn new(target: Target, open: Open) -> Self {
        Self { target, _open: open }
    }

    /// The pipe that it writes into, if it does.
    pub fn pipe(&self) -> Option<&std::sync::Arc<pipe::Pipe>> {
        match &self.target {
            Target::Pipe(writer) => Some(writer.pipe()),
            Target::File(_) | Target::Socket(_) => None,
        }
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// When the reader is gone, or the disk refuses.
    pub async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Pipe(writer) => writer.write(data).await,
            Target::File(target) => target.file.write_all(data).await,
            Target::Socket(writer) => writer.write(data).await,
        }
    }

    /// Marks the content complete.
    ///
    /// # Errors
    /// When it cannot be put in place.
    pub async fn finish(self) -> io::Result<()> {
        match self.target {
            Target::Pipe(writer) => {
                writer.finish();
                Ok(())
            }
            Target::File(target) => target.finish().await,
            Target::Socket(writer) => writer.finish().await,
        }
    }
}
