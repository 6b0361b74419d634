#!/usr/bin/env bash
# Backs up a sample Confluence site while it is being changed, proves the set, destroys the site, restores it elsewhere, and compares.
#
# usage: demo.sh [--install] [--format zip|restic] [--database postgresql|mariadb|h2] [DIR]
#
# The site's database is on PostgreSQL unless another is asked for; an embedded H2 is backed up while the site is stopped.
# Everything happens in DIR (a new directory below $TMPDIR unless given); the demo needs no network, and no right but to
# install what is missing when --install is given. What it started is stopped when it ends, however it ends.
set -euo pipefail
set -m # each background command gets its own process group, so that it can be stopped with all its children

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
USAGE='usage: demo.sh [--install] [--format zip|restic] [--database postgresql|mariadb|h2] [DIR]'
SERVER=''

# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$ROOT/examples/common.sh"
# shellcheck source-path=SCRIPTDIR source=../needs.sh
source "$ROOT/examples/needs.sh"

end_started() {
  [[ -z $WRITER ]] || end_job "$WRITER" "$WRITER"
  [[ -z $PORT ]] || stop_server
}

stop_earlier() { # servers of an earlier run that was killed
  local database
  for database in postgresql mariadb; do
    # shellcheck disable=SC1090
    (source "$HERE/demo/$database.sh" && stop_server)
  done
}

build() {
  headline 'Building strongroom and two plugins'
  build_with confluence files
}

make_site() {
  headline "A sample Confluence site $PLACE"
  make_passwords '&' demo confluence backup restorer # the & shows that a rewritten cfg is escaped
  start_server
  make_databases
  as_role confluence confluence python3 "$HERE/demo/site.py" "$DIR/site/install" "$DIR/site/home" "$(jdbc confluence)" "$DIR/secrets/confluence"
}

paced() { # SCRIPT: makes it the dump tool
  mkdir -p "$DIR/bin" "$DIR/truth"
  printf '#!/bin/sh\nexec python3 %q "$@"\n' "$HERE/demo/$1" >"$DIR/bin/paced-dump"
  chmod 755 "$DIR/bin/paced-dump"
}

write_pipeline() {
  {
    echo '# What to back up, with which plugin, granted what, to where.'
    head_of_pipeline wiki state
    cat <<'TOML'

# The keys and passwords of this site are made up: they may stand in its snapshot in clear.
[pipeline.severity]
clear-secrets = "info"

[step.wiki]
plugin = "confluence"
TOML
    grant_of_directory wiki install "$DIR/site/install" read
    grant_of_directory wiki home "$DIR/site/home" read
    backup_grants
  } >"$DIR/pipeline.toml"
}

write_target() {
  mkdir -p "$DIR/restored/home" "$DIR/restored/install"
  {
    echo '# Where to restore: other directories, another database, another role.'
    head_of_pipeline wiki-restored state-restored
    printf '\n[step.wiki]\nplugin = "confluence"\n'
    grant_of_directory wiki install "$DIR/restored/install" write
    grant_of_directory wiki home "$DIR/restored/home" write
    restore_grants
  } >"$DIR/target.toml"
}

start_writer() {
  headline 'The site is in use from here on'
  choose_role confluence confluence
  env "${CONNECTION[@]}" python3 "$HERE/demo/writer.py" "$DIR/site/home" "$DIR/journal.jsonl" </dev/null &
  WRITER=$!
  local left=100
  until [[ -s $DIR/journal.jsonl ]]; do
    if ! kill -0 "$WRITER" 2>/dev/null || ((left-- == 0)); then die 'the writer did not start'; fi
    sleep 0.1
  done
  echo 'pages and attachments are added, re-versioned, trashed and purged, 15 changes a second'
}

stop_writer() {
  kill -0 "$WRITER" 2>/dev/null || die 'the writer failed while the backup ran'
  kill -TERM "$WRITER"
  wait "$WRITER" || die "the writer ended with $?"
  WRITER=''
  echo "the writer stopped after $(wc -l <"$DIR/journal.jsonl") changes"
}

back_up() {
  strongroom -c "$DIR/pipeline.toml" plugin accept --yes
  strongroom -c "$DIR/pipeline.toml" config validate
  make_repository
  plan
  date +'{"began": %s.%N}' >"$DIR/times.json"
  strongroom -c "$DIR/pipeline.toml" backup
  strongroom -c "$DIR/pipeline.toml" snapshots
  strongroom -c "$DIR/pipeline.toml" verify
}

damage() {
  headline 'The site is destroyed'
  mkdir "$DIR/kept"
  cp -a "$DIR/site/install" "$DIR/site/home" "$DIR/kept/"
  rm -r "$DIR/site/home/keys" "$DIR/site/home/attachments/v4"
  echo 'overwritten' >"$DIR/site/home/confluence.cfg.xml"
  drop_tables
  echo "attachments and keys deleted, confluence.cfg.xml overwritten, $LOST"
}

restore() {
  headline 'Restoring to other directories and another database'
  strongroom -c "$DIR/target.toml" restore latest
}

rewritten() { # what the rewritten files must say
  python3 - "$DIR/restored/home" "$(jdbc confluence_restored)" "$DIR/secrets/restorer" "$DATABASE" <<'PYTHON'
import json, sys
home, url, password, database = sys.argv[1:]
values = {"confluence.home": home, "daily.backup.dir": f"{home}/backups", "hibernate.connection.url": url}
if database != "h2":  # which has its own users
    values |= {"hibernate.connection.username": "restorer", "hibernate.connection.password": open(password).read().rstrip("\n")}
print(json.dumps(values))
PYTHON
}

compare() {
  headline "Comparing with $TRUTH"
  rewritten >"$DIR/secrets/new.json"
  as_role restorer confluence_restored python3 "$HERE/demo/compare.py" "$DIR"
}

parse() { # ARGUMENT…: sets INSTALL, DATABASE and WANTED
  while [[ $# -gt 0 ]]; do
    case $1 in
      --install) INSTALL=1 ;;
      --format) FORMAT=${2:-} && shift $(($# > 1)) ;;
      --database) DATABASE=${2:-} && shift $(($# > 1)) ;;
      --database=*) DATABASE=${1#*=} ;;
      -*) die "$USAGE" ;;
      *) [[ -z $WANTED ]] || die "$USAGE"; WANTED=$1 ;;
    esac
    shift
  done
  [[ $DATABASE =~ ^(postgresql|mariadb|h2)$ && $FORMAT =~ ^(zip|restic)$ ]] || die "$USAGE"
}

main() {
  parse "$@"
  export DEMO_DATABASE=$DATABASE
  # shellcheck source-path=SCRIPTDIR source=demo/postgresql.sh
  source "$HERE/demo/$DATABASE.sh"
  begin
  build
  make_site
  write_pipeline
  write_target
  begin_use
  back_up
  end_use
  damage
  restore
  unpack
  compare
  headline "Everything matched. Left to look at in $DIR: repository/, restored/, pipeline.toml, target.toml"
}

main "$@"
