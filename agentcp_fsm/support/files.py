"""Files that hold secrets: made for their owner only, read in bounded time, and judged by what other users can do.

Nothing here waits for a file: a FIFO without a writer, a device without an end and a file of gigabytes are errors.
"""

import errno
import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path

MAX_SIZE = 1024 * 1024
"""Bytes that a file of keys, certificates or passwords has at most."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OPENING = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):  # each system has some of them
    _OPENING |= getattr(os, _name, 0)


def is_there(path: Path) -> bool:
    """Whether there is something at `path`, even if it cannot be looked at."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def version(path: Path) -> tuple[int, ...] | None:
    """Return what differs once a file is changed or replaced; None: it cannot be looked at."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_small(file: str | os.PathLike[str], limit: int = MAX_SIZE, patience: float = 0.0) -> bytes:
    """Return what a regular file holds.

    With a `patience` above 0, in seconds, it may also be a pipe, whose writer is given that time to close it.

    Raises OSError for what cannot be read, is neither, or holds more than `limit` bytes; its ``strerror`` says so.
    """
    # Opening a device may have effects of its own, so its kind is checked first.
    _check_kind(os.stat(file), file, patience)
    descriptor = os.open(file, _OPENING)
    try:
        _check_kind(os.fstat(descriptor), file, patience)
        return _read(descriptor, file, limit, patience)
    finally:
        os.close(descriptor)


def _check_kind(found: os.stat_result, file: str | os.PathLike[str], patience: float) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(file))
    if not (stat.S_ISREG(found.st_mode) or (patience > 0 and stat.S_ISFIFO(found.st_mode))):
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(file))


def _read(descriptor: int, file: str | os.PathLike[str], limit: int, patience: float) -> bytes:
    content = b""
    deadline = time.monotonic() + patience
    while len(content) <= limit:
        try:
            part = os.read(descriptor, limit + 1 - len(content))
        except BlockingIOError:  # a pipe whose writer has more to say
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise TimeoutError(
                    errno.ETIMEDOUT, f"its writer did not end within {patience:g} s", os.fspath(file)
                ) from None
            continue
        if not part:
            return content
        content += part
    raise OSError(errno.EFBIG, f"it holds more than {limit} bytes", os.fspath(file))


def make_private_folder(folder: Path) -> None:
    """Make `folder` and all that is missing above it, each for its owner only from its first moment; raises OSError."""
    missing = [folder]
    while not is_there(missing[-1].parent) and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        # Another process may be making the same one.
        each.mkdir(0o700, exist_ok=True)


def write_new(file: Path, content: bytes) -> None:
    """Write a file that does not exist yet, for its owner only, and have it on the disk; raises OSError."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def readable_by_others(file: Path, what: str) -> list[str]:
    """Say that other users of this machine can read a secret, `what`, and the remedy; empty if they cannot."""
    if hasattr(os, "geteuid") and _mode(file) & OTHERS_READ:
        return [f"other users can read {what} {file}: chmod 600 it"]
    return []


def changeable_by_others(*files: Path) -> list[str]:
    """Say how other users of this machine could change or replace the files, and the remedies; empty if they cannot.

    Every folder above them counts: to rename one of those is to replace all that is in it.
    """
    if not hasattr(os, "geteuid"):  # such a system says by other means who can do what
        return []
    found = [f"other users can change {file}: chmod go-w it" for file in files if _mode(file) & OTHERS_WRITE]
    folders = tuple(dict.fromkeys(folder for file in files for folder in _folders_above(file)))
    found += [
        f"other users can replace the files in {folder}: chmod go-w it"
        for folder in folders
        # In a folder with the sticky bit, such as /tmp, only its owner can replace a file.
        if _mode(folder) & OTHERS_WRITE and not _mode(folder) & stat.S_ISVTX
    ]
    # The superuser can change everything anyway.
    trusted = (0, os.geteuid())
    for path in (*files, *folders):
        owner = _owner(path)
        if owner is not None and owner not in trusted:
            found.append(f"{path} belongs to another user (uid {owner}), who can change it: chown it")
    return found


def _folders_above(file: Path) -> Iterator[Path]:
    """Yield the folders by whose names the file is reached, and those in which it really is, the nearest first."""
    yield from Path(os.path.abspath(file)).parents
    yield from Path(os.path.realpath(file)).parents


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:  # it is gone, or was never to be seen
        return 0


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None
