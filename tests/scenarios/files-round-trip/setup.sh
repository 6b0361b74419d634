mkdir -p files/2026/empty files/drafts
printf 'Dear reader,\n' > files/2026/first.txt
printf 'a name with a blank\n' > 'files/2026/to whom.txt'
head -c 100000 /dev/zero > files/zeros
ln -s first.txt files/2026/latest
chmod 600 files/2026/first.txt
chmod 750 files/drafts
touch -d '2020-02-02 02:02:02 UTC' files/2026/first.txt files/2026/empty files/zeros files/drafts
