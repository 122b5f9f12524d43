"""What only the kernel has: storages of sockets and tasks, timers that go off, sections, and messages to the trace pipe."""

from __future__ import annotations

from .numbers import expression, key, leaf
from .statements import STATEMENTS, statements
from .storage import record_reference, still
from .writer import Writer


@STATEMENTS.row(1.5, lambda w: still(w) and bool(w.context) and w.kind == "sched_cls")
def of_socket(w: Writer) -> None:
    """A record that is as old as the socket of the packet, which in a test run is one packet."""
    sk, ref = w.fresh("sk"), w.fresh("ref")
    w.add(f"{sk} = {w.context}.sk")
    with w.block(f"if {sk} is not None:"):
        w.add(f"{sk} = bpf.sk_fullsock({sk})")
        with w.block(f"if {sk} is not None:"):
            w.add(f"{ref} = held.get({sk}, create={w.choose('True', 'True', 'False')})")
            with w.scope(pinned=1), w.block(f"if {ref} is not None:"):
                w.know(ref, "Record", shared=True)
                record_reference(w, ref, True)
                statements(w, 1)
            if w.chance(0.2):
                w.add(f"held.delete({sk})")


@STATEMENTS.row(1, still, since=(6, 18))
def of_task(w: Writer) -> None:
    ref = w.fresh("ref")
    w.add(f"{ref} = mine.get(bpf.get_current_task_btf(), create={w.choose('True', 'True', 'False')})")
    with w.scope(pinned=1), w.block(f"if {ref} is not None:"):
        w.know(ref, "Record", shared=True)
        record_reference(w, ref, True)
        statements(w, 1)


@STATEMENTS.row(0.6, lambda w: still(w) and bool(w.context), since=(5, 15))
def bell(w: Writer) -> None:
    """A timer that goes off at once, and once: nobody sets it twice, or reads what it changes."""
    if not any(f.name == "ring" for f in w.functions):
        return
    ref, at = w.fresh("ref"), w.fresh("at")
    w.add(f"{at} = {key(w)}")
    with w.block(f"if bells.update({at}, Alarm(), 1) == 0:"):
        w.add(f"{ref} = bells.get({at})")
        with w.block(f"if {ref} is not None:"):
            w.add(f"{ref}.timer.init()")
            w.add(f"{ref}.timer.set_callback(ring)")
            w.add(f"{ref}.fired += {expression(w, 'u64', 1)}")
            w.add(f"{ref}.timer.start({w.random.randint(0, 5000)})")


@STATEMENTS.row(0.7, lambda w: not w.pinned and not w.inside, since=(6, 12))
def section(w: Writer) -> None:
    with w.scope(owing=1), w.block(f"with {w.choose('no_preempt', 'rcu')}():"):
        statements(w, 2)


@STATEMENTS.row(0.7, lambda w: not w.inside)
def message(w: Writer) -> None:
    parts = [f"{{{leaf(w, w.choose('u64', 's64', 'u32'))}}}" for _ in range(w.random.randint(1, 3))]
    if w.chance(0.3):
        parts[0] = f"{parts[0][:-1]}:{w.choose('x', '08x', '5d')}}}"
    w.add(f'printk(f"seen {" and ".join(parts)}")')
