//! Work that goes on where an attempt before was killed, and tells a tool how far it has come.

use strongroom_plugin::*;

fn tell(tool: &str, line: &str) -> Result<()> {
    Tool::new(tool).parameter("line", line).spawn()?.wait()?.check(tool)
}

fn number(bytes: Option<Vec<u8>>) -> Result<u64> {
    let Some(bytes) = bytes else { return Ok(0) };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.parse().map_err(|_| Error::corrupt(format!("{text:?} is no number")))
}

pub(crate) fn steps(dir: &str, count: u64, tool: &str) -> Result<()> {
    let dir = dirs::get(dir)?;
    let found = number(context::last_checkpoint())?;
    tell(tool, &format!("found-{found}"))?;
    for step in 1..=found {
        if !dir.exists(&step.to_string())? {
            return Err(Error::corrupt(format!("file {step} is gone, and the checkpoint says {found}")));
        }
    }
    for step in found + 1..=count {
        dir.write_bytes(&step.to_string(), step.to_string().as_bytes(), None)?;
        context::checkpoint(step.to_string().as_bytes())?;
        tell(tool, &format!("returned-{step}"))?;
    }
    Ok(())
}

pub(crate) fn count_state(tool: &str) -> Result<()> {
    let (first, second) = (number(context::state("first")?)?, number(context::state("second")?)?);
    if first != second {
        return Err(Error::corrupt(format!("the values are of two runs: {first} and {second}")));
    }
    tell(tool, &format!("state-{first}"))?;
    let next = (first + 1).to_string();
    context::set_state("first", next.as_bytes())?;
    context::set_state("second", next.as_bytes())
}
