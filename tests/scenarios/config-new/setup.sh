rm strongroom.toml; mkdir files; echo text > files/a.txt
