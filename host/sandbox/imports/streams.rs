//! `streams`: reading, writing, splitting and joining bytes that stay in the host.

use std::{future::Future, io, sync::Arc};

use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt,
    sync::{Notify, OwnedMutexGuard},
};
use wasmtime::component::Resource;

use crate::{
    digest::{Algorithm, Hasher},
    sandbox::{
        bindings::{Answer, fail, host::streams},
        fault::Code,
        operation::Capability,
        state::{State, io_fail},
        stream::{
            self, BUFFER_BYTES, Feed, InputStream, OutputStream, PEEK_BYTES_MAX, PartOpen, READ_BYTES_MAX, TooDeep,
            output::Target,
            pipe::{self, Pipe},
            source::{Body, Source, ended_early},
            tee::Tee,
        },
    },
};

/// What `splice`, `skip` and `digest` move at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Most streams that `concat` joins.
const CONCAT_MAX: usize = 1024;

impl State {
    /// Waits for bytes that come through `feeds`, and never for what only the guest could bring.
    pub async fn moving<T>(&mut self, doing: &str, feeds: &[Feed], work: impl Future<Output = T>) -> Answer<T> {
        let either = unless_stuck(feeds, &self.changed, work);
        let watch = self.watch.clone();
        match watch.watched(either).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(waits_for_itself(doing)),
            Err(stalled) => Err(self.stalled(stalled, doing)),
        }
    }

    fn source(&self, stream: &Resource<InputStream>) -> Answer<(OwnedMutexGuard<Source>, Vec<Feed>)> {
        let stream = self.table.get(stream)?;
        Ok((stream.lock()?, stream.feeds()))
    }

    /// Moves up to `max` bytes, each chunk through `each`.
    async fn pump(
        &mut self,
        output: &Resource<OutputStream>,
        source: &Resource<InputStream>,
        max: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Answer<u64> {
        let doing = "moving bytes into a stream";
        let (mut source, feeds) = self.source(source)?;
        let own = self.table.get(output)?.pipe();
        if own.is_some_and(|pipe| feeds.iter().any(|feed| feed.comes_from(pipe))) {
            return Err(fail(Code::Invalid, format!("{doing}: what goes into this pipe would come out of it again")));
        }
        let (mut buffer, mut moved) = (BytesMut::new(), 0);
        while moved < max {
            buffer.clear();
            buffer.reserve(CHUNK_BYTES.min((max - moved) as usize));
            let mut limited = (&mut *source).take(max - moved);
            let read = self.moving(doing, &feeds, limited.read_buf(&mut buffer)).await?;
            if read.map_err(|error| io_fail(doing, &error))? == 0 {
                break;
            }
            each(&buffer);
            moved += buffer.len() as u64;
            self.write_all(output, &buffer, doing).await?;
        }
        Ok(moved)
    }

    async fn write_all(&mut self, output: &Resource<OutputStream>, data: &[u8], doing: &str) -> Answer<()> {
        let watch = self.watch.clone();
        let output = self.table.get_mut(output)?;
        let pipe = output.pipe().cloned();
        let either = async {
            tokio::select! {
                biased;
                written = output.write(data) => Some(written),
                () = choked(pipe) => None,
            }
        };
        match watch.watched(either).await {
            Ok(Some(written)) => written.map_err(|error| io_fail(doing, &error)),
            Ok(None) => Err(waits_for_itself(doing)),
            Err(stalled) => Err(self.stalled(stalled, doing)),
        }
    }
}

/// The work's result; none once what it waits for is the guest.
pub async fn unless_stuck<T>(feeds: &[Feed], changed: &Notify, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = stream::stuck(feeds, changed) => None,
    }
}

async fn choked(pipe: Option<Arc<Pipe>>) {
    match pipe {
        Some(pipe) => pipe.choked().await,
        None => std::future::pending().await,
    }
}

/// The answer to a call that would never end.
pub fn waits_for_itself(doing: &str) -> crate::sandbox::bindings::Fail {
    fail(
        Code::Invalid,
        format!(
            "{doing}: the other end is held by the same instance, which would wait for itself; hand it on, finish it or drop it first"
        ),
    )
}

