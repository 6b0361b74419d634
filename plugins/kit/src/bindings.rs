//! The contract as Rust, generated from `wit/`. Plugins use the faces around it, not this.

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "strongroom_plugin::bindings",
    additional_derives: [PartialEq],
});
