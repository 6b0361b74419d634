# shellcheck shell=bash
# The pipeline files of the demo: what is backed up, and where it is restored to (sourced by demo.sh).

way() {
  case $WAY in
    reference) printf 'way = "snapshot"\nrepository = "own"\n' ;;
    *) printf 'way = "%s"\n' "$WAY" ;;
  esac
}

write_pipeline() {
  echo '# What to back up, with which plugin, granted what, to where.'
  head_of_pipeline audit state
  cat <<TOML

[step.audit]
plugin = "elasticsearch-audit"

[step.audit.config]
indices = ["nuxeo-audit", "nuxeo-uidgen"]
$(way)
TOML
  grant_of_engine "$(port engine)"
  [[ $WAY != snapshot ]] || grant_of_directory audit snapshots "$DIR/engine/repositories" write
}

write_target() { # PORT ENGINE-DIRECTORY PREFIX
  local renamed=''
  [[ -z $3 ]] || renamed="nuxeo-audit = \"$3nuxeo-audit\", nuxeo-uidgen = \"$3nuxeo-uidgen\""
  echo '# Where to restore: an engine, and how the names of the indices begin there.'
  head_of_pipeline audit-restored "state-restored$3"
  cat <<TOML

[step.audit]
plugin = "elasticsearch-audit"

[step.audit.config]
rename = { $renamed }
TOML
  grant_of_engine "$1"
  [[ $WAY != snapshot ]] || grant_of_directory audit snapshots "$2/repositories" write
}
