//! One conversation with one broker: a request, its answer, then the next.

use std::{io::Write as _, time::Duration};

use strongroom_plugin::{Error as Cause, ErrorCode, InputStream, OutputStream, context, tcp};

use crate::{
    Error, Fault, Login, Result,
    api::{self, Api, Versions},
    cluster::Options,
    wire::{Reader, Writer},
};

/// How this client calls itself in a broker's logs and quotas.
const CLIENT: &str = "strongroom";

/// A broker that listens, and what it understands.
pub(crate) struct Connection {
    input: InputStream,
    output: OutputStream,
    versions: Versions,
    correlation: i32,
    timeout: Duration,
    answer_bytes_max: usize,
}

/// A whole answer.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// How long its own header is.
    head: usize,
    version: i16,
    flexible: bool,
}

/// An answer of which only the head was read: how much of it is left on the connection.
pub(crate) struct Frame {
    pub(crate) left: usize,
    pub(crate) version: i16,
}

impl Answer {
    /// Reads all of it; `read` is told its version.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Reader, i16) -> Result<T>) -> Result<T> {
        let mut reader = self.body();
        let value = read(&mut reader, self.version)?;
        reader.tags()?;
        reader.end()?;
        Ok(value)
    }

    /// Reads as much of it as matters.
    pub(crate) fn read_part<T>(&self, read: impl FnOnce(&mut Reader, i16) -> Result<T>) -> Result<T> {
        read(&mut self.body(), self.version)
    }

    fn body(&self) -> Reader<'_> {
        Reader::new(self.bytes.get(self.head..).unwrap_or_default(), self.flexible)
    }
}

/// When a request has taken too long, by the host's clock.
#[derive(Clone, Copy)]
struct Deadline(i128);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(Self::now() + time.as_nanos() as i128)
    }

    fn now() -> i128 {
        let now = context::now();
        i128::from(now.seconds) * 1_000_000_000 + i128::from(now.nanoseconds)
    }

    fn passed(self) -> bool {
        Self::now() > self.0
    }
}

impl Connection {
    /// Connects, asks what the broker understands, and logs in.
    ///
    /// # Errors
    /// `denied` for an endpoint that is not granted and for a login that is refused, `unavailable` when nobody answers.
    pub(crate) fn open(service: &tcp::Service, endpoint: &str, login: &Login, options: &Options) -> Result<Self> {
        let connected = service.connect_with_idle(endpoint, options.request_timeout);
        let (input, output) = connected.map_err(|cause| Error::lost(cause, false))?;
        let mut connection = Self {
            input,
            output,
            versions: Versions::default(),
            correlation: 0,
            timeout: options.request_timeout,
            answer_bytes_max: options.answer_bytes_max,
        };
        connection.begin(login).map_err(Error::before_asking)?;
        Ok(connection)
    }

    fn begin(&mut self, login: &Login) -> Result<()> {
        let answer = self.exchange(&api::API_VERSIONS, 0, |_| {})?;
        self.versions = answer.read(|reader, _| {
            refusal(reader.i16()?, None)?;
            Versions::read(reader)
        })?;
        login.log_in(self)
    }

    /// What the broker understands.
    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Asks, and takes the answer in.
    ///
    /// # Errors
    /// `unavailable` when the connection ends first, `timeout`, `corrupt` for what cannot be the answer, `limit` for one
    /// that is too long, `unsupported` when the broker does not know the request.
    pub(crate) fn ask(&mut self, api: &Api, write: impl FnOnce(&mut Writer, i16)) -> Result<Answer> {
        let version = self.versions.common(api)?;
        self.exchange(api, version, |writer| write(writer, version))
    }

