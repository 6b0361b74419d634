mkdir files
head -c 5000 /dev/urandom > files/damaged.bin
echo whole > files/whole.txt
