"""`Token`: the permission to use parts of bpf(2), handed to a container by who mounts its bpffs (Linux 6.9).

Whoever sets a container up mounts a bpffs in its user namespace, with the mount options `delegate_cmds`,
`delegate_maps`, `delegate_progs` and `delegate_attachs`.  A process in there makes a token of it, and loads with that:

    with Token.from_bpffs("/sys/fs/bpf") as token, load(count, token=token) as prog: ...
"""

from __future__ import annotations

import os
from ctypes import sizeof
from errno import ENOENT

from .syscall.door import failure
from .syscall.fd import Fd
from .syscall.objects import obj_info, token_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .uapi import TokenInfo


class Token(Fd):
    """A BPF token.  What it permits is fixed when it is made; it needs CAP_BPF in the user namespace of its bpffs."""

    @classmethod
    def from_bpffs(cls, path: str = "/sys/fs/bpf") -> Token:
        """A token of the bpffs that is mounted on `path`.

        SyscallError: EINVAL when that is no bpffs, EOPNOTSUPP in the first user namespace, where nothing is delegated,
        ENOENT when the bpffs delegates nothing, EPERM when it belongs to another user namespace or CAP_BPF is missing.
        """
        try:
            root = Fd(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise failure(error.errno or ENOENT, "open", f"bpffs {path!r}") from None
        with root:
            return cls(token_create(root.fileno()))

    @property
    def info(self) -> TokenInfo:
        """What it permits, as bit masks over `Cmd`, `MapType`, `ProgType`, `AttachType`: `uapi.TokenInfo` (Linux 6.17).

        SyscallError (EINVAL) on kernels that do not tell.
        """
        from .uapi import TokenInfo

        size = sizeof(TokenInfo)
        return TokenInfo.from_buffer_copy(obj_info(self.fileno(), size).ljust(size, b"\0"))
