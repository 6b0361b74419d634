CREATE TABLE attachment (id bigint PRIMARY KEY, name text, size bigint);
INSERT INTO attachment VALUES (1, 'first.txt', 5), (2, 'absent.txt', 9), (3, 'short.txt', 100);
