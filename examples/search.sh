# shellcheck shell=bash
# A private search engine inside a demo's directory (sourced after common.sh). Its data, and what judges it, are in search/.

search() { "$ROOT/tests/services/search/search.sh" "$@"; }

port() { cat "$DIR/$1/port"; } # ENGINE-DIRECTORY

grant_of_engine() { # PORT
  cat <<TOML

[step.audit.grant.http.engine]
url = "http://127.0.0.1:$1"
methods = ["GET", "POST", "PUT", "DELETE"]
TOML
}
