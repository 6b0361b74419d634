# shellcheck shell=bash
# A repository of format restic, against restic itself and whichever other deduplicating program is there
# (sourced by bench.sh). Beside the tree's files there is one long one, as a database's dump is.

export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench RUSTIC_PASSWORD=bench
export KOPIA_PASSWORD=bench KOPIA_CHECK_FOR_UPDATES=false
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes

# Programs that are compared with. RESTIC_NEW names a newer restic, built from its source.
others() {
  local tool
  echo restic
  [[ -z ${RESTIC_NEW:-} ]] || echo restic-new
  for tool in rustic borg kopia; do ! command -v "$tool" >/dev/null || echo "$tool"; done
}

place_of() { if [[ $1 == strongroom ]]; then echo "$OUT/repository"; else echo "$OUT/$1"; fi; }
restic_of() { if [[ $1 == restic-new ]]; then echo "$RESTIC_NEW"; else echo restic; fi; }

# What kopia knows of its repository, and what it keeps at hand, is as fresh as all else.
kopia() { echo "kopia --config-file $OUT/kopia.config --log-dir $OUT/kopia.log"; }

# What each tool is told, as the words of one command a line; its repository is $OUT/REPO.
words_of() { # TOOL init|backup|restore
  local repo=$OUT/$1
  case $1-$2 in
    strongroom-init) echo "$STRONGROOM -c $DIR/restic/strongroom.toml init" ;;
    strongroom-backup) echo "$STRONGROOM -c $DIR/restic/strongroom.toml -q backup" ;;
    strongroom-restore) echo "$STRONGROOM -c $DIR/restic-back/strongroom.toml -q restore --repo $OUT/repository --password-file $DIR/password" ;;
    restic*-init) echo "$(restic_of "$1") --no-cache -q -r $repo init" ;;
    restic*-backup) echo "$(restic_of "$1") --no-cache -q -r $repo backup $FAST/tree" ;;
    restic*-restore) echo "$(restic_of "$1") --no-cache -q -r $repo restore latest --target $OUT/back" ;;
    rustic-init) echo "rustic --no-progress --no-cache -r $repo init" ;;
    rustic-backup) echo "rustic --no-progress --no-cache -r $repo backup $FAST/tree" ;;
    rustic-restore) echo "rustic --no-progress --no-cache -r $repo restore latest $OUT/back" ;;
    kopia-init) echo "sh -c '$(kopia) repository create filesystem --path $repo --cache-directory $OUT/kopia.cache && $(kopia) policy set --global --compression zstd'" ;;
    kopia-backup) echo "$(kopia) snapshot create --no-progress $FAST/tree" ;;
    kopia-restore) echo "$(kopia) snapshot restore --no-progress --snapshot-time latest $FAST/tree $OUT/back" ;;
    borg-init) echo "borg init -e repokey $repo" ;;
    borg-backup) echo "borg create -C zstd,3 $repo::{utcnow:%s%f} $FAST/tree" ;;
    # Into the working directory, which is all that it knows.
    borg-restore) echo "env -C $OUT/back sh -c 'borg extract $repo::\$(borg list --last 1 --short $repo)'" ;;
  esac
}

tool() { # TOOL WHAT: prints its seconds, its seconds of CPU and its peak in KiB
  local words
  words=$(words_of "$1" "$2")
  if ! env time -q -o "$DIR/time" -f '%e %U %S %M' sh -c "exec $words" >"$DIR/said" 2>&1; then
    cat "$DIR/said" >&2
    die "failed: $words"
  fi
  awk '{ print $1, $2 + $3, $4 }' "$DIR/time"
}

restic_repository() {
  needs restic
  tree
  [[ -e $FAST/tree/dump.sql ]] || data dump "$FAST/tree/dump.sql" $((BYTES / 4))
  local all=(strongroom) other round
  mapfile -t -O 1 all < <(others)
  headline "first backup, unchanged second, restore, of $FILES files and a dump of $((BYTES / 4 / MIB)) MiB: ${all[*]} ($FEW rounds in turn)"
  echo bench >"$DIR/password"
  restic_pipeline restic "$FAST/tree" read
  restic_pipeline restic-back "$OUT/back" write
  for ((round = 0; round < FEW; round++)); do
    for other in "${all[@]}"; do restic_round "$other"; done
  done
  for other in "${all[@]:1}"; do restic_rows "$other"; done
  row 'restic: peak of strongroom' "$(awk '$3 > most { most = $3 } END { printf "%.0f", most / 1024 }' "$DIR"/restic.strongroom.*)" \
    MiB '<=' 250 'first, second backup and restore'
  restic_judged
}

restic_pipeline() { # NAME SOURCE ACCESS
  mkdir -p "$DIR/$1"
  cat >"$DIR/$1/strongroom.toml" <<EOF
[pipeline]
name = "bench"
state = "$OUT/state-$1"
[repository.local]
url = "$OUT/repository"
format = "restic"
password = { file = "$DIR/password" }
[step.files]
plugin = "$FILES_WASM"
grant.dirs.source = { path = "$2", access = "$3" }
EOF
  mkdir -p "$2"
  strongroom "$1" plugin accept --yes >/dev/null
}

restic_round() { # TOOL: all it does once, from nothing
  fresh
  mkdir -p "$OUT/back"
  tool "$1" init >/dev/null
  tool "$1" backup >>"$DIR/restic.$1.first"
  du -sb "$(place_of "$1")" | cut -f1 >>"$DIR/restic-size.$1"
  tool "$1" backup >>"$DIR/restic.$1.second"
  tool "$1" restore >>"$DIR/restic.$1.restore"
  printf '%s: first %s, second %s, restore %s (seconds, CPU, KiB)\n' "$1" \
    "$(tail -1 "$DIR/restic.$1.first")" "$(tail -1 "$DIR/restic.$1.second")" "$(tail -1 "$DIR/restic.$1.restore")"
}

column() { awk -v at="$1" '{ print $at }' "$2" | median; }

restic_rows() { # TOOL
  local what target ours theirs
  for what in first second restore; do
    target=1
    [[ $what != first || $1 != restic* ]] || target=1.5
    ours=$(column 1 "$DIR/restic.strongroom.$what") theirs=$(column 1 "$DIR/restic.$1.$what")
    row "restic: $what, rate against $1" "$(quotient "$theirs" "$ours")" '' '>=' "$target" "$ours s, $1 $theirs s"
    ours=$(column 2 "$DIR/restic.strongroom.$what") theirs=$(column 2 "$DIR/restic.$1.$what")
    row "restic: $what, CPU against $1" "$(quotient "$ours" "$theirs")" '' '<=' 1 "$ours s of CPU, $1 $theirs s"
  done
  ours=$(median <"$DIR/restic-size.strongroom") theirs=$(median <"$DIR/restic-size.$1")
  row "restic: size against $1" "$(quotient "$ours" "$theirs")" '' '<=' 1.03 "$ours bytes, $1 $theirs"
}

# What was measured was a backup: restic reads all of it back, and what was restored is what was there.
restic_judged() {
  fresh
  mkdir -p "$OUT/back"
  tool strongroom init >/dev/null
  tool strongroom backup >/dev/null
  tool strongroom restore >/dev/null
  restic --no-cache -q -r "$OUT/repository" check --read-data
  diff -r "$FAST/tree" "$OUT/back"
}
