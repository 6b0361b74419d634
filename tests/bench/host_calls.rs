//! What a host call and a fresh instance cost through the sandbox, and in wasmtime without it.
//!
//! The same component runs twice: as a plugin, and in a program that links nothing but the one function that it calls,
//! with the same engine settings. Prints, one a line: what, our nanoseconds, the bare ones; medians of rounds in turn.

use std::{
    error::Error,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use strongroom::sandbox::{Plugin, Request, Sandbox, nobody};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Instance, InstancePre, Linker, Val},
};

#[path = "../support/component.rs"]
mod support;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CALLS: u32 = 2_000_000;
const INSTANCES: u32 = 2_000;
const ROUNDS: usize = 15;

/// Asks the host so often whether the run is to stop.
fn guest(calls: u32) -> Vec<u8> {
    let text = format!(
        "(import \"strongroom:plugin/context@0.1.0\" \"canceled\" (func $canceled (result i32)))
        (func $describing)
        (func $act (result i32)
          (local $left i32)
          (local.set $left (i32.const {calls}))
          (loop $again
            (drop (call $canceled))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
          (i32.const 0))"
    );
    support::component(Path::new(env!("CARGO_MANIFEST_DIR")), &text)
}

/// wasmtime alone.
struct Bare {
    engine: Engine,
    component: Component,
    pre: InstancePre<AtomicBool>,
}

impl Bare {
    fn new(wasm: &[u8]) -> Outcome<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).concurrency_support(false).epoch_interruption(true);
        config.max_wasm_stack(512 << 10).async_stack_size(2 << 20);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, wasm)?;
        let mut linker: Linker<AtomicBool> = Linker::new(&engine);
        linker
            .instance("strongroom:plugin/context@0.1.0")?
            .func_wrap("canceled", |store, (): ()| Ok((store.data().load(Ordering::Relaxed),)))?;
        let pre = linker.instantiate_pre(&component)?;
        Ok(Self { engine, component, pre })
    }

    /// A fresh instance, and one call of `inspect`.
    async fn call(&self) -> Outcome<()> {
        let mut store = Store::new(&self.engine, AtomicBool::new(false));
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let inspect = self.inspect(&instance, &mut store)?;
        inspect.call_async(&mut store, &[Val::Enum("backup".to_owned())], &mut [Val::Bool(false)]).await?;
        Ok(())
    }

    fn inspect(&self, instance: &Instance, store: &mut Store<AtomicBool>) -> Outcome<wasmtime::component::Func> {
        let product = self.component.get_export_index(None, "strongroom:plugin/product@0.1.0").ok_or("no product")?;
        let inspect = self.component.get_export_index(Some(&product), "inspect").ok_or("no inspect")?;
        Ok(instance.get_func(store, inspect).ok_or("inspect is no function")?)
    }
}

async fn ours(plugin: &Plugin) -> Outcome<()> {
    plugin.call(nobody::session(), Request::InspectBackup).await?;
    Ok(())
}

/// Nanoseconds of each of `count` things that `work` does.
async fn nanoseconds(count: u32, work: impl AsyncFnOnce() -> Outcome<()>) -> Outcome<u128> {
    let begin = Instant::now();
    work().await?;
    Ok(begin.elapsed().as_nanos() / u128::from(count))
}

fn median(mut figures: Vec<u128>) -> u128 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

async fn measure() -> Outcome<()> {
    let sandbox = Sandbox::new(None)?;
    let [calling, quiet] = [guest(CALLS), guest(1)];
    let (plugin, bare) = (sandbox.load(&calling)?, Bare::new(&calling)?);
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(nanoseconds(CALLS, async || ours(&plugin).await).await?);
        them.push(nanoseconds(CALLS, async || bare.call().await).await?);
    }
    println!("call {} {}", median(us), median(them));

    let (plugin, bare) = (sandbox.load(&quiet)?, Bare::new(&quiet)?);
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let all = async || -> Outcome<()> {
            for _ in 0..INSTANCES {
                ours(&plugin).await?;
            }
            Ok(())
        };
        us.push(nanoseconds(INSTANCES, all).await?);
        let all = async || -> Outcome<()> {
            for _ in 0..INSTANCES {
                bare.call().await?;
            }
            Ok(())
        };
        them.push(nanoseconds(INSTANCES, all).await?);
    }
    println!("instance {} {}", median(us), median(them));
    Ok(())
}

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure())
}