impl From<PartOpen> for crate::sandbox::bindings::Fail {
    fn from(open: PartOpen) -> Self {
        fail(Code::Invalid, open.to_string())
    }
}

impl From<TooDeep> for crate::sandbox::bindings::Fail {
    fn from(deep: TooDeep) -> Self {
        fail(Code::Limit, deep.to_string())
    }
}

impl streams::HostInputStream for State {
    async fn read(&mut self, stream: Resource<InputStream>, max: u32) -> Answer<Vec<u8>> {
        self.enter(Capability::Streams)?;
        let (mut source, feeds) = self.source(&stream)?;
        let max = (max as usize).min(READ_BYTES_MAX);
        let mut data = Vec::with_capacity(max);
        let read = async { (&mut *source).take(max as u64).read_buf(&mut data).await };
        self.moving("reading a stream", &feeds, read).await?.map_err(|error| io_fail("reading a stream", &error))?;
        Ok(data)
    }

    async fn peek(&mut self, stream: Resource<InputStream>, max: u32) -> Answer<Vec<u8>> {
        self.enter(Capability::Streams)?;
        let (mut source, feeds) = self.source(&stream)?;
        let max = (max as usize).min(PEEK_BYTES_MAX);
        source.charge(&self.budget, max).map_err(|spent| fail(Code::Limit, spent.to_string()))?;
        let peeked = async { source.peek(max).await.map(<[u8]>::to_vec) };
        self.moving("looking into a stream", &feeds, peeked)
            .await?
            .map_err(|error| io_fail("looking into a stream", &error))
    }

    async fn take(&mut self, stream: Resource<InputStream>, n: u64) -> Answer<Resource<InputStream>> {
        self.enter(Capability::Streams)?;
        let parent = self.table.get(&stream)?;
        let (part, feeds, depth) = (parent.take(n)?, parent.feeds(), parent.depth());
        let open = self.stream_place()?;
        // Not counted: the parent counts what is read through it.
        Ok(self.table.push(InputStream::made_of(depth, part, feeds, open)?)?)
    }

    async fn skip(&mut self, stream: Resource<InputStream>, n: u64) -> Answer<u64> {
        self.enter(Capability::Streams)?;
        let (mut source, feeds) = self.source(&stream)?;
        let skip = async { tokio::io::copy(&mut (&mut *source).take(n), &mut tokio::io::sink()).await };
        self.moving("skipping bytes", &feeds, skip).await?.map_err(|error| io_fail("skipping bytes", &error))
    }

