"""Makes what bench.sh measures with: the same bytes each time on the same machine.

usage: make_data.py tree DIR FILES BYTES | entries DIR COUNT | stream TREE FILE | dump FILE BYTES
"""

import os
import random
import sys

SEED = 20260101
MIB = 1 << 20
BINARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/bin", "/usr/lib"]


def words(generator):
    """A vocabulary whose common words are short, as in any language."""
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [12, 9, 8, 8, 7, 7, 6, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    return ["".join(generator.choices(letters, weights, k=2 + number % 3 + number // 2000)) for number in range(12000)]


def prose(generator, size):
    """About `size` bytes of words by Zipf's law, in lines and sentences."""
    vocabulary = words(generator)
    weights, total = [], 0.0
    for rank in range(len(vocabulary)):
        total += 1 / (rank + 2.7)
        weights.append(total)
    pieces, length = [], 0
    while length < size:
        picked = generator.choices(vocabulary, cum_weights=weights, k=100_000)
        for at in range(12, len(picked), 13):
            picked[at] += ".\n"
        pieces.append(" ".join(picked))
        length += len(pieces[-1])
    return "".join(pieces).encode()


def binaries():
    """Endlessly, the bytes of the system's libraries and programs, in the order of their names."""
    files = []
    for directory in filter(os.path.isdir, BINARIES):
        names = sorted(os.listdir(directory))
        files += [path for path in (os.path.join(directory, name) for name in names) if is_binary(path)]
    while True:
        for path in files:
            with open(path, "rb") as file:
                while block := file.read(MIB):
                    yield block


def is_binary(path):
    if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


class Taker:
    """Takes any number of bytes from a run of blocks."""

    def __init__(self, blocks):
        self.blocks, self.rest = blocks, b""

    def take(self, size):
        while len(self.rest) < size:
            self.rest += next(self.blocks)
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def sizes(generator, count, total):
    """`count` sizes that add up to about `total`: many small, few large, as files are."""
    raw = [min(generator.lognormvariate(0, 1.4), 400.0) for _ in range(count)]
    scale = total / sum(raw)
    return [max(1, int(size * scale)) for size in raw]


def make_tree(root, files, size):
    """Files in threes of one size each: text, a piece of a binary, noise. A hundred to a directory."""
    generator = random.Random(SEED)
    text, binary = prose(generator, min(64 * MIB, max(size // 8, MIB))), Taker(binaries())
    for number, length in enumerate(sizes(generator, -(-files // 3), size // 3)):
        directory = os.path.join(root, f"{number // 990:02}", f"{number // 33 % 30:02}")
        os.makedirs(directory, exist_ok=True)
        start = generator.randrange(max(1, len(text) - length))
        contents = {"txt": text[start : start + length], "so": binary.take(length), "jpg": generator.randbytes(length)}
        for ending, content in contents.items():
            with open(os.path.join(directory, f"{number}.{ending}"), "wb") as file:
                file.write(content)


def make_entries(root, count):
    """Tiny files, a thousand to a directory: what counts is how many there are."""
    for start in range(0, count, 1000):
        directory = os.path.join(root, f"{start // 100_000:02}", f"{start // 1000 % 100:02}")
        os.makedirs(directory)
        for number in range(start, min(start + 1000, count)):
            with open(os.path.join(directory, f"entry-{number}"), "wb") as file:
                file.write(b"entry %d\n" % number)


def make_stream(tree, path):
    """The tree's contents in one file."""
    with open(path, "wb") as target:
        for directory, below, names in os.walk(tree):
            below.sort()
            for name in sorted(names):
                with open(os.path.join(directory, name), "rb") as file:
                    target.write(file.read())


def make_dump(path, size):
    """Rows as a database writes them: words that shrink, and digests that do not. No two are the same."""
    generator = random.Random(SEED)
    text = prose(generator, 4 * MIB).replace(b"\n", b" ")
    with open(path, "wb") as target:
        while target.tell() < size:
            rows = []
            for _ in range(5000):
                start = generator.randrange(len(text) - 120)
                rows.append(b"%d\t%s\t%s\n" % (len(rows), text[start : start + 120], generator.randbytes(32).hex().encode()))
            target.write(b"".join(rows))


def main(kind, *rest):
    match kind, rest:
        case "tree", (root, files, size):
            make_tree(root, int(files), int(size))
        case "entries", (root, count):
            make_entries(root, int(count))
        case "stream", (tree, path):
            make_stream(tree, path)
        case "dump", (path, size):
            make_dump(path, int(size))
        case _:
            sys.exit(__doc__)


main(*sys.argv[1:] or [""])
