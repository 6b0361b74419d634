mkdir files secret; echo text > files/a.txt; echo mine > secret/b.txt
