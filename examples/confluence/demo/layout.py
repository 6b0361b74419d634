"""Where Confluence keeps an attachment's file below `attachments/`, in the two layouts that are in use."""


def v4(original: int, version: int) -> str:
    """Layout of Confluence 8.1 and later: depends on the original attachment's content id alone."""
    spread = original % 65535
    return f"v4/{spread % 256}/{spread // 256}/{original}/{original}.{version}"


def ver003(space: int | None, page: int, original: int, version: int) -> str:
    """Layout of Confluence 3.0 to 8.0: below the space and the page that the attachment hangs on."""
    where = "nonspaced" if space is None else f"{_pair(space)}/{space}"
    return f"ver003/{where}/{_pair(page)}/{page}/{original}/{version}"


def _pair(number: int) -> str:
    return f"{number % 1000 % 250}/{number // 1000 % 1000 % 250}"
