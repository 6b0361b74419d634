mkdir files restored; echo one > files/a.txt; echo mine > restored/mine.txt
