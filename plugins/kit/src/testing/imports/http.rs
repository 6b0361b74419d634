//! A service that answers by method and path.

use crate::{
    bindings::strongroom::plugin::types::{Error, ErrorCode},
    testing::{Answered, WebCall, denied, fail, state},
};

pub(crate) use crate::bindings::strongroom::plugin::http::Request;

use super::streams::InputStream;

pub(crate) struct Service(String);

/// What was asked, until somebody waits for the answer.
pub(crate) struct Exchange {
    service: String,
    request: Request,
    body: Option<InputStream>,
}

pub(crate) struct Response(Answered);

pub(crate) fn get(grant: &str) -> Result<Service, Error> {
    match state(|state| state.web.contains_key(grant)) {
        true => Ok(Service(grant.into())),
        false => Err(denied("http", grant)),
    }
}

impl Service {
    pub(crate) fn start(&self, request: &Request, body: Option<InputStream>) -> Result<Exchange, Error> {
        if !request.path_and_query.starts_with('/') {
            return Err(fail(ErrorCode::Invalid, format!("{:?} does not begin with a slash", request.path_and_query)));
        }
        Ok(Exchange { service: self.0.clone(), request: request.clone(), body })
    }
}

impl Exchange {
    pub(crate) fn wait(this: Self) -> Result<Response, Error> {
        let body = this.body.map_or(Ok(Vec::new()), |body| body.all())?;
        let call = WebCall {
            service: this.service,
            method: this.request.method,
            path: this.request.path_and_query,
            headers: this.request.headers,
            body,
        };
        let answers = state(|state| state.web.get(&call.service).cloned()).unwrap_or_default();
        let answer = answers.iter().find_map(|answer| answer(&call));
        let missing = format!("the script has no answer to {} {}", call.method, call.path);
        state(|state| state.requests.push(call));
        answer.map(Response).ok_or_else(|| fail(ErrorCode::Invalid, missing))
    }
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.0.status
    }

    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.0.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
    }

    pub(crate) fn body(this: Self) -> InputStream {
        InputStream::of(this.0.body)
    }
}
