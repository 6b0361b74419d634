mkdir files
printf first > files/first.txt
printf 'too short' > files/short.txt
