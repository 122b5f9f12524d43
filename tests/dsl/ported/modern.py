"""What kernels of today offer beyond helpers: kernel functions by name, sections, iterators, work queues, dynptrs."""

from pybpf import (
    Arena,
    Array,
    HashMap,
    Kptr,
    RingBuf,
    Struct,
    WorkQueue,
    bpf_syscall,
    char,
    kernel_iter,
    kfunc,
    lsm,
    no_preempt,
    perf_event,
    raw_tracepoint,
    raw_tracepoint_writable,
    rcu,
    s32,
    tc,
    tp_btf,
    u32,
    u64,
)
from pybpf import helpers as bpf
from pybpf.net import Ethernet

counts = HashMap(u32, u64, max_entries=10)
rcu_lock = kfunc("bpf_rcu_read_lock")
rcu_unlock = kfunc("bpf_rcu_read_unlock")
acquire = kfunc("bpf_task_acquire")
release = kfunc("bpf_task_release")
from_pid = kfunc("bpf_task_from_pid")


@tp_btf("task_newtask")
def rcu_section_by_hand(ctx, task, flags):
    rcu_lock()
    p = task.real_parent
    counts[u32(p.pid)] += 1
    rcu_unlock()


@tp_btf("task_newtask")
def task_acquired(ctx, task, flags):
    t = acquire(task)
    if t is None:
        return
    counts[1] += u64(t.pid)
    release(t)


@bpf_syscall
def task_from_pid(ctx):
    t = from_pid(1)
    if t is None:
        return 1
    n = t.pid
    release(t)
    return n


cpumask_create = kfunc("bpf_cpumask_create")
cpumask_release = kfunc("bpf_cpumask_release")
cpumask_set = kfunc("bpf_cpumask_set_cpu")
cpumask_test = kfunc("bpf_cpumask_test_cpu")


@tp_btf("task_newtask")
def cpumasks(ctx, task, flags):
    m = cpumask_create()
    if m is None:
        return
    cpumask_set(1, m)
    if cpumask_test(1, m):
        counts[1] += 1
    cpumask_release(m)


throw = kfunc("bpf_throw")


@tc
def thrown(ctx):
    if ctx.len > 1000:
        throw(7)
    return 0


@tc
def dynptr_of_packet(skb):
    d = u64[2]()
    if kfunc("bpf_dynptr_from_skb")(skb, 0, d) != 0:
        return 0
    return 0


from_skb = kfunc("bpf_dynptr_from_skb")
slice_ = kfunc("bpf_dynptr_slice")


@tc
def dynptr_slice(skb):
    d = u64[2]()
    if from_skb(skb, 0, d) != 0:
        return 0
    buf = Ethernet()
    eth = slice_(d, 0, buf, 14)
    if eth is None:
        return 0
    return 0


ring = RingBuf(size=4096)


@raw_tracepoint("sys_enter")
def ring_dynptr(ctx):
    d = u64[2]()
    r = bpf.ringbuf_reserve_dynptr(ring, 64, 0, d)
    if r == 0:
        x = u64(7)
        bpf.dynptr_write(d, 0, x)
    bpf.ringbuf_submit_dynptr(d, 0)
    return 0


@tc
def numbers_by_hand(skb):
    it = u64[1]()
    kfunc("bpf_iter_num_new")(it, 0, 10)
    while True:
        v = kfunc("bpf_iter_num_next")(it)
        if v is None:
            break
        counts[u32(v)] += 1
    kfunc("bpf_iter_num_destroy")(it)
    return 0


task_new = kfunc("bpf_iter_task_new")
task_next = kfunc("bpf_iter_task_next")
task_destroy = kfunc("bpf_iter_task_destroy")


@bpf_syscall
def tasks_by_hand(ctx):
    rcu_lock()
    it = u64[3]()
    task_new(it, None, 0)
    n = 0
    while True:
        t = task_next(it)
        if t is None:
            break
        n += 1
    task_destroy(it)
    rcu_unlock()
    return n


def vma_cb(task, vma, ctx):
    counts[3] += vma.vm_start
    return 0


@perf_event
def virtual_memory(ctx):
    t = bpf.get_current_task_btf()
    bpf.find_vma(t, 0x400000, vma_cb, None, 0)
    return 0


@raw_tracepoint_writable("bpf_test_finish")
def writable_nothing(ctx):
    return 0


arena = Arena(10)


@bpf_syscall
def arena_pages(ctx):
    p = kfunc("bpf_arena_alloc_pages")(arena, None, 1, -1, 0)
    if p is None:
        return 1
    return 0


class Hold(Struct):
    t: Kptr["task_struct"]  # noqa: F821


held = Array(Hold, max_entries=1)


@tp_btf("task_newtask")
def task_kept(ctx, task, flags):
    v = held.get(0)
    if v is None:
        return
    t = acquire(task)
    if t is None:
        return
    old = v.t.xchg(t)
    if old is not None:
        release(old)


@tc
def cast_to_kernel(skb):
    kfunc("bpf_cast_to_kern_ctx")(skb)
    return 0


@tp_btf("task_newtask")
def preemption(ctx, task, flags):
    kfunc("bpf_preempt_disable")()
    counts[1] += 1
    kfunc("bpf_preempt_enable")()


@lsm("file_open")
def path_of_file(ctx, file):
    buf = char[64]()
    if kfunc("bpf_path_d_path")(file.f_path, buf, 64) < 0:
        return 0
    return 0


@bpf_syscall
def cgroup_from_id(ctx):
    cg = kfunc("bpf_cgroup_from_id")(1)
    if cg is None:
        return 1
    kfunc("bpf_cgroup_release")(cg)
    return 0


tasks = kernel_iter("task")


@bpf_syscall
def count_tasks(ctx):
    n = 0
    with rcu():
        for t in tasks(None, 0):
            if t.pid == 1:
                continue
            n += 1
            if n > 1000:
                break
    return n


@bpf_syscall
def find_task(ctx):
    with rcu():
        for t in tasks(None, 0):
            if t.pid == 1:
                return 77
    return 1


@tc
def sum_of_numbers(skb):
    total = 0
    for i in kernel_iter("num")(0, 10):
        total += i
    return total


@tc
def nested_iterators(skb):
    total = u32(0)
    for i in kernel_iter("num")(0, 5):
        for j in kernel_iter("num")(0, 4):
            if j == 3:
                break
            total += u32(i)
    return total


@tc
def ways_out_of_a_section(skb):
    for i in range(20):
        with no_preempt():
            if i == 5:
                break
            if i == 3:
                continue
            counts[1] += 1
            if skb.len == 7:
                return 9
    return u32(counts[1])


@raw_tracepoint_writable("bpf_test_finish")
def writable_buffer(ctx):
    err = ctx.buffer(s32)
    if err == 0:
        err.value = -5


@bpf_syscall
def broken_off(ctx):
    n = 0
    for _ in kernel_iter("num")(0, 100):
        if n > 5:
            break
        n += 1
    else_ = n
    return else_ + 1


class Job(Struct):
    n: u64
    work: WorkQueue


jobs = Array(Job, max_entries=1)


def later(m, key, job):
    job.n += 5


@tc
def queue_work(skb):
    j = jobs.get(0)
    if j is None:
        return 1
    if j.work.init() != 0:
        return 2
    if j.work.set_callback(later) != 0:
        return 3
    if j.work.start() != 0:
        return 4
    return 0
