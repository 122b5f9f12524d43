"""What belongs to the kernel: functions with references, callbacks, long loops by target, sections, iterators, timers, output."""

from __future__ import annotations

from pybpf import (
    Array,
    DevMap,
    Kptr,
    PerfEventArray,
    SockMap,
    StackTrace,
    Struct,
    Timer,
    UserRingBuf,
    WorkQueue,
    XdpAction,
    XskMap,
    array_of,
    bpf_syscall,
    char,
    kernel_iter,
    kfunc,
    no_preempt,
    printk,
    raw_tracepoint,
    rcu,
    sched_cls,
    sk_skb_verdict,
    subprogram,
    tracepoint,
    u8,
    u32,
    u64,
    xdp,
)
from pybpf import helpers as bpf

from . import Run
from .maps import counts


class Pair(Struct):
    a: u32
    b: u32


class Alarm(Struct):
    timer: Timer
    n: u64


class Job(Struct):
    work: WorkQueue
    n: u64


class Held(Struct):
    task: Kptr["task_struct"]  # noqa: F821, UP037


alarms = Array(Alarm, max_entries=1)
jobs = Array(Job, max_entries=1)
held = Array(Held, max_entries=1)
devices = DevMap(max_entries=4)
user_space = XskMap(max_entries=4)
sockets = SockMap(4)
traces = StackTrace(max_entries=4)
perf = PerfEventArray(Pair)
commands = UserRingBuf(size=4096)
acquire, release = kfunc("bpf_task_acquire"), kfunc("bpf_task_release")
numbers = kernel_iter("num")


@subprogram
def bump(pair: Pair, by: u32):
    pair.a += by
    pair.b = pair.a


@sched_cls
def reference_passed(skb):
    p = Pair(5)
    bump(p, skb.mark)
    return p.b


@subprogram
def sized(ctx) -> u32:
    return ctx.len + 1


@sched_cls
def context_passed(skb):
    return sized(skb)


def add(index, total):
    total.a += index
    return 0


@sched_cls
def callback(skb):
    total = Pair()
    bpf.loop(10, add, total)
    return total.a


def _long(skb):
    n = u32(skb.mark)
    for i in range(50_000):
        n = u32(n * 3 + i)
        if n == 7:
            break
    return n


def _short(skb):
    n = u32(skb.mark)
    for i in range(200):
        n = u32(n * 3 + i)
        if n == 7:
            break
    return n


loop_before_callbacks = sched_cls(_short, name="plain_loop", kernel="5.10")
loop_as_callback = sched_cls(_long, name="callback_loop", kernel="5.17")
loop_with_iterator = sched_cls(_long, name="iterator_loop", kernel="6.6")
loop_with_may_goto = sched_cls(_long, name="may_goto_loop", kernel="6.9")


@sched_cls
def iterated(skb):
    total = 0
    for i in numbers(0, 10):
        total += i & 15
    return u32(total)


@bpf_syscall
def in_sections(ctx):
    with rcu():
        n = bpf.get_smp_processor_id()
    with no_preempt():
        n = bpf.get_smp_processor_id() | 1
    return 5 if n > 0 else 6


@bpf_syscall
def acquired(ctx):
    with rcu():
        task = acquire(bpf.get_current_task_btf())
    if task is None:
        return 1
    release(task)
    return 3


@bpf_syscall
def exchanged(ctx):
    h = held.get(0)
    if h is None:
        return 1
    old = h.task.xchg(None)
    if old is not None:
        release(old)
        return 2
    return 3


def ring(m, key, value):
    value.n += 1


@sched_cls
def alarm(skb):
    a = alarms.get(0)
    if a is None:
        return 9
    a.timer.init()
    a.timer.set_callback(ring)
    a.timer.start(1_000_000_000)
    a.timer.cancel()
    return 3


def work(m, key, value):
    value.n += 1


@sched_cls
def job(skb):
    j = jobs.get(0)
    if j is None:
        return 9
    if j.work.init() < 0 or j.work.set_callback(work) < 0:
        return 8
    return 4


@xdp
def redirected(ctx):
    return devices.redirect(ctx.ingress_ifindex & 3, XdpAction.PASS)


@sched_cls
def perf_output(skb):
    return 1 if perf.output(Pair(skb.mark, 2)) < 0 else 2


def drained(record):
    n = record.data(u32)
    if n is not None:
        counts[n] += 1
    return 0


@sched_cls
def commands_drained(skb):
    return u32(commands.drain(drained))


@sched_cls
def printed(skb):
    printk(f"{skb.mark} of {skb.len:#x}")
    return 1


@xdp
def to_user_space(ctx):
    queue = ctx.rx_queue_index
    return user_space.redirect(queue) if queue in user_space else XdpAction.PASS


@sk_skb_verdict
def to_socket(skb):
    return sockets.redirect(skb.len & 3)


@tracepoint("sched/sched_process_exit")
def where_from(ctx):
    where = traces.stack_id()
    if where >= 0:
        counts[u32(where)] += 1


@raw_tracepoint("sys_enter")
def name_read(ctx):
    comm = array_of(char, 16)()
    bpf.get_current_comm(comm)
    return 1 if comm[0] != 0 else 2


@tracepoint("syscalls/sys_enter_openat")
def opened(ctx):
    name = u8[16]()
    if bpf.probe_read_user_str(name, ctx.filename) > 0 and name[0] == ord("/"):
        counts[bpf.get_current_uid_gid() & 0xFFFFFFFF] += 1


def _loop(n: int, rounds: int = 50_000) -> int:
    for i in range(rounds):
        n = (n * 3 + i) & 0xFFFFFFFF
        if n == 7:
            break
    return n


MOST = {"loop_before_callbacks": 3, "loop_as_callback": 3}
"""The last level of the instruction set that the kernel knows which a program is compiled for."""

KERNEL_ONLY = frozenset(("acquired", "exchanged"))
"""What our machine has no model of: the kernel's objects."""

RUNS = {
    "reference_passed": [Run(12, 7)],
    "context_passed": [Run(65)],
    "callback": [Run(45)],
    "loop_before_callbacks": [Run(_loop(9, 200), 9)],
    "loop_as_callback": [Run(_loop(9), 9)],
    "loop_with_iterator": [Run(_loop(9), 9)],
    "loop_with_may_goto": [Run(_loop(9), 9)],
    "iterated": [Run(45)],
    "in_sections": [Run(5, data=b"")],
    "acquired": [Run(3, data=b"")],
    "exchanged": [Run(3, data=b"")],
    "alarm": [Run(3)],
    "job": [Run(4)],
    "redirected": [Run(2)],
    "perf_output": [Run(2)],
    "commands_drained": [Run(0)],
    "printed": [Run(1)],
    "name_read": [],
    "opened": [],
    "where_from": [],
    "to_socket": [],
    "to_user_space": [Run(2)],
}
