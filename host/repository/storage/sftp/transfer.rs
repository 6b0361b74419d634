//! Moves whole files, many requests at once: a line with a long way is as busy as one with a short way.

use std::{
    io,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    super::{FILE_MAX, Kind, is_unfinished, unfinished},
    session::Connection,
};

/// Bytes of one request: what each server takes (draft-ietf-secsh-filexfer-02 §3).
const PIECE: usize = 32 << 10;
/// Requests of one call that are under way: 2 MiB.
const UNDER_WAY: usize = 64;

/// Begins of pieces, and how long they are.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize)> {
    (0..length).step_by(PIECE).map(move |begin| (offset + begin as u64, PIECE.min(length - begin)))
}

/// A whole file.
pub(super) async fn read(connection: &Connection, path: &str) -> io::Result<Vec<u8>> {
    let handle = connection.open_file(path).await?;
    let size = connection.open_size(&handle).await?;
    let read = match usize::try_from(size) {
        Ok(length) if size <= FILE_MAX => range(connection, &handle, 0, length).await,
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} would have {size} bytes"))),
    };
    closed(connection, &handle, read).await
}

/// A piece of a file.
pub(super) async fn read_at(connection: &Connection, path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let handle = connection.open_file(path).await?;
    let read = range(connection, &handle, offset, length).await;
    closed(connection, &handle, read).await
}

/// Closes a file whatever happened; what happened first counts.
async fn closed<T>(connection: &Connection, handle: &str, done: io::Result<T>) -> io::Result<T> {
    let closed = connection.close(handle).await;
    done.and_then(|done| closed.map(|()| done))
}

async fn range(connection: &Connection, handle: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let reading = stream::iter(pieces(offset, length)).map(|(begin, length)| piece(connection, handle, begin, length));
    // Not all of it at once: how long it is, the server says.
    let content = Vec::with_capacity(length.min(32 << 20));
    let append = async |mut content: Vec<u8>, piece: Vec<u8>| {
        content.extend(piece);
        Ok(content)
    };
    reading.buffered(UNDER_WAY).try_fold(content, append).await
}

/// All of a piece: a server may send less than it was asked for.
async fn piece(connection: &Connection, handle: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    while content.len() < length {
        let lacks = u32::try_from(length - content.len()).unwrap_or(u32::MAX);
        let more = connection.piece(handle, offset + content.len() as u64, lacks).await?;
        if more.is_empty() {
            let at = offset + content.len() as u64;
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends at {at}")));
        }
        content.extend(more);
    }
    Ok(content)
}

/// Writes a whole file under another name, has the server keep it, and renames it.
pub(super) async fn write(connection: &Connection, path: &str, content: &Bytes) -> io::Result<()> {
    let temporary = unfinished(path);
    let written = match fill(connection, &temporary, content).await {
        Ok(()) => put_in_place(connection, &temporary, path, content.len()).await,
        failed => failed,
    };
    if written.is_err() {
        // What cannot be removed now is no file of the repository: nobody lists it.
        let _ = connection.remove(&temporary).await;
    }
    written
}

async fn fill(connection: &Connection, temporary: &str, content: &Bytes) -> io::Result<()> {
    let handle = match connection.create_file(temporary).await {
        // Whoever made the repository has left out directories that it did not need.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            if let Some((directory, _)) = temporary.rsplit_once('/') {
                make(connection, directory).await?;
            }
            connection.create_file(temporary).await?
        }
        created => created?,
    };
    let writing = stream::iter(pieces(0, content.len())).map(|(begin, length)| {
        let at = begin as usize;
        connection.put_piece(&handle, begin, content[at..at + length].to_vec())
    });
    let written = match writing.buffer_unordered(UNDER_WAY).try_collect::<()>().await {
        Ok(()) => kept(connection, &handle, content.len()).await,
        failed => failed,
    };
    closed(connection, &handle, written).await
}

/// Whether all of it has arrived.
async fn kept(connection: &Connection, handle: &str, length: usize) -> io::Result<()> {
    connection.sync(handle).await?;
    let size = connection.open_size(handle).await?;
    match size == length as u64 {
        true => Ok(()),
        false => Err(io::Error::other(format!("the server kept {size} of {length} bytes"))),
    }
}

async fn put_in_place(connection: &Connection, temporary: &str, path: &str, length: usize) -> io::Result<()> {
    match connection.replace(temporary, path).await {
        // Without posix-rename a file that is there is left alone. Its name says what is in it: if it is whole, that will do.
        Err(cause) if cause.kind() == io::ErrorKind::Other => match connection.size(path).await {
            Ok(size) if size == length as u64 => connection.remove(temporary).await,
            _ => Err(cause),
        },
        renamed => renamed,
    }
}

/// Removes what writers that died have left in a directory, and was not touched for so long; says how many that were.
pub(super) async fn sweep(
    connection: &Connection,
    kind: Kind,
    directory: &str,
    untouched: Duration,
) -> io::Result<u64> {
    let listed = match connection.list(directory).await {
        // Whoever made the repository may have left out directories that it did not need.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(0),
        listed => listed?,
    };
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut swept = 0;
    for found in listed.into_iter().filter(|found| is_unfinished(kind, &found.name)) {
        // A time that is later than now is no age.
        let age = found.modified.and_then(|at| since_1970.checked_sub(Duration::from_secs(at.into())));
        if age.is_some_and(|age| age > untouched) {
            connection.remove(&format!("{}/{}", directory.trim_end_matches('/'), found.name)).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Makes a directory; one that is there is made already.
pub(super) async fn make(connection: &Connection, directory: &str) -> io::Result<()> {
    match connection.make(directory).await {
        Ok(()) => Ok(()),
        Err(cause) => match connection.is_directory(directory).await {
            Ok(true) => Ok(()),
            _ => Err(cause),
        },
    }
}

/// Makes a directory and those that it lies in.
pub(super) async fn make_all(connection: &Connection, directory: &str) -> io::Result<()> {
    let ends = directory.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([directory.len()]);
    for end in ends {
        let above = &directory[..end];
        if !connection.is_directory(above).await.unwrap_or(false) {
            make(connection, above).await?;
        }
    }
    Ok(())
}
