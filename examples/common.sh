# shellcheck shell=bash
# What the demos have in common: how they speak, run commands, end what they began, and choose where they work (sourced by
# each demo.sh, which sets ROOT, and has functions `end_started`, `stop_earlier` and `choose_role` of its own).

export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 LC_ALL=C.UTF-8 # else unzip escapes names that the locale cannot show
export PYTHONPATH=$ROOT/examples:$ROOT/examples/search       # judge.py, and what the samples of search engines share
# What `finish` and the argument lists of the demos look at before there is anything.
FORMAT=zip INSTALL='' WANTED='' DIR='' PORT='' WRITER='' CHILD='' CONNECTION=()

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# A program that is named by $STRONGROOM is shown as it is; otherwise it is built first.
PROGRAM=${STRONGROOM:-$TARGET/release/strongroom}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

headline() { printf '\n== %s\n' "$*"; }

watched() { # runs a command so that a signal reaches this script at once, and the command's children by it
  local status=0
  "$@" </dev/null &
  CHILD=$!
  wait "$CHILD" || status=$?
  CHILD=''
  return "$status"
}

show() { # prints a command as the reader would type it, and runs it
  printf '\n$ %s\n' "${*//"$DIR"/\$DIR}"
  watched "$@"
}

strongroom() {
  printf '\n$ strongroom %s\n' "${*//"$DIR"/\$DIR}"
  watched "$PROGRAM" "$@"
}

end_job() { # WHOM PID: asks WHOM to end, waits ten seconds for the whole group of PID, insists
  local left=100
  kill -TERM -- "$1" 2>/dev/null || return 0
  while kill -0 -- "-$2" 2>/dev/null; do
    ((left-- > 0)) || { kill -KILL -- "-$2" 2>/dev/null || true; break; }
    sleep 0.1
  done
}

appears() { # FILE PID: waits until FILE holds something, as long as PID lives
  local left=300
  until [[ -s $1 ]]; do
    if ! kill -0 "$2" 2>/dev/null || ((left-- == 0)); then die "$1 did not appear"; fi
    sleep 0.1
  done
}

begin() { # sees to it that what is needed is there, that `finish` runs however the demo ends, and where it works
  if [[ -n $INSTALL ]]; then install_missing; fi
  find_missing || {
    printf '%s\n' "${MISSING[@]}" >&2
    die 'some things are missing; as root on Debian or Ubuntu, --install installs what packages provide'
  }
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  choose_directory "$WANTED"
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  [[ -z $CHILD ]] || end_job "-$CHILD" "$CHILD"
  end_started
  if [[ $status -ne 0 && -n $DIR ]]; then printf '\nThe demo failed (%s). What there is to look at: %s\n' "$status" "$DIR" >&2; fi
  exit "$status"
}

choose_directory() { # [DIR]
  DIR=${1:-$(mktemp -d "${TMPDIR:-/tmp}/strongroom-demo.XXXXXX")}
  mkdir -p "$DIR"
  DIR=$(cd "$DIR" && pwd -P)
  [[ $DIR =~ ^[A-Za-z0-9_./+@-]+$ ]] || die "choose a DIR of letters, digits and _./+@- (it is written into configuration files): $DIR"
  if [[ ! -f $DIR/.strongroom-demo && -n $(ls -A "$DIR") ]]; then
    local foreign=$DIR
    DIR=''
    die "$foreign is not empty and was not made by this demo"
  fi
  chmod 755 "$DIR"
  stop_earlier
  find "$DIR" -mindepth 1 -delete
  touch "$DIR/.strongroom-demo"
  echo "Working in $DIR"
}

as_server() { # the servers refuse root
  if [[ $EUID -eq 0 ]]; then
    (cd / && exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --inh-caps=-all env HOME=/ "$@")
  else
    "$@"
  fi
}

give_to_server() { # DIRECTORY
  [[ $EUID -eq 0 ]] || return 0
  chown -R nobody: "$1"
  as_server test -w "$1" || die "$DIR cannot be reached by the user nobody, as whom the database runs: choose another directory"
}

choose_port() { PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'); }

as_role() { # ROLE DATABASE COMMAND…: with what the demo's `choose_role` sets for it
  choose_role "$1" "$2"
  env "${CONNECTION[@]}" "${@:3}"
}

make_passwords() { # SEPARATOR ROLE…: a file for each, with a password that holds the separator
  local role
  mkdir -m 700 "$DIR/secrets"
  for role in "${@:2}"; do
    install -m 600 /dev/null "$DIR/secrets/$role"
    printf '%s%s%s\n' "${role:0:1}" "$1" "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" >"$DIR/secrets/$role"
  done
}

head_of_pipeline() { # NAME STATE: its name, where it notes what runs, and where its sets are
  cat <<TOML
[pipeline]
name = "$1"
state = "$DIR/$2"

[repository.local]
url = "$DIR/repository"
format = "$FORMAT"
TOML
  [[ $FORMAT != restic ]] || echo "password = { file = \"$DIR/repository.password\" }"
}

make_repository() { # a set of format zip needs none
  [[ $FORMAT == restic ]] || return 0
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' ' >"$DIR/repository.password")
  strongroom -c "$DIR/pipeline.toml" init
}

grant_of_directory() { # STEP NAME PATH ACCESS
  cat <<TOML

[step.$1.grant.dirs.$2]
path = "$3"
access = "$4"
TOML
}

unpack() {
  headline 'The set, without strongroom'
  mkdir "$DIR/proof"
  cd "$DIR/proof"
  "unpack_$FORMAT"
  show sha256sum --quiet --strict -c SHA256SUMS
  echo "all $(wc -l <SHA256SUMS) sums hold"
  cd "$ROOT"
}

unpack_zip() {
  local sets=("$DIR"/repository/*.zip)
  [[ ${#sets[@]} -eq 1 && -f ${sets[0]} ]] || die "one set was to be in $DIR/repository, not ${#sets[@]}"
  show unzip -q "${sets[0]}"
}

unpack_restic() {
  export RESTIC_PASSWORD_FILE=$DIR/repository.password RESTIC_REPOSITORY=$DIR/repository
  show restic --no-cache check --read-data
  show restic --no-cache restore latest --verify --target .
}

build_with() { # PLUGIN…: builds the program unless one was named, and those plugins
  [[ -n ${STRONGROOM:-} ]] || show cargo build --release --locked --manifest-path "$ROOT/Cargo.toml"
  strongroom plugin build "${@/#/$ROOT/plugins/}" --out "$DIR/plugins"
}
