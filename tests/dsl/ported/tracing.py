"""Tracing programs as users of bcc, bpftrace and libbpf write them: opensnoop, runqlat, biolatency, tcptop, profile."""

from __future__ import annotations

from pybpf import (
    Global,
    HashMap,
    PerCpuArray,
    PerfEventArray,
    RingBuf,
    StackTrace,
    Struct,
    char,
    fentry,
    fexit,
    fmod_ret,
    kprobe,
    kretprobe,
    ksyscall,
    lsm,
    perf_event,
    printk,
    raw_tracepoint,
    s32,
    swap16,
    tp_btf,
    tracepoint,
    u8,
    u16,
    u32,
    u64,
    unroll,
    uprobe,
    uretprobe,
    usdt,
)
from pybpf import helpers as bpf


# ---- bcc style tracing
class OpenEvent(Struct):
    ts: u64
    pid: u32
    uid: u32
    ret: s32
    flags: s32
    comm: char[16]
    fname: char[64]


class OpenArgs(Struct):
    fname: u64
    flags: s32


opens = HashMap(u32, OpenArgs, max_entries=10240)
open_events = PerfEventArray(OpenEvent)


@tracepoint("syscalls/sys_enter_openat")
def open_enter(ctx):
    tid = u32(bpf.get_current_pid_tgid())
    opens[tid] = OpenArgs(ctx.filename, s32(ctx.flags))
    return 0


@tracepoint("syscalls/sys_exit_openat")
def open_exit(ctx):
    pid_tgid = bpf.get_current_pid_tgid()
    tid = u32(pid_tgid)
    a = opens.get(tid)
    if a is None:
        return 0
    e = OpenEvent()
    e.ts = bpf.ktime_get_ns()
    e.pid = pid_tgid >> 32
    e.uid = u32(bpf.get_current_uid_gid())
    e.flags = a.flags
    e.ret = s32(ctx.ret)
    bpf.get_current_comm(e.comm)
    bpf.probe_read_user_str(e.fname, a.fname)
    open_events.output(ctx, e)
    del opens[tid]
    return 0


start = HashMap(u32, u64, max_entries=10240)
hist = PerCpuArray(u64, max_entries=64)


def log2(v):
    n = 0
    for shift in unroll((32, 16, 8, 4, 2, 1)):
        if v >> shift:
            v >>= shift
            n += shift
    return n


def log2l(v):
    hi = v >> 32
    if hi:
        return log2(hi) + 32
    return log2(v)


@tracepoint("sched/sched_wakeup")
def rq_wakeup(ctx):
    start[u32(ctx.pid)] = bpf.ktime_get_ns()


