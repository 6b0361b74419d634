//! What a plugin says of itself: [`Description`] and the [`Need`]s in it.

use serde_json::{Value, json};

pub use crate::bindings::exports::strongroom::plugin::about::{Description, Need};

impl Description {
    /// A plugin that needs nothing and takes no configuration.
    ///
    /// ```
    /// use strongroom_plugin::{Description, Need};
    ///
    /// let described = Description::new("files", "granted directories, as they are")
    ///     .version("1.0.0")
    ///     .needs(Need::dirs("source").many().because("what to back up"));
    /// assert_eq!(described.needs[0].capability, "dirs:read");
    /// ```
    pub fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: "0.0.0".into(),
            summary: summary.into(),
            products: Vec::new(),
            config_schema: json!({ "type": "object", "additionalProperties": false }).to_string(),
            needs: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// Usually `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// A product that it knows, with the versions that it was made for.
    #[must_use]
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.products.push(product.into());
        self
    }

    /// JSON Schema of the step's configuration: the host checks it before any call.
    #[must_use]
    pub fn config(mut self, schema: &Value) -> Self {
        self.config_schema = schema.to_string();
        self
    }

    /// One more grant that it can use.
    #[must_use]
    pub fn needs(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// The codes of all findings that it may report: the host warns about a pipeline that gives a severity to another
    /// one.
    #[must_use]
    pub fn finds(self, codes: &[&str]) -> Self {
        self.attribute("findings", codes.join(" "))
    }

    /// An annotation.
    #[must_use]
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }
}

impl Need {
    fn of(capability: &str, name: impl Into<String>) -> Self {
        Self {
            capability: capability.into(),
            name: name.into(),
            many: false,
            reason: String::new(),
            required: true,
            suggestion: String::new(),
        }
    }

    /// A directory to read.
    pub fn dirs(name: impl Into<String>) -> Self {
        Self::of("dirs:read", name)
    }

    /// A directory to write (a restore's target).
    pub fn dirs_write(name: impl Into<String>) -> Self {
        Self::of("dirs:write", name)
    }

    /// A native program.
    pub fn tools(name: impl Into<String>) -> Self {
        Self::of("tools", name)
    }

    /// A database to ask.
    pub fn sql(name: impl Into<String>) -> Self {
        Self::of("sql", name)
    }

    /// A web service to ask.
    pub fn http(name: impl Into<String>) -> Self {
        Self::of("http", name)
    }

    /// A service to connect to.
    pub fn tcp(name: impl Into<String>) -> Self {
        Self::of("tcp", name)
    }

    /// A secret to know.
    pub fn secrets(name: impl Into<String>) -> Self {
        Self::of("secrets", name)
    }

    /// Any number of grants: `name` itself, and those whose names begin with `name` and `-`.
    #[must_use]
    pub fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Nothing is blocked without it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Why, in the operator's words.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The grant as it is usually written: the TOML lines below `[step.X.grant.CAPABILITY.NAME]`.
    #[must_use]
    pub fn suggest(mut self, toml: impl Into<String>) -> Self {
        self.suggestion = toml.into();
        self
    }
}
