mkdir files secret; echo text > files/a.txt
