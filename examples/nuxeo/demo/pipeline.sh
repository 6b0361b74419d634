# shellcheck shell=bash
# The two pipeline files of the demo: what is backed up, and where it is restored to (sourced by demo.sh).

write_pipeline() {
  cat >"$DIR/pipeline.toml" <<TOML
# What to back up, with which plugins, granted what, to where.
[pipeline]
name = "dam"
state = "$DIR/state"

# The keys and passwords of this instance are made up: they may stand in its snapshot in clear.
[pipeline.severity]
clear-secrets = "info"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.dam]
plugin = "nuxeo"

[step.dam.grant.dirs.home]
path = "$DIR/instance/home"
access = "read"

[step.dam.grant.dirs.configuration]
path = "$DIR/instance/etc"
access = "read"

[step.dam.grant.dirs.data]
path = "$DIR/instance/data"
access = "read"
TOML
  grants_to_dump dam /usr/bin/env python3 "$HERE/demo/dump.py" "$DIR/truth.json" >>"$DIR/pipeline.toml"
  cat >>"$DIR/pipeline.toml" <<TOML

[step.streams]
plugin = "nuxeo-streams"
after = ["dam"]

[step.streams.config]
prefix = "dam-"

[step.streams.grant.tcp.kafka]
endpoints = ["127.0.0.1:$KAFKA_PORT"]
TOML
}

write_target() {
  local replicate=''
  [[ $MODE == backup ]] || replicate='replicate = true'
  mkdir -p "$DIR/restored/home" "$DIR/restored/etc" "$DIR/restored/data"
  cat >"$DIR/target.toml" <<TOML
# Where to restore: other directories, another database, another role, another prefix of topics and groups.
[pipeline]
name = "dam-restored"
state = "$DIR/state-restored"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.dam]
plugin = "nuxeo"

[step.dam.config]
topic-prefix = "$RESTORED_PREFIX"

[step.dam.grant.dirs.home]
path = "$DIR/restored/home"
access = "write"

[step.dam.grant.dirs.configuration]
path = "$DIR/restored/etc"
access = "write"

[step.dam.grant.dirs.data]
path = "$DIR/restored/data"
access = "write"
TOML
  grants_to_restore dam >>"$DIR/target.toml"
  cat >>"$DIR/target.toml" <<TOML

[step.streams]
plugin = "nuxeo-streams"
after = ["dam"]

[step.streams.config]
target-prefix = "$RESTORED_PREFIX"
$replicate

[step.streams.grant.tcp.kafka]
endpoints = ["127.0.0.1:$KAFKA_PORT"]
TOML
}
