"""Greet each user who starts a program with a message of their own, which user space writes into a map.

As bcc's hello-buffer-config.  Needs root and tracefs: sudo python config_map.py UID MESSAGE
"""

import sys
from typing import Annotated

from pybpf import HashMap, RingBuf, Struct, char, load, tracepoint, u32
from pybpf import helpers as bpf


class Message(Struct):
    text: Annotated[bytes, char, 32]


class Greeting(Struct):
    pid: u32
    text: Annotated[bytes, char, 32]


messages = HashMap(u32, Message, max_entries=1024)  # uid -> message
greetings = RingBuf(Greeting, size=1 << 16)


@tracepoint("syscalls/sys_enter_execve")
def greet(ctx):
    greeting = Greeting(pid=bpf.get_current_pid_tgid() >> 32)
    own = messages.get(u32(bpf.get_current_uid_gid()))
    if own is None:
        greeting.text = b"hello"
    else:
        greeting.text = own.text
    greetings.output(greeting)


def main(uid: str, message: str) -> None:
    with load(greet) as prog:
        prog[messages][int(uid)] = Message(message.encode())
        with prog.attach():
            for greeting in prog[greetings]:
                print(f"{greeting.pid:>7} {greeting.text.decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
