"""The operating system's own lock on a file: freed when its holder dies, however that happens."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt

    # Far behind the text, so that others can still read who holds it.
    _FAR = 1 << 20

    def take(file: IO[Any]) -> bool:
        """Lock an open file for this process; False where another one holds it."""
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        return True

else:
    import errno
    import fcntl

    def take(file: IO[Any]) -> bool:
        """Lock an open file for this process; False where another one holds it."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # a disk without locks leaves only the age of the file
            return error.errno in (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS)
        return True
