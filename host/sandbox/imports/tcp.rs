//! `tcp`: connections to granted endpoints.

use std::time::Duration;

use wasmtime::component::Resource;

use crate::{
    config::{Endpoint, TcpGrant},
    sandbox::{
        bindings::{Answer, Fail, fail, host::tcp},
        endpoint::{self, Target},
        fault::Code,
        operation::Capability,
        state::State,
        stream::{
            InputStream, OutputStream, output,
            socket::{self, Terms},
            source::{Body, Source},
        },
    },
};

/// What a guest's `service` stands for.
pub struct Service {
    name: String,
    grant: TcpGrant,
}

impl State {
    /// The answer for an endpoint that the grant does not name.
    fn not_an_endpoint(&self, service: &Service, endpoint: &Endpoint) -> Fail {
        let endpoints: Vec<_> = service.grant.endpoints.iter().chain([endpoint]).map(ToString::to_string).collect();
        let (plugin, step, name) = (&self.session.plugin, &self.session.step, &service.name);
        fail(
            Code::Denied,
            format!(
                "plugin {plugin:?} wants to connect to {endpoint}, which tcp {name:?} does not grant: allow it with\n[step.{step}.grant.tcp.{name}]\nendpoints = {endpoints:?}"
            ),
        )
    }
}

impl tcp::Host for State {
    async fn get(&mut self, grant: String) -> Answer<Resource<Service>> {
        self.enter(Capability::Tcp)?;
        let Some(tcp) = self.session.grants.tcp.get(&grant).cloned() else {
            return Err(self.not_granted(Capability::Tcp, &grant, "endpoints = [\"HOST:PORT\"]"));
        };
        self.announced(Capability::Tcp, &grant)?;
        Ok(self.table.push(Service { name: grant, grant: tcp })?)
    }
}

impl tcp::HostService for State {
    async fn endpoints(&mut self, this: Resource<Service>) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.get(&this)?.grant.endpoints.iter().map(ToString::to_string).collect())
    }

    async fn connect(
        &mut self,
        this: Resource<Service>,
        endpoint: String,
        idle_ms: Option<u32>,
    ) -> Answer<(Resource<InputStream>, Resource<OutputStream>)> {
        self.enter(Capability::Tcp)?;
        let service = self.table.get(&this)?;
        let endpoint = Endpoint::parse(&endpoint).map_err(|why| {
            let shown = super::log::cut(endpoint.clone(), 80);
            fail(Code::Invalid, format!("connecting to {shown:?}: it is no endpoint: {why}"))
        })?;
        if !service.grant.endpoints.contains(&endpoint) {
            return Err(self.not_an_endpoint(service, &endpoint));
        }
        let Service { name, grant } = service;
        let idle = idle_ms.map_or(grant.idle, |idle| grant.idle.min(Duration::from_millis(idle.into())));
        let target = Target { name, grant, endpoint: &endpoint };
        let watch = self.watch.clone();
        let connected = watch.waited(Some(self.deadline()), target.connect(endpoint::look_up)).await;
        let wire = connected.map_err(|stalled| self.stalled(stalled, &format!("connecting to {endpoint}")))??;
        let terms = Terms { peer: format!("{endpoint} (tcp {name:?})"), idle, moved: watch.moved.clone() };
        let (reader, writer) = socket::halves(wire, terms);
        let input = self.push_input(Source::new(Body::Async(Box::new(reader))), Vec::new())?;
        Ok((input, self.push_output(output::Target::Socket(writer))?))
    }

    async fn drop(&mut self, this: Resource<Service>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
