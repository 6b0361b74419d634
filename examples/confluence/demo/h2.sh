# shellcheck shell=bash
# The site's database embedded in Confluence: files in the home, which can only be saved while the site is stopped
# (sourced by demo.sh, as postgresql.sh and mariadb.sh are).

# What demo.sh says of it.
# shellcheck disable=SC2034
PLACE='on an embedded H2' LOST='the database deleted' TRUTH='the copy from before the damage'

start_server() { : >"$DIR/secrets/confluence"; } # H2's user sa has no password

stop_server() { :; }

make_databases() { :; }

choose_role() { CONNECTION=(); } # nobody connects: the files are copied

drop_tables() { rm -r "$DIR/site/home/database"; }

jdbc() { printf 'jdbc:h2:file:%s/%s/database/h2db' "$DIR" "$(home_of "$1")"; }

home_of() { # DATABASE
  case $1 in
    confluence) echo site/home ;;
    *) echo restored/home ;;
  esac
}

backup_grants() { :; } # the home is all that is needed

restore_grants() { :; }

begin_use() {
  headline 'The site is in use: a process has the database open'
  sleep 600 9<"$DIR/site/home/database/h2db.mv.db" &
  WRITER=$!
  disown # its end is no news
}

plan() {
  local status=0
  strongroom -c "$DIR/pipeline.toml" plan >"$DIR/plan-in-use.txt" || status=$?
  cat "$DIR/plan-in-use.txt"
  [[ $status -eq 1 ]] && grep -q 'embedded-in-use' "$DIR/plan-in-use.txt" || die "the plan was to name the blocker embedded-in-use, and ended with $status"
  headline 'The site is stopped'
  end_job "$WRITER" "$WRITER"
  WRITER=''
  strongroom -c "$DIR/pipeline.toml" plan
}

end_use() { : >"$DIR/journal.jsonl"; } # nothing has changed
