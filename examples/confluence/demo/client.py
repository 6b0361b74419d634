"""A database's own client, kept open: statements go in, answers come out."""

import subprocess

MARK = "-- end of answer --"


class Client:
    """One connection. A statement that fails ends it, and the next answer is an exception."""

    def __init__(self, command: list[str], mark: str, environment: dict[str, str]) -> None:
        """`mark` is what makes the client print MARK as a line of its own."""
        self._name, self._mark = command[0], mark
        self._client = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def ask(self, statements: str) -> list[list[str]]:
        """Runs the statements; returns when the server has answered (and committed) the last one."""
        try:
            self._client.stdin.write(f"{statements}\n{self._mark}\n")
            self._client.stdin.flush()
        except BrokenPipeError:
            pass
        answer = []
        for line in self._client.stdout:
            line = line.rstrip("\n")
            if line == MARK:
                return answer
            answer.append(line.split("\t"))
        raise RuntimeError(f"{self._name} ended with {self._client.wait(timeout=10)} at: {statements[:200]}")

    def close(self) -> None:
        """Waits for the client to end, for ten seconds at most."""
        self._client.stdin.close()
        self._client.wait(timeout=10)


def literal(text: str | None) -> str:
    """Text as an SQL literal."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
