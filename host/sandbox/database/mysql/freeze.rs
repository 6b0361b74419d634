//! No writes on the whole server for a moment, on a session of its own that ends by itself.
//!
//! `FLUSH TABLES WITH READ LOCK` (MySQL 8.0 Reference Manual, "FLUSH Statement"; MariaDB Knowledge Base, "FLUSH")
//! holds until `UNLOCK TABLES` or the end of its session. Three things end it in time: the host's clock, the end of the
//! host's process (its connection closes), and the server's `wait_timeout` where neither is heard of any more.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use super::{Session, failure, kill};
use crate::sandbox::{
    database::{Bounds, Database, SETTLE},
    fault::Code,
    native::Error,
};

/// The longest that a plugin may ask for, in seconds.
const SECONDS_MAX: u32 = 600;

/// Writes wait. Dropping it lets them go on.
pub struct Frozen {
    thaw: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<(), Error>>,
}

impl Frozen {
    /// Returns when no write is under way any more. From the question on, it is over after `seconds`.
    ///
    /// # Errors
    /// `invalid` for no time or too much of it, `denied` without the right, `timeout` when writes did not cease in time.
    pub async fn take(database: &Database, bounds: &Bounds, seconds: u32) -> Result<Self, Error> {
        let doing = format!("freezing {}", database.location());
        if !(1..=SECONDS_MAX).contains(&seconds) {
            let message = format!("{doing}: for 1 to {SECONDS_MAX} seconds, not {seconds}");
            return Err(Error::new(Code::Invalid, message));
        }
        let session = bounds.within(&doing, database.connect(Session::dial)).await?;
        let (locked, taken) = oneshot::channel();
        let (thaw, thawed) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let holder = Holder { database: database.clone(), bounds: bounds.clone(), doing, seconds };
        // Not within the caller's call: whatever becomes of that, the lock is released.
        tokio::spawn(async move {
            let _ = end.send(holder.hold(session, locked, thawed).await);
        });
        match taken.await {
            Ok(()) => Ok(Self { thaw, ended }),
            Err(_) => Err(over(ended).await.err().unwrap_or_else(gone)),
        }
    }

    /// Lets writes go on.
    ///
    /// # Errors
    /// `timeout` when the time was over before, `unavailable` when the session was lost: there was no freeze until now.
    pub async fn thaw(self) -> Result<(), Error> {
        let _ = self.thaw.send(());
        over(self.ended).await
    }
}

async fn over(ended: oneshot::Receiver<Result<(), Error>>) -> Result<(), Error> {
    ended.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> Error {
    Error::new(Code::Internal, "what held a freeze is gone")
}

struct Holder {
    database: Database,
    bounds: Bounds,
    doing: String,
    seconds: u32,
}

impl Holder {
    /// Locks, says so, waits, unlocks. How it ended: well only when it was thawed in time.
    async fn hold(
        &self,
        mut session: Session,
        mut locked: oneshot::Sender<()>,
        thawed: oneshot::Receiver<()>,
    ) -> Result<(), Error> {
        let until = Instant::now() + Duration::from_secs(self.seconds.into());
        let id = session.conn.id();
        let taken = tokio::select! {
            taken = self.lock(&mut session) => taken,
            () = time::sleep_until(until) => Err(self.never()),
            () = locked.closed() => Err(self.left()),
            error = self.bounds.reached(&self.doing) => Err(error),
        };
        if let Err(error) = taken {
            // A lock that is still waited for would make every writer wait with it.
            kill(&self.database, "CONNECTION", id).await;
            return Err(error);
        }
        let why = match locked.send(()) {
            Err(()) => Err(self.left()),
            Ok(()) => tokio::select! {
                biased;
                () = time::sleep_until(until) => Err(self.late()),
                error = self.bounds.reached(&self.doing) => Err(error),
                _ = thawed => Ok(()),
            },
        };
        let unlocked = self.unlock(&mut session).await;
        match &unlocked {
            Ok(()) => session.close().await,
            Err(_) => kill(&self.database, "CONNECTION", id).await,
        }
        why.and(unlocked)
    }

    async fn lock(&self, session: &mut Session) -> Result<(), Error> {
        // One second more than here: where nothing is wrong, it ends here.
        let wait = self.seconds + 1;
        let limits = format!("SET SESSION wait_timeout = {wait}, lock_wait_timeout = {}", self.seconds);
        let lock = async {
            session.conn.query_drop(limits).await?;
            session.conn.query_drop("FLUSH TABLES WITH READ LOCK").await
        };
        lock.await.map_err(|cause| match &cause {
            // ER_SPECIFIC_ACCESS_DENIED_ERROR
            mysql_async::Error::Server(refusal) if refusal.code == 1227 => {
                let grant = format!("GRANT RELOAD ON *.* TO the user {}", self.database.user());
                Error::new(Code::Denied, format!("{}: {}: {grant}", self.doing, refusal.message))
            }
            // ER_LOCK_WAIT_TIMEOUT
            mysql_async::Error::Server(refusal) if refusal.code == 1205 => self.never(),
            _ => failure::asking(&self.doing, &self.database.location(), &cause),
        })
    }

    async fn unlock(&self, session: &mut Session) -> Result<(), Error> {
        match time::timeout(SETTLE, session.conn.query_drop("UNLOCK TABLES")).await {
            Ok(done) => done.map_err(|cause| failure::asking(&self.doing, &self.database.location(), &cause)),
            Err(_) => {
                let seconds = SETTLE.as_secs();
                let message = format!("{}: no answer to the thaw within {seconds} s", self.doing);
                Err(Error::passing(Code::Unavailable, message))
            }
        }
    }

    fn never(&self) -> Error {
        let message = format!("{}: what writes or reads there did not end within {} s", self.doing, self.seconds);
        Error::passing(Code::Timeout, message)
    }

    fn late(&self) -> Error {
        let message = format!(
            "{}: not thawed within {} s, so it ended by itself: what was read meanwhile",
            self.doing, self.seconds
        );
        Error::new(Code::Timeout, format!("{message} is not of one instant"))
    }

    fn left(&self) -> Error {
        Error::new(Code::Canceled, format!("{}: nobody waits for it any more", self.doing))
    }
}
