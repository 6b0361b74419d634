mkdir files; echo text > files/a.txt