    async fn drop(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for State {
    async fn write(&mut self, stream: Resource<OutputStream>, data: Vec<u8>) -> Answer<()> {
        self.enter(Capability::Streams)?;
        self.write_all(&stream, &data, "writing into a stream").await
    }

    async fn splice(&mut self, stream: Resource<OutputStream>, source: Resource<InputStream>, max: u64) -> Answer<u64> {
        self.enter(Capability::Streams)?;
        self.pump(&stream, &source, max, |_| {}).await
    }

    async fn splice_digest(
        &mut self,
        stream: Resource<OutputStream>,
        source: Resource<InputStream>,
        n: u64,
        algorithm: streams::Algorithm,
    ) -> Answer<Vec<u8>> {
        self.enter(Capability::Streams)?;
        let mut hasher = Hasher::new(algorithm.into());
        match self.pump(&stream, &source, n, |chunk| hasher.update(chunk)).await? {
            moved if moved < n => Err(io_fail("moving bytes into a stream", &ended_early())),
            _ => Ok(hasher.finish()),
        }
    }

    async fn finish(&mut self, stream: Resource<OutputStream>) -> Answer<()> {
        self.enter(Capability::Streams)?;
        let output = self.table.delete(stream)?;
        let watch = self.watch.clone();
        match watch.watched(output.finish()).await {
            Ok(finished) => finished.map_err(|error| io_fail("finishing a stream", &error)),
            Err(stalled) => Err(self.stalled(stalled, "finishing a stream")),
        }
    }

    async fn drop(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::Host for State {
    async fn digest(
        &mut self,
        algorithm: streams::Algorithm,
        content: Resource<InputStream>,
    ) -> Answer<(u64, Vec<u8>)> {
        self.enter(Capability::Streams)?;
        let content = self.detach(content)?;
        let feeds = content.feeds();
        let digest = digest(content.source, algorithm.into());
        self.moving("digesting a stream", &feeds, digest).await?.map_err(|error| io_fail("digesting a stream", &error))
    }

    async fn tee(&mut self, source: Resource<InputStream>) -> Answer<(Resource<InputStream>, Resource<InputStream>)> {
        self.enter(Capability::Streams)?;
        let source = self.detach(source)?;
        let (feeds, depth) = (source.feeds(), source.depth);
        let charge = self.charge(BUFFER_BYTES)?;
        let (first, second, tee) = Tee::new(source.source, &feeds, self.changed.clone(), charge);
        let mut half = |half, index| {
            let own = feeds.iter().cloned().chain([Feed::Tee(tee.clone(), index)]).collect();
            let (open, source) = (self.stream_place()?, Source::new(Body::Async(Box::new(half))));
            Ok(self.table.push(InputStream::made_of(depth, source, own, open)?)?)
        };
        let first = half(first, 0);
        match first {
            Ok(first) => Ok((first, half(second, 1)?)),
            Err(refused) => Err(refused),
        }
    }

    async fn from_bytes(&mut self, data: Vec<u8>) -> Answer<Resource<InputStream>> {
        self.enter(Capability::Streams)?;
        let charge = self.charge(data.len())?;
        self.push_input(stream::bytes(data, charge), Vec::new())
    }

    async fn concat(&mut self, parts: Vec<Resource<InputStream>>) -> Answer<Resource<InputStream>> {
        self.enter(Capability::Streams)?;
        if parts.len() > CONCAT_MAX {
            return Err(fail(Code::Limit, format!("joining {} streams: {CONCAT_MAX} are the most", parts.len())));
        }
        let parts = parts.into_iter().map(|part| self.detach(part)).collect::<Answer<Vec<_>>>()?;
        let (source, feeds, depth) = stream::concat(parts);
        let open = self.stream_place()?;
        Ok(self.table.push(InputStream::made_of(depth, source, feeds, open)?)?)
    }

    async fn pipe(&mut self) -> Answer<(Resource<OutputStream>, Resource<InputStream>)> {
        self.enter(Capability::Streams)?;
        let charge = self.charge(BUFFER_BYTES)?;
        let (writer, reader, pipe) = pipe::Pipe::new(self.changed.clone(), charge);
        let input = self.push_input(Source::new(Body::Async(Box::new(reader))), vec![Feed::Pipe(pipe)])?;
        Ok((self.push_output(Target::Pipe(writer))?, input))
    }
}

async fn digest(mut source: Source, algorithm: Algorithm) -> io::Result<(u64, Vec<u8>)> {
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
    let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
    while source.read_buf(&mut buffer).await? > 0 {
        hasher.update(&buffer);
        size += buffer.len() as u64;
        buffer.clear();
        // Hashing does not wait: others on this thread get their turn.
        tokio::task::yield_now().await;
    }
    Ok((size, hasher.finish()))
}

impl From<streams::Algorithm> for Algorithm {
    fn from(algorithm: streams::Algorithm) -> Self {
        match algorithm {
            streams::Algorithm::Crc32c => Self::Crc32c,
            streams::Algorithm::Md5 => Self::Md5,
            streams::Algorithm::Sha1 => Self::Sha1,
            streams::Algorithm::Sha256 => Self::Sha256,
            streams::Algorithm::Sha384 => Self::Sha384,
            streams::Algorithm::Sha512 => Self::Sha512,
        }
    }
}

#[cfg(test)]
mod tests;
