mkdir files; echo text > files/a.txt
cp "$PLUGINS/files.wasm" .
