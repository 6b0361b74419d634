mkdir files elsewhere; echo text > files/a.txt
mv target.toml elsewhere/
sha256sum "$PLUGINS/files.wasm" | cut -c1-64 > digest
