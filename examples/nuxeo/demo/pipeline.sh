# shellcheck shell=bash
# The two pipeline files of the demo: what is backed up, and where it is restored to (sourced by demo.sh).

write_pipeline() {
  {
    echo '# What to back up, with which plugins, granted what, to where.'
    head_of_pipeline dam state
    cat <<'TOML'

# The keys and passwords of this instance are made up: they may stand in its snapshot in clear.
# The step audit saves the index that the step dam finds.
[pipeline.severity]
clear-secrets = "info"
audit-index = "info"

[step.dam]
plugin = "nuxeo"
TOML
    directories "$DIR/instance" read
    grants_to_dump dam /usr/bin/env python3 "$HERE/demo/dump.py" "$DIR/truth.json"
    streams 'prefix = "dam-"'
    # Which indices they are, Nuxeo's own configuration says.
    audit 'nuxeo-step = "dam"'
  } >"$DIR/pipeline.toml"
}

write_target() {
  local settings="target-prefix = \"$RESTORED_PREFIX\""
  [[ $MODE == backup ]] || settings+=$'\nreplicate = true'
  mkdir -p "$DIR/restored/home" "$DIR/restored/etc" "$DIR/restored/data"
  {
    echo '# Where to restore: other directories, another database, another role, another prefix of topics and groups.'
    head_of_pipeline dam-restored state-restored
    cat <<TOML

[step.dam]
plugin = "nuxeo"

[step.dam.config]
topic-prefix = "$RESTORED_PREFIX"
TOML
    directories "$DIR/restored" write
    grants_to_restore dam
    streams "$settings"
    audit ''
  } >"$DIR/target.toml"
}

directories() { # TOP ACCESS: the grants of the instance's directories
  grant_of_directory dam home "$1/home" "$2"
  grant_of_directory dam configuration "$1/etc" "$2"
  grant_of_directory dam data "$1/data" "$2"
}

streams() { # SETTINGS: the step of the streams
  cat <<TOML

[step.streams]
plugin = "nuxeo-streams"
after = ["dam"]

[step.streams.config]
$1

[step.streams.grant.tcp.kafka]
endpoints = ["127.0.0.1:$KAFKA_PORT"]
TOML
}

audit() { # SETTINGS: the step of the audit index
  cat <<TOML

[step.audit]
plugin = "elasticsearch-audit"
after = ["dam"]

[step.audit.config]
$1
TOML
  grant_of_engine "$(port engine)"
}
