//! `http`: requests to a granted web service.

use std::{sync::Arc, time::Duration};

use wasmtime::component::Resource;

use crate::sandbox::{
    bindings::{Answer, Fail, fail, host::http},
    fault::Code,
    operation::Capability,
    state::State,
    stream::{
        Feed, InputStream, Open,
        source::{Body, Source},
    },
    web::{self, Question, Refused},
};

/// What a guest's `service` stands for.
pub struct Service {
    service: Arc<web::Service>,
    grant: String,
}

/// What a guest's `exchange` stands for.
pub struct Exchange {
    exchange: web::Exchange,
    service: Arc<web::Service>,
    /// What the request's body is fed by.
    feeds: Vec<Feed>,
    /// Its connection counts as a stream: whoever holds many holds many sockets.
    open: Open,
}

/// What a guest's `response` stands for.
pub struct Response {
    answer: web::Answer,
    open: Open,
}

impl State {
    fn refused(&self, grant: &str, refused: Refused) -> Fail {
        let step = &self.session.step;
        match refused {
            Refused::Invalid(why) => fail(Code::Invalid, why),
            Refused::Reserved(why) => fail(Code::Denied, why),
            Refused::Limit(why) => fail(Code::Limit, why),
            Refused::NotGranted { what, key, values } => fail(
                Code::Denied,
                format!(
                    "{what} is not granted by http.{grant}: grant it with\n[step.{step}.grant.http.{grant}]\n{key} = {values:?}"
                ),
            ),
        }
    }

    /// The answer's head, while the request's body moves, and then within the request's own time.
    async fn answered(&mut self, exchange: web::Exchange, feeds: &[Feed]) -> Answer<web::Answer> {
        let web::Exchange { label, sent, mut answer } = exchange;
        let doing = format!("waiting for the answer to {label}");
        let sending = async {
            tokio::select! {
                biased;
                done = &mut answer => Some(done),
                () = sent.cancelled() => None,
            }
        };
        let done = match self.moving(&doing, feeds, sending).await? {
            Some(done) => done,
            None => {
                let watch = self.watch.clone();
                watch.waited(None, answer).await.map_err(|stalled| self.stalled(stalled, &doing))?
            }
        };
        Ok(done.map_err(|broken| fail(Code::Internal, format!("{doing}: {broken}")))??)
    }
}

impl http::Host for State {
    async fn get(&mut self, grant: String) -> Answer<Resource<Service>> {
        self.enter(Capability::Http)?;
        let Some(http) = self.session.grants.http.get(&grant) else {
            return Err(self.not_granted(Capability::Http, &grant, "url = \"https://HOST:PORT/PATH\""));
        };
        self.announced(Capability::Http, &grant)?;
        let service = Arc::new(web::Service::open(&grant, http));
        Ok(self.table.push(Service { service, grant })?)
    }
}

impl http::HostService for State {
    async fn start(
        &mut self,
        this: Resource<Service>,
        request: http::Request,
        body: Option<Resource<InputStream>>,
    ) -> Answer<Resource<Exchange>> {
        self.enter(Capability::Http)?;
        let body = body.map(|body| self.detach(body)).transpose()?;
        let Service { service, grant } = self.table.get(&this)?;
        let service = service.clone();
        let timeout = request.timeout_ms.map(|own| Duration::from_millis(own.into()));
        let question =
            Question::new(service.grant(), &request.method, &request.path_and_query, &request.headers, timeout)
                .map_err(|refused| self.refused(grant, refused))?;
        let open = self.stream_place()?;
        let feeds = body.as_ref().map(|body| body.feeds()).unwrap_or_default();
        let exchange = service.start(question, body);
        Ok(self.table.push(Exchange { exchange, service, feeds, open })?)
    }

    async fn drop(&mut self, this: Resource<Service>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl http::HostExchange for State {
    async fn wait(&mut self, this: Resource<Exchange>) -> Answer<Resource<Response>> {
        self.enter(Capability::Http)?;
        let Exchange { exchange, service, feeds, open } = self.table.delete(this)?;
        let answered = self.answered(exchange, &feeds).await;
        // Whatever the server makes of it, the credential does not come back by it.
        service.secrets().iter().for_each(|secret| self.mask.add(secret));
        let mut answer = answered?;
        for text in answer.headers.iter_mut().flat_map(|(name, value)| [name, value]) {
            *text = self.mask.apply(std::mem::take(text));
        }
        Ok(self.table.push(Response { answer, open })?)
    }

    async fn drop(&mut self, this: Resource<Exchange>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl http::HostResponse for State {
    async fn status(&mut self, this: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&this)?.answer.status)
    }

    async fn headers(&mut self, this: Resource<Response>) -> wasmtime::Result<http::Headers> {
        Ok(self.table.get(&this)?.answer.headers.clone())
    }

    async fn body(&mut self, this: Resource<Response>) -> wasmtime::Result<Resource<InputStream>> {
        let Response { answer, open } = self.table.delete(this)?;
        let source = Source::new(Body::Async(Box::new(answer.body))).counted(self.watch.moved.clone());
        Ok(self.table.push(InputStream::new(source, Vec::new(), open))?)
    }

    async fn drop(&mut self, this: Resource<Response>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