@tracepoint("sched/sched_switch")
def rq_switch(ctx):
    if ctx.prev_state == 0:
        start[u32(ctx.prev_pid)] = bpf.ktime_get_ns()
    ts = start.get(u32(ctx.next_pid))
    if ts is None:
        return
    delta = bpf.ktime_get_ns() - ts
    slot = log2l(delta // 1000)
    if slot < 64:
        hist[slot] += 1
    del start[u32(ctx.next_pid)]


class IoKey(Struct):
    dev: u32
    sector: u64


io_start = HashMap(IoKey, u64, max_entries=1024)
io_hist = HashMap(u32, u64, max_entries=64)


@tracepoint("block/block_rq_issue")
def bio_issue(ctx):
    io_start[IoKey(ctx.dev, ctx.sector)] = bpf.ktime_get_ns()


@tracepoint("block/block_rq_complete")
def bio_done(ctx):
    k = IoKey(dev=ctx.dev, sector=ctx.sector)
    t = io_start.get(k)
    if t is None:
        return 0
    d = (bpf.ktime_get_ns() - t) // 1000
    io_hist[log2l(d)] += 1
    del io_start[k]
    return 0


class TcpKey(Struct):
    saddr: u32
    daddr: u32
    lport: u16
    dport: u16
    pid: u32


sent = HashMap(TcpKey, u64, max_entries=4096)


@kprobe("tcp_sendmsg")
def tcp_sendmsg(ctx, sk, msg, size):
    if sk.__sk_common.skc_family != 2:
        return 0
    key = TcpKey()
    key.pid = bpf.get_current_pid_tgid() >> 32
    key.saddr = sk.__sk_common.skc_rcv_saddr
    key.daddr = sk.__sk_common.skc_daddr
    key.lport = sk.__sk_common.skc_num
    key.dport = swap16(sk.__sk_common.skc_dport)
    sent[key] += size
    return 0


@fentry("tcp_sendmsg")
def tcp_sendmsg2(ctx, sk, msg, size):
    key = TcpKey(
        pid=bpf.get_current_pid_tgid() >> 32,
        saddr=sk.__sk_common.skc_rcv_saddr,
        daddr=sk.__sk_common.skc_daddr,
        lport=sk.__sk_common.skc_num,
        dport=swap16(sk.__sk_common.skc_dport),
    )
    sent[key] += size
    return 0


@kretprobe("tcp_recvmsg")
def tcp_recv(ctx):
    n = s32(ctx.retval)
    if n <= 0:
        return 0
    total_recv.value += n
    return 0


total_recv = Global(u64)


@kretprobe("vfs_read")
def vfs_read_ret(ctx):
    if ctx.retval < 0:
        return 0
    io_hist[log2l(ctx.retval)] += 1
    return 0


@fexit("vfs_read")
def vfs_read_exit(ctx, file, buf, count, pos, ret):
    if ret < 0:
        return 0
    io_hist[log2l(u64(ret))] += 1
    return 0


class LifeEvent(Struct):
    pid: u32
    ppid: u32
    comm: char[16]
    age: u64
    exit_code: s32


life = RingBuf(LifeEvent, size=1 << 16)


@tracepoint("sched/sched_process_exit")
def on_exit(ctx):
    with_task = bpf.get_current_task_btf()
    e = life.reserve()
    if e is None:
        return
    e.pid = u32(with_task.tgid)
    e.ppid = u32(with_task.real_parent.tgid)
    e.age = bpf.ktime_get_ns() - with_task.start_time
    e.exit_code = with_task.exit_code >> 8
    bpf.get_current_comm(e.comm)
    e.submit()


@raw_tracepoint("sched_process_exec")
def raw_exec(ctx):
    task = bpf.get_current_task_btf()
    printk(f"{task.comm} pid={task.pid} parent={task.real_parent.pid}")


@tp_btf("sched_switch")
def btf_switch(ctx, preempt, prev, next):
    if next.pid == 0:
        return
    printk(f"{prev.comm}->{next.comm} {next.mm.owner.pid}")


@uprobe("/lib/x86_64-linux-gnu/libc.so.6:malloc")
def malloc_enter(ctx, size):
    io_hist[log2l(size)] += 1
    return 0


@uretprobe("/lib/x86_64-linux-gnu/libc.so.6:malloc")
def malloc_exit(ctx):
    printk(f"-> {ctx.retval:x}")
    return 0


@kprobe("do_sys_openat2")
def kp_raw(ctx):
    bpf.probe_read_user_str(char[64](), ctx.si)
    printk(f"ip {ctx.ip:x} {ctx.di}")
    return 0


@ksyscall("unlinkat")
def unl(ctx, dfd: s32, path, flag: s32):
    buf = char[128]()
    n = bpf.probe_read_user_str(buf, path)
    if n > 0:
        printk(f"unlink {buf} {flag}")
    return 0


stacks = StackTrace(max_entries=1024)
counts = HashMap(u32, u64, max_entries=1024)


class StackKey(Struct):
    pid: u32
    user: s32
    kernel: s32


stack_counts = HashMap(StackKey, u64, max_entries=4096)


@perf_event
def profile(ctx):
    pid = bpf.get_current_pid_tgid() >> 32
    if pid == 0:
        return 0
    k = StackKey(pid=pid, user=stacks.stack_id(256), kernel=stacks.stack_id())
    stack_counts[k] += 1
    return 0


@perf_event
def profile_ip(ctx):
    counts[u32(ctx.regs.ip >> 12)] += 1
    counts[u32(ctx.sample_period)] += 1
    return 0


@lsm("file_open")
def deny_open(ctx, file):
    if file.f_inode.i_ino == 1234:
        return -13
    return 0


@lsm("bprm_check_security")
def bprm(ctx, bprm):
    buf = char[64]()
    bpf.probe_read_kernel_str(buf, bprm.filename)
    if buf[0] == ord("/") and buf[1] == ord("t"):
        return -1
    return 0


@lsm("socket_connect")
def conn(ctx, sock, address, addrlen):
    if address.sa_family != 2:
        return 0
    sa = u8[16]()
    bpf.probe_read_kernel(sa, address)
    if sa[4] == 1 and sa[5] == 1:
        return -1
    return 0


@fmod_ret("bpf_modify_return_test")
def fm(ctx, a, b):
    return -22


@tracepoint("raw_syscalls/sys_enter")
def syscnt(ctx):
    counts[u32(ctx.id)] += 1


@tracepoint("raw_syscalls/sys_exit")
def sysret(ctx):
    if ctx.ret < 0:
        counts[u32(-ctx.ret)] += 1


@tracepoint("syscalls/sys_enter_kill")
def kill(ctx):
    if ctx.sig == 9:
        printk(f"kill {ctx.pid}")


@usdt("/usr/bin/python3:python:function__entry")
def py(ctx):
    buf = char[32]()
    bpf.probe_read_user_str(buf, ctx.args[1])
    printk(f"{buf}")


@tracepoint("sock/inet_sock_set_state")
def life1(ctx):
    if ctx.protocol != 6:
        return
    if ctx.newstate == 7:
        printk(f"{ctx.saddr[0]} {ctx.sport} {ctx.dport}")


@tracepoint("sched/sched_process_fork")
def fork(ctx):
    printk(f"{ctx.parent_comm} {ctx.child_pid}")


@tracepoint("irq/softirq_entry")
def irq(ctx):
    counts[ctx.vec] += 1


@tracepoint("kmem/kmalloc")
def km(ctx):
    if ctx.bytes_alloc > 4096:
        counts[0] += ctx.bytes_alloc
