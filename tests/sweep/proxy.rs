//! Stands between the program and a database, and cuts the connection after so many bytes of answers.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// Runs as long as the process.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes of answers so far.
    passed: AtomicU64,
    /// How many may pass.
    limit: AtomicU64,
    cut: AtomicBool,
}

impl Proxy {
    /// Starts one before a server on this machine.
    pub fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { limit: AtomicU64::new(u64::MAX), ..State::default() });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || serve(client, server, &state));
            }
        });
        Ok(Self { port, state })
    }

    /// Counts from nothing again, and cuts after so many bytes of answers, over all connections.
    pub fn cut_after(&self, bytes: u64) {
        self.state.limit.store(bytes, Ordering::SeqCst);
        self.state.passed.store(0, Ordering::SeqCst);
        self.state.cut.store(false, Ordering::SeqCst);
    }

    /// Bytes of answers since then.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// Whether it has cut anything since then.
    pub fn has_cut(&self) -> bool {
        self.state.cut.load(Ordering::SeqCst)
    }
}

/// One connection. Its errors are its end, and both sides see it.
fn serve(client: TcpStream, server: u16, state: &State) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
    let Ok((from_client, to_server)) = both else { return };
    let questions = thread::spawn(move || {
        let _ = io::copy(&mut &from_client, &mut &to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    answers(&server, &client, state);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    let _ = questions.join();
}

fn answers(mut server: &TcpStream, mut client: &TcpStream, state: &State) {
    let mut block = [0; 4096];
    while let Ok(count @ 1..) = server.read(&mut block) {
        let before = state.passed.fetch_add(count as u64, Ordering::SeqCst);
        let room = state.limit.load(Ordering::SeqCst).saturating_sub(before);
        let let_through = count.min(usize::try_from(room).unwrap_or(usize::MAX));
        if client.write_all(&block[..let_through]).is_err() {
            return;
        }
        if let_through < count {
            return state.cut.store(true, Ordering::SeqCst);
        }
    }
}
