//! Tries the client on a real cluster, by hand: `cargo run -p strongroom-kafka --example live -- HOST:PORT… [--save DIR]`
//!
//! Name every listener that the cluster advertises. `KAFKA_LOGIN="MECHANISM USER PASSWORD"` in the environment logs in.
//! It reads every topic there is and proves it, then makes a topic `live-…`, writes to it with every codec, reads it back, and
//! commits for a group. What it made stays, so that another client can look at it. With `--save` the first batch of
//! each topic and codec is kept as a file.

use std::{collections::BTreeSet, fs, path::PathBuf};

use strongroom_kafka::{At, Builder, Cluster, Codec, Login, Options, Record, Records, Result, Topic};
use strongroom_plugin::{Error as Cause, testing::Host};

const BATCH_BYTES_MAX: u64 = 16 << 20;

fn main() {
    let mut endpoints: Vec<String> = std::env::args().skip(1).collect();
    let save = endpoints.iter().position(|word| word == "--save").map(|at| {
        let words: Vec<String> = endpoints.drain(at..).collect();
        PathBuf::from(words.get(1).expect("a directory behind --save"))
    });
    let host = endpoints.iter().fold(Host::new(), |host, endpoint| host.live_service("kafka", endpoint));
    if let Err(error) = run(save) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    drop(host);
}

fn login() -> Login {
    let Ok(words) = std::env::var("KAFKA_LOGIN") else { return Login::None };
    let mut words = words.split(' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    let (mechanism, user, password) = (next(), next(), next());
    match mechanism.as_str() {
        "PLAIN" => Login::Plain { user, password },
        "SCRAM-SHA-256" => Login::ScramSha256 { user, password },
        "SCRAM-SHA-512" => Login::ScramSha512 { user, password },
        other => panic!("{other:?} is no mechanism"),
    }
}

fn run(save: Option<PathBuf>) -> Result<()> {
    let mut cluster = Cluster::connect("kafka", login(), Options::default())?;
    println!("cluster {:?}, brokers {:?}", cluster.id(), cluster.brokers());
    for topic in cluster.topics()? {
        read_topic(&mut cluster, &topic, save.as_deref())?;
    }
    for group in cluster.groups()? {
        let members = cluster.group_members(&group.id)?;
        println!("{group:?}: {members} members, committed {:?}", cluster.committed(&group.id)?);
    }
    write(&mut cluster)?;
    cluster.versions().iter().for_each(|versions| println!("{versions}"));
    Ok(())
}

fn read_topic(cluster: &mut Cluster, topic: &Topic, save: Option<&std::path::Path>) -> Result<()> {
    let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
    let starts = cluster.offsets(&topic.name, &partitions, At::Start)?;
    let ends = cluster.offsets(&topic.name, &partitions, At::End)?;
    let stable = cluster.offsets(&topic.name, &partitions, At::StableEnd)?;
    let own: Vec<_> = cluster.configs(&topic.name)?.into_iter().filter(|setting| setting.overridden).collect();
    let own: Vec<_> = own.iter().map(|setting| format!("{}={:?}", setting.name, setting.value)).collect();
    println!("{} internal {}: {own:?}", topic.name, topic.internal);
    for partition in partitions {
        let (start, end) = (starts[&partition].unwrap_or(0), stable[&partition].unwrap_or(0));
        let told = read_partition(cluster, &topic.name, partition, start, end, save)?;
        println!("  {partition}: {start} to {end} of {:?}: {told}", ends[&partition]);
    }
    Ok(())
}

fn read_partition(
    cluster: &mut Cluster,
    topic: &str,
    partition: i32,
    start: i64,
    end: i64,
    save: Option<&std::path::Path>,
) -> Result<String> {
    let (mut at, mut codecs, mut count, mut control, mut transactional) = (start, BTreeSet::new(), 0, 0, 0);
    let mut aborted = BTreeSet::new();
    while at < end {
        let mut fetched = cluster.fetch(topic, partition, at, 1 << 16)?;
        aborted.extend(fetched.aborted.iter().map(|transaction| (transaction.producer_id, transaction.first_offset)));
        while let Some(piece) = fetched.next_piece()? {
            let batch = piece.bytes(BATCH_BYTES_MAX)?;
            let mut records = Records::of(&batch)?;
            let header = records.header().clone();
            assert!(header.is_proved_by(batch.first_chunk().expect("a header"), crc32c::crc32c(&batch[61..])));
            control += u32::from(header.is_control());
            transactional += u32::from(header.is_transactional());
            if codecs.insert(header.codec().name())
                && let Some(save) = save
            {
                fs::write(save.join(format!("{topic}-{partition}-{}.batch", header.codec().name())), &batch)
                    .expect("a file");
            }
            while let Some(record) = records.next_record()? {
                count += usize::from(!header.is_control() && record.offset >= at);
            }
        }
        if fetched.position() == at {
            return Err(Cause::corrupt(format!("no progress at offset {at}")).into());
        }
        at = fetched.position();
    }
    Ok(format!("{count} records, {codecs:?}, {control} control, {transactional} transactional, aborted {aborted:?}"))
}

fn write(cluster: &mut Cluster) -> Result<()> {
    let name = format!("live-{}", std::process::id());
    cluster.create_topic(&name, 5, -1, &[("retention.ms".to_owned(), "-1".to_owned())])?;
    println!("made {name}; again: {}", cluster.create_topic(&name, 5, 1, &[]).unwrap_err());
    cluster.set_configs(
        &name,
        &[("segment.ms".to_owned(), None), ("max.message.bytes".to_owned(), Some("2000000".to_owned()))],
    )?;
    let mut producer = cluster.producer()?;
    for (partition, codec) in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd].into_iter().enumerate()
    {
        for round in 0..3 {
            let values: Vec<String> = (0..1000).map(|n| format!("{round} {n} {}", "x".repeat(n % 97))).collect();
            let mut builder = Builder::new(codec);
            for (n, value) in values.iter().enumerate() {
                builder.push(&record(n, value))?;
            }
            let offset = producer.send(cluster, &name, partition as i32, builder)?;
            assert_eq!(offset, round * 1000);
        }
        println!("  {}", read_partition(cluster, &name, partition as i32, 0, 3000, None)?);
    }
    let half = cluster.offsets(&name, &[0], At::Time(1_600_000_000_500))?;
    println!("by time {half:?}, later {:?}", cluster.offsets(&name, &[0], At::Time(1_700_000_000_000))?);
    let group = format!("{name}-group");
    cluster.commit(&group, &[(name.clone(), 0, 7), (name.clone(), 4, 2999)])?;
    println!("{group}: {:?}, {} members", cluster.committed(&group)?, cluster.group_members(&group)?);
    println!(
        "beyond the end: {}",
        cluster.fetch(&name, 0, 5000, 1000).err().map(|error| error.to_string()).unwrap_or_default()
    );
    cluster.create_topic(&format!("{name}-gone"), 1, 1, &[])?;
    cluster.delete_topic(&format!("{name}-gone"))?;
    println!("deleted; again: {}", cluster.delete_topic(&format!("{name}-gone")).unwrap_err());
    Ok(())
}

fn record(n: usize, value: &str) -> Record<'_> {
    Record {
        timestamp: 1_600_000_000_000 + n as i64,
        key: (!n.is_multiple_of(3)).then_some(b"key"),
        value: (!n.is_multiple_of(10)).then_some(value.as_bytes()),
        headers: vec![(b"a", Some(b"1")), (b"a", None)],
        ..Record::default()
    }
}
