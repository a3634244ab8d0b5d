"""A process that reads other people's files seals itself first: no socket can be opened and no program started from then on."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_FILTER = 2  # SECCOMP_MODE_FILTER
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | errno.EACCES
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_OTHER_ABI = 0x40000000  # x32 numbers its calls from here

# Audit architecture, then the numbers of socket, execve, execveat; io_uring, which could open sockets too, is 425 on both.
_CALLS = {
    "x86_64": (0xC000003E, (41, 59, 322, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 425)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def seal() -> bool:
    """Have the kernel refuse new sockets and programs to this thread and all it starts, for good. False where it cannot.

    A seccomp filter (Linux's seccomp(2)); it also holds for a parser written in C. Sockets that are already open go on working.
    """
    machine = _CALLS.get(platform.machine())
    if machine is None:
        return False
    filter_ = _filter(*machine)
    program = _Program(len(filter_) // 8, filter_)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(architecture: int, calls: tuple[int, ...]) -> bytes:
    """BPF: deny another architecture's calls, other numberings, and `calls`; allow the rest. Jumps count what they skip."""
    deny = len(calls) + 2  # the instruction before last is `allow`, the last one `deny`
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, deny + 1, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_AT_LEAST, deny - 1, 0, _OTHER_ABI),
        *((_JUMP_IF_EQUAL, len(calls) - index, 0, call) for index, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
