fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let out = std::path::PathBuf::from(args.next().unwrap_or_default());
    let dirs: Vec<_> = args.map(Into::into).collect();
    for built in strongroom::commands::plugin::build::build(&dirs, &out, &mut |line| eprintln!("{line}"))? {
        println!("{built:?}");
    }
    Ok(())
}