    /// Asks, and leaves the answer for [`Self::answer`], which must be the next that is called. Returns the version.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn tell(&mut self, api: &Api, write: impl FnOnce(&mut Writer, i16)) -> Result<i16> {
        let version = self.versions.common(api)?;
        self.send(api, version, |writer| write(writer, version))?;
        Ok(version)
    }

    /// The answer to what was told. Its time begins here: whoever told may have done something else meanwhile.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn answer(&mut self, api: &Api, version: i16) -> Result<Answer> {
        self.take_in(api, version, Deadline::after(self.timeout))
    }

    fn exchange(&mut self, api: &Api, version: i16, write: impl FnOnce(&mut Writer)) -> Result<Answer> {
        let deadline = self.send(api, version, write)?;
        self.take_in(api, version, deadline)
    }

    fn take_in(&mut self, api: &Api, version: i16, deadline: Deadline) -> Result<Answer> {
        let length = self.head(deadline)?;
        if length > self.answer_bytes_max {
            return Err(self.too_long(api, length));
        }
        let bytes = self.read(length, deadline)?;
        let flexible = api.is_flexible(version);
        let mut header = Reader::new(&bytes, flexible);
        header.tags()?;
        let head = bytes.len() - header.left();
        Ok(Answer { bytes, head, version, flexible })
    }

    fn too_long(&self, api: &Api, length: usize) -> Error {
        Cause::limit(format!(
            "it answers {} with {length} bytes, and {} are allowed: is it a Kafka broker, and does it want TLS?",
            api.name, self.answer_bytes_max
        ))
        .into()
    }

    /// Asks, and leaves the answer's body where it is.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn ask_for_frame(&mut self, api: &Api, write: impl FnOnce(&mut Writer, i16)) -> Result<Frame> {
        let version = self.versions.common(api)?;
        let deadline = self.send(api, version, |writer| write(writer, version))?;
        Ok(Frame { left: self.head(deadline)?, version })
    }

    /// Where the body of a frame is read.
    pub(crate) fn input(&self) -> &InputStream {
        &self.input
    }

    fn send(&mut self, api: &Api, version: i16, write: impl FnOnce(&mut Writer)) -> Result<Deadline> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut writer = Writer::default();
        writer.i32(0).i16(api.key).i16(version).i32(self.correlation).text(CLIENT);
        writer.flexible(api.is_flexible(version)).tags();
        write(&mut writer);
        let mut bytes = writer.into_request()?;
        let length =
            i32::try_from(bytes.len().saturating_sub(4)).map_err(|_| Cause::limit("a request is over 2 GiB"))?;
        if let Some(place) = bytes.first_chunk_mut() {
            *place = length.to_be_bytes();
        }
        let deadline = Deadline::after(self.timeout);
        self.output.write_all(&bytes).map_err(|error| lost(error.into()))?;
        Ok(deadline)
    }

    /// The length of the answer behind its number, which must be that of the request.
    fn head(&mut self, deadline: Deadline) -> Result<usize> {
        let bytes = self.read(4, deadline)?;
        let length = Reader::new(&bytes, false).i32()?;
        let Some(left) = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)) else {
            return Err(Error::corrupt(format!("the broker says that its answer is {length} bytes long")));
        };
        let correlation = Reader::new(&self.read(4, deadline)?, false).i32()?;
        match correlation == self.correlation {
            true => Ok(left),
            false => Err(Error::corrupt(format!(
                "the broker answers request {correlation}, and {} was asked",
                self.correlation
            ))),
        }
    }

    /// Exactly `count` bytes, no more than an answer may have.
    fn read(&self, count: usize, deadline: Deadline) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let left = u32::try_from(count - bytes.len()).unwrap_or(u32::MAX);
            // Records that were given up before may have been cut off: what is behind them never comes.
            let chunk = self.input.read_chunk(left).map_err(Error::cut_off)?;
            if chunk.is_empty() {
                return Err(self.closed());
            }
            bytes.extend_from_slice(&chunk);
            if bytes.len() < count && deadline.passed() {
                return Err(self.late());
            }
        }
        Ok(bytes)
    }

    /// The broker has hung up.
    pub(crate) fn closed(&self) -> Error {
        let why = match self.correlation {
            1 | 2 => ": does it listen there for Kafka, and does it want TLS, or a login?",
            _ => "",
        };
        Error::lost(Cause::unavailable(format!("the broker closed the connection{why}")), true)
    }

    fn late(&self) -> Error {
        let message = format!("the broker took longer than {} s to answer", self.timeout.as_secs_f32());
        Error::lost(Cause::new(ErrorCode::Timeout, message), true)
    }
}

/// Reading or writing failed.
pub(crate) fn lost(cause: Cause) -> Error {
    Error::lost(cause, true)
}

/// An error for a code that is not 0.
pub(crate) fn refusal(code: i16, words: Option<&str>) -> Result<()> {
    match Fault::of(code) {
        None => Ok(()),
        Some(fault) => Err(Error::of(fault, words)),
    }
}
