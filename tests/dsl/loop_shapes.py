"""Loops of all shapes: each function is a program, and is also run by Python over the stand-ins of test_loop_shapes."""
# ruff: noqa: B007

from __future__ import annotations

from pybpf import Array, Global, HashMap, Struct, bounded, s32, s64, subprogram, u8, u16, u32, u64, unroll
from pybpf.net import Ethernet

counts = HashMap(u32, u64, max_entries=64)
cells = Array(u64, max_entries=8)
seen = Global(u64)


class Pair(Struct):
    a: u64
    b: u32
    c: s32


def nested_three(ctx):
    t = u64(0)
    for i in range(7):
        for j in range(9):
            for k in range(11):
                if i ^ j == k:
                    t += i * j + k
    return u32(t)


def nested_three_long(ctx):
    t = u64(0)
    for i in range(30):
        for j in range(40):
            for k in range(50):
                if (i + j) & 3 == k & 3:
                    t += k
                else:
                    t ^= j
    return u32(t)


def nested_by_packet(ctx):
    t = u64(0)
    n = len(ctx)
    for i in range(n & 7):
        for j in range(n & 15):
            for k in range(n & 31):
                t += i + j * k
    return u32(t)


def breaks_everywhere(ctx):
    n = len(ctx)
    t = u64(n)
    for i in range(50):
        for j in range(60):
            for k in range(70):
                if k * j > n * 20:
                    break
                if k == i:
                    continue
                t += 1
            else:
                t += 100
                if i > 40:
                    break
            if t & 1023 == 5:
                continue
            t += 2
        else:
            t += 3
            continue
        t += 5
        break
    else:
        t += 7
    return u32(t)


def while_and_or(ctx):
    n = u64(len(ctx))
    i = u64(0)
    j = u64(1000)
    while (i < j and n != 7) or i < 10:
        i += 3
        j -= 2
        if i & 1:
            n = n * 5 + 1
    return u32(i + j + n)


def negative_step(ctx):
    t = s64(0)
    for i in range(3000, 0, -3):
        t += i ^ 5
    return u32(t)


def below_zero(ctx):
    t = s64(0)
    for i in range(100, -100, -7):
        t += i * 3
        if t < -50:
            t = s64(0)
    return u32(t & 0xFFFF)


def step_around_masked(ctx):
    """Refused once on 6.12 and 6.18 with "8193 jumps"."""
    n = u64(len(ctx))
    t = u64(1)
    for i in range(3000, 0, -3):
        for j in range(n & 63):
            t = t * 3 + j
            if t & 16:
                cells[2] += 1
            counts[u32(t) & 7] = t
    return u32(t)


def thousand_around_array(ctx):
    """Refused once: what a stack array holds is known where the loops begin."""
    row = u64[8]()
    t = u64(len(ctx))
    for i in range(1000):
        for j in range(bounded(len(ctx), max=20)):
            row[(i + j) & 7] += t
            if row[j & 7] & 4:
                t += 1
    return u32(t + row[3])


def thousand_around_struct(ctx):
    p = Pair(a=1, b=2)
    for i in range(1000):
        for j in range(len(ctx) & 7):
            if p.a & 1:
                p.b = u32(p.b + j)
            else:
                p.c = s32(p.c - i)
            p.a = p.a * 3 + j
    return u32(p.a + p.b)


def collatz_around_two(ctx):
    """Refused once for target 6.1."""
    n = u64(len(ctx))
    t = u64(0)
    while n != 1:
        n = n * 3 + 1 if n & 1 else n // 2
        for i in range(10):
            if n & i:
                t += i
        for j in range(n & 15):
            t ^= j
    return u32(t)


def product_with_break(ctx):
    """Target 5.10 walks it."""
    i = u64(0)
    k = u64(len(ctx) & 3)
    t = u64(0)
    while i < len(ctx) * k:
        i += 1
        t += i
        if t > 1000:
            break
    return u32(t)


def unbounded(ctx):
    x = u64(len(ctx))
    t = 0
    while x & 1023 != 77:
        x = x * 5 + 3
        t += 1
        if t > 5000:
            break
    return u32(t)


def typed_u8(ctx):
    i = u8(len(ctx))
    t = u32(0)
    while i != 3:
        i = u8(i + 7)
        t = u32(t + i)
    return t


def typed_s64(ctx):
    i = s64(500)
    t = s64(0)
    while i > -500:
        i -= 3
        t += i * i
        if i == -77:
            break
    return u32(t & 0xFFFFFFFF)


def typed_u16(ctx):
    t = u16(len(ctx))
    for i in range(500):
        t = u16(t * 3 + i)
        if t & 1:
            t = u16(t ^ 0x5555)
    return t


def big_numbers(ctx):
    t = u64(0)
    for i in range((1 << 40), (1 << 40) + 300):
        t ^= i * 7
    return u32(t)


def big_step(ctx):
    t = u64(0)
    for i in range(0, 1 << 50, 1 << 43):
        t += i >> 40
    return u32(t)


def near_the_end(ctx):
    t = u64(0)
    for i in range((1 << 64) - 40, (1 << 64) - 1):
        t ^= i
    return u32(t)


def from_packet_down(ctx):
    t = u64(0)
    for i in range(len(ctx) & 127, 0, -1):
        t = t * 3 + i
    return u32(t)


def between(ctx):
    n = len(ctx)
    t = u64(0)
    for i in range(n & 15, (n & 15) + 20):
        t += i * i
    return u32(t)


def bounded_triple(ctx):
    n = u64(len(ctx))
    t = u64(0)
    for i in range(bounded(n * n, max=50)):
        for j in range(bounded(n * 3, max=30)):
            for k in range(bounded(n + i, max=9)):
                t += k
                if t & 7 == j & 7:
                    break
    return u32(t)


def bounded_long(ctx):
    t = u64(0)
    for i in range(bounded(u64(len(ctx)) * 5000, max=100000)):
        if i & 3 == 1:
            continue
        t += i
    else:
        t += 1
    return u32(t)


def map_updates(ctx):
    for i in range(200):
        k = u32(i & 15)
        counts[k] += 1
        if counts[k] > 10:
            counts[k] = u64(3)
        if k == 9:
            del counts[k]
    return u32(counts[3] + counts[9])


def map_nested(ctx):
    for i in range(len(ctx)):
        for j in range(20):
            counts[u32(i * j) & 31] += j
            if counts[u32(j)] == 40:
                counts[u32(j)] = u64(i)
    return u32(counts[7])


def map_bound(ctx):
    cells[1] = u64(len(ctx))
    t = u64(0)
    for i in range(bounded(cells[1], max=200)):
        t += i
        if cells[1] & 1:
            cells[1] += 1
    return u32(t + cells[1])


def map_in_test(ctx):
    cells[0] = u64(0)
    while cells[0] < 300:
        cells[0] += 7
        if cells[0] == 70:
            seen.value += 1
    return u32(cells[0] + seen.value)


def globals_changed(ctx):
    seen.value = 5
    for i in range(3000):
        seen.value = seen.value * 3 + i
        if seen.value & 256:
            seen.value = seen.value ^ 77
    return u32(seen.value)


def array_sorted(ctx):
    row = u32[8]()
    for i in range(8):
        row[i] = u32((len(ctx) * (i + 3) * 37) & 255)
    for i in range(8):
        for j in range(7):
            if row[j] > row[j + 1]:
                x = row[j]
                row[j] = row[j + 1]
                row[j + 1] = x
    return u32(row[0] + row[3] * 256 + row[7] * 65536)


def array_sieve(ctx):
    flags = u8[128]()
    t = 0
    for i in range(2, 128):
        if flags[i] == 0:
            t += i
            j = i * i
            while j < 128:
                flags[j] = u8(1)
                j += i
    return u32(t)


def array_scan(ctx):
    row = u8[64]()
    for i in range(64):
        row[i] = u8(i * 7)
    t = u32(0)
    for v in row:
        if v == 0:
            continue
        t += v
        if t > 3000:
            break
    return t


def packet_bytes(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 0
    t = u32(0)
    for i in range(6):
        t = u32(t * 31 + eth.src[i])
        if eth.dst[i] == 3:
            t += 1
    return t


def packet_in_loop(ctx):
    t = u32(0)
    for i in range(80):
        b = ctx.packet(u8, at=i)
        if b is None:
            break
        t = u32(t * 31 + b)
    else:
        t += 1
    return t


def packet_walk(ctx):
    """As options of a header are walked: each tells where the next one is."""
    at = 0
    t = u32(0)
    for i in range(40):
        b = ctx.packet(u8, at=at)
        if b is None:
            break
        if b == 0:
            at += 1
            continue
        t += b
        at += (b & 15) + 1
        if at > 200:
            break
    return t


def packet_written(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 0
    for i in range(100):
        eth.src[i % 6] = u8(eth.src[(i + 1) % 6] + i)
    return u32(eth.src[0] + eth.src[5] * 256)


@subprogram
def mix(a: u64, b: u64):
    t = a
    for i in range(30):
        if t & 1:
            t = t * 3 + b
        else:
            t >>= 1
    return t


@subprogram
def long_mix(a: u64):
    t = a
    for i in range(50000):
        if t & 4:
            t += i
        t ^= 3
    return t


def calls_subprogram(ctx):
    t = u64(len(ctx))
    for i in range(20):
        t = mix(t, u64(i))
        if t & 15 == 3:
            break
    return u32(t)


def calls_in_nested(ctx):
    t = u64(len(ctx))
    for i in range(len(ctx) & 7):
        for j in range(5):
            t += mix(t, u64(j))
    return u32(t)


def calls_long(ctx):
    t = u64(len(ctx))
    for i in range(3):
        t = long_mix(t + i)
        while t & 7 != 0:
            t += 1
    return u32(t)


def helper_of(n, k):
    t = u64(1)
    while t * t < n:
        t += k
        if t & 31 == 31:
            return t
    return t + 1


def inlined_loops(ctx):
    t = u64(0)
    for i in range(30):
        t += helper_of(u64(i * len(ctx)), 1)
        t += helper_of(t & 1023, 2)
    return u32(t)


def early_return(ctx):
    for i in range(len(ctx)):
        for j in range(len(ctx)):
            if i * j == 42 and i > 3:
                return u32(i * 100 + j)
    return 1


def return_from_while(ctx):
    n = u64(len(ctx))
    while True:
        n = n * 7 + 3
        if n & 0xFF == 0x11:
            return u32(n)
        if n & 0xFFFF == 0x1234:
            return 5
        if n > 1 << 60:
            n >>= 33
    return 3


def loop_variable_kept(ctx):
    i = 99
    for i in range(len(ctx)):
        if i * 3 > 100:
            break
    return u32(i)


def loop_variable_assigned(ctx):
    t = 0
    for i in range(100):
        i = i * 2 + 1
        t += i
        if i > 150:
            break
    return u32(t + i)


def fibonacci(ctx):
    a, b = u64(0), u64(1)
    for _ in range(len(ctx)):
        a, b = b, a + b
    return u32(a)


def gcd(ctx):
    a, b = u64(len(ctx) * 84), u64(360)
    while b != 0:
        a, b = b, a % b
    return u32(a)


def digits(ctx):
    n = u64(len(ctx)) * 123456789
    t = 0
    while n > 0:
        t += n % 10
        n //= 10
    return u32(t)


def bits_counted(ctx):
    n = u64(len(ctx)) * 0x0123456789ABCDEF
    t = 0
    while n:
        n &= n - 1
        t += 1
    return u32(t)


def shifts(ctx):
    n = u64(len(ctx))
    t = u64(0)
    for i in range(64):
        if n >> i & 1:
            t |= u64(1) << (63 - i)
    return u32(t >> 32)


def crc(ctx):
    c = u32(0xFFFFFFFF)
    for i in range(64):
        b = ctx.packet(u8, at=i)
        if b is None:
            break
        c = u32(c ^ b)
        for _ in range(8):
            c = u32(c >> 1 ^ 0xEDB88320) if c & 1 else u32(c >> 1)
    return u32(~c & 0xFFFFFFFF)


def binary_search(ctx):
    lo, hi = u64(0), u64(1 << 32)
    target = u64(len(ctx)) * 7654321
    while lo < hi:
        mid = (lo + hi) // 2
        if mid < target:
            lo = mid + 1
        else:
            hi = mid
    return u32(lo)


def state_machine(ctx):
    state = u32(0)
    t = u32(0)
    for i in range(500):
        match state:
            case 0:
                state = u32(1 if i & 4 else 2)
            case 1:
                state = u32(3)
                t += 1
            case 2:
                if i % 7 == 0:
                    state = u32(0)
                t += 2
            case _:
                state = u32(0)
                t += 3
    return t


def toggles(ctx):
    a, b, c = u32(0), u32(0), u32(1)
    for i in range(1000):
        if a == 0:
            a, b = u32(1), c
        elif b == 1:
            b, c = u32(0), a
        else:
            a, c = u32(0), u32(1)
    return u32(a + b * 2 + c * 4)


def minimum(ctx):
    least, most = u64(1 << 40), u64(0)
    x = u64(len(ctx))
    for i in range(2000):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        least = min(least, x)
        most = max(most, x)
    return u32(least ^ most)


def conditional_bound(ctx):
    n = 100 if len(ctx) & 1 else 40
    t = 0
    for i in range(n):
        t += i
    for i in range(n // 3):
        t ^= i
    return u32(t)


def bound_changes(ctx):
    """range is evaluated once; while each time."""
    n = len(ctx) & 31
    t = 0
    for i in range(n):
        n += 5
        t += 1
    m = u64(10)
    i = u64(0)
    while i < m:
        i += 1
        if i & 3 == 0 and m < 100:
            m += 3
    return u32(t * 1000 + i)


def empty_loops(ctx):
    t = 5
    for i in range(0):
        t = 1
    for i in range(5, 3):
        t = 2
    for i in range(3, 5, -1):
        t = 3
    else:
        t += 10
    while t < 3:
        t = 4
    return u32(t)


def while_else(ctx):
    n = u64(len(ctx))
    t = 0
    while n > 10:
        n -= 3
        if n == 37:
            t += 1000
            break
        t += 1
    else:
        t += 100
    return u32(t)


def triangle(ctx):
    t = u64(0)
    for i in range(60):
        for j in range(i):
            for k in range(j):
                t += k
    return u32(t)


def one_million(ctx):
    t = u64(0)
    for i in range(1000000):
        t += i
    return u32(t)


def count_down_while(ctx):
    n = 5000
    t = u64(0)
    while n > 0:
        t = t * 3 + n
        n -= 1
        if n & 7 == 0:
            n -= 2
    return u32(t)


def two_steps(ctx):
    """The test's name is stepped twice, by numbers of unlike size."""
    n = u64(0)
    t = 0
    while n < 60000:
        n += 10000
        t += 1
        if t > 3:
            n -= 9999
        if t == 500:
            break
    return u32(t)


def small_then_large(ctx):
    n = 0
    t = u32(0)
    while n < 100000:
        n += 1
        if t & 1:
            n += 3
        t = u32(t * 5 + n)
        n += 2
    return t


def step_undone(ctx):
    """What a first constant step says of the rounds is not true."""
    n = 0
    t = u64(0)
    while n < 64:
        n += 32
        t += 1
        if t < 70000:
            n -= 32
    return u32(t)


def stepped_in_if(ctx):
    n = 0
    t = 0
    while n < 1000:
        n += 100
        if t < 5000:
            n = 0
        t += 1
    return u32(t)


def index_behind_join(ctx):
    """What branches told of an index is gone where they meet."""
    k = u64(len(ctx)) % 11
    row = u64[8]()
    t = u64(1)
    for i in range(400):
        if k < 8:
            row[k] += i
            if t & 1:
                t += row[k]
            else:
                t ^= row[k] + 1
            row[k] ^= t
        else:
            t += 2
        k = (k * 5 + t) % 11
    return u32(t)


def index_guarded_outside(ctx):
    k = u64(len(ctx)) & 15
    row = u64[16]()
    if k > 12:
        k = u64(3)
    for i in range(5000):
        row[k] += i
        if row[k] & 64:
            row[15 - k] ^= 3
    return u32(row[k] + row[15 - k])


def index_counts(ctx):
    row = u8[50]()
    i = 0
    while i < 50:
        row[i] = u8(i * len(ctx))
        i += 1
        if i & 7 == 5:
            i += 2
    t = u32(0)
    j = 49
    while 0 <= j < 50:
        t = u32(t * 3 + row[j])
        j -= 1
    return t


def unrolled_around_long(ctx):
    t = u64(len(ctx))
    for i in unroll(range(4)):
        for j in range(70000):
            t += j ^ i
            if t & 1:
                t >>= 1
    return u32(t)


def loops_in_branches(ctx):
    t = u64(len(ctx))
    if t & 1:
        for i in range(80000):
            t += i & 3
    elif t & 2:
        while t < 100000:
            t += 7
    else:
        for i in range(10):
            for j in range(70000):
                t ^= j
                if t & 1:
                    break
    return u32(t)


def one_after_another(ctx):
    t = u64(len(ctx))
    for i in range(300):
        if t & 1:
            t += i
    for i in range(300):
        if t & 2:
            t ^= i
    for i in range(300):
        if t & 4:
            t += 3
    return u32(t)


def six_variables(ctx):
    a = b = c = d = e = f = u64(len(ctx))
    for i in range(5000):
        a += b ^ i
        b += c & 7
        c ^= d
        d = d * 3 + e
        e += f >> 1
        f ^= a
        if a & 64:
            b, c = c, b
    return u32(a + b + c + d + e + f)


def continue_in_while(ctx):
    n = u64(len(ctx)) * 3
    t = 0
    while n > 0:
        n -= 1
        if n & 1:
            continue
        if n & 2:
            t += 1
            continue
        t += 10
    return u32(t)


def chained_test(ctx):
    i = u64(3)
    t = 0
    while 2 < i < 5000 and t < 300:
        i = i * 2 if t & 1 else i - 1
        t += 1
        if not i & 7:
            i += 5
    return u32(i + t)


def vague_on_one_way(ctx):
    """The bound of an index, which the verifier has seen on one of two ways only."""
    n = u64(len(ctx)) * 7 & 7
    n = n * n
    m = u64(len(ctx)) % 9
    row = u64[8]()
    for i in range(600):
        if len(ctx) & 1:
            if n >= m:
                n = u64(2)
                continue
        elif n > 7:
            n = u64(3)
            continue
        row[n] += i
        n = row[n] & 15
    return u32(row[2] + row[3])


def bound_unknown(ctx):
    """Before 6.8 the verifier learns nothing from comparing two numbers that it does not know."""
    n = u64(len(ctx)) * 5 & 31
    m = u64(len(ctx)) & 7
    row = u64[8]()
    for i in range(40):
        if n < m:
            row[n] += i
        n = (n * 3 + i) & 31
    return u32(row[0] + row[1] * 7 + row[2])


def number_met_in_a_round(ctx):
    """The counter is known in the rounds behind that with `i == 2`, and the field lies there in another way than before."""
    p = Pair()
    n = u32(0)
    for i in range(bounded(len(ctx) * 100, max=100_000)):
        p.a = u64(i & 3)
        if i == 2:
            counts[u32(p.a)] = 7
            p.b = n
        if counts[u32(p.a + n)] > 3 and p.b != 9:
            n += 1
    return n + p.b


def start_divided(ctx):
    """The verifier loses the bounds of what was divided, and the mask would change nothing."""
    n = u32(u32(u32(len(ctx) & 7) // (u32(len(ctx) & 1) | 1)) & 7)
    t = u64(0)
    while n > 0:
        n = u32(n - 1)
        t += n * 3
        if t & 5 == 1:
            continue
        t ^= 6
    return u32(t + n)


def many_in_rounds(ctx):
    """So many variables that the counter lies on the stack, where tests of it are lost before Linux 6.8."""
    a, b, c, d, e, f = u64(1), u64(2), u64(3), u64(5), u64(8), u64(13)
    for i in range(len(ctx) & 7):
        counts[u32(i & 1)] += 1
        a, b, c, d, e, f = b + i, c ^ a, d, e & b, f + d, a
        for k in range(20):
            if cells[k & 7] == 3:
                cells[1] = d
            counts[5] = a
        n = u32(a & 7)
        while n > 0:
            n = u32(n - 1)
            counts[n] = e
            if cells[n & 3] == b:
                return u32(c)
    return u32(a + b * 3 + c * 5 + d * 7 + e * 11 + f * 13)


@subprogram
def inner_sum(n: u64):
    t = u64(0)
    for i in range(n & 7):
        t += i * n
        counts[u32(i)] = t
    return t


def call_in_else(ctx):
    t = u64(0)
    for i in range(len(ctx) & 15):
        t += inner_sum(u64(i))
    else:
        t += inner_sum(u64(len(ctx)))
    return u32(t)


def walked_to_zero(ctx):
    """What is tested for being true, and counted down by one or halved, ends."""
    n = len(ctx) & 63
    t = u64(0)
    while n:
        t += n * 3
        n -= 1
    m = u64(len(ctx)) * 0x0123456789ABCDEF
    while m:
        t ^= m & 7
        m >>= 3
    k = u32(len(ctx))
    while k > 1:
        k >>= 1
        t += k
    return u32(t)


def ended_by_counter(ctx):
    n = u64(len(ctx))
    i = 0
    while n != 1 and i < 200:
        n = n // 2 if n & 1 == 0 else n * 3 + 1
        i += 1
    return u32(n) + i


def to_a_masked_end(ctx):
    i = 0
    t = u64(0)
    while i < len(ctx) & 63:
        t += i
        i += 1
    return u32(t)


def told_by_equality(ctx):
    """What a round's test shows of numbers from outside goes through all further rounds."""
    a, b = u64(len(ctx)) * 7, u64(len(ctx)) * 11
    n = u32(0)
    for i in range(90):
        if a == i * 7:
            n += 3
        if b == i * 11:
            n += 1
    return n


def told_of_the_context(ctx):
    n = u32(0)
    if ctx.ingress_ifindex == 3:
        n += 1
    for i in range(100):
        if ctx.ingress_ifindex == i:
            n += 3
        if counts[u32(i)] == 0:
            n += 1
    return n + u32(len(ctx))


def assigned_in_the_test(ctx):
    """A test that gives a name its value is made once, where a round begins, and once more after the last one."""
    n = u64(len(ctx))
    t = u64(0)
    i = 0
    calls = 0
    while (calls := calls + 1) < 500 and i < n * 3:
        i += 1
        if (n ^ i) & 3 == 0:
            t += n * i
        elif (n & i) & 1:
            t ^= 0xFFFF
        else:
            t += counts[i & 63]
        counts[u32(i & 63)] += 1
    return u32(t) + calls * 7


def assigned_and_indexed(ctx):
    """Rounds end by what lies in memory or by a counter; either is told to no verifier."""
    rows = u32[16]()
    n = len(ctx)
    for k in range(16):
        rows[k] = u32(n * k) & 31
    i = u32(n & 3)
    t = u64(0)
    while (row := rows[i]) != 7 and i < 15:
        t += row * i
        i += 1
        if t & 1:
            rows[i - 1] = row + 1
            continue
        t ^= n
    else:
        t += row
    return u32(t)


def assigned_in_a_loop(ctx):
    t = u64(0)
    for k in range(20):
        n = u32(len(ctx) + k)
        steps = 0
        while (n := n >> 1) and steps < 40:
            steps += 1
            if n & 1:
                t += steps
        t = t * 3 + steps
    return u32(t)


def counted_in_objects(ctx):
    """What rounds change in objects on the stack tells them apart as what they change in numbers does."""
    x, y = Pair(), Pair(a=1)
    n = len(ctx)
    for i in range(100):
        if n >> (i & 7) & 1:
            x.a += 1
        elif n >> (i & 3) & 1:
            y.a += 2
        else:
            y.b += u32(x.a)
        if x.a == 70:
            break
    return u32(x.a * 1000 + y.a + y.b)


def counted_down_inside(ctx):
    """What the inner loop begins with is 1 at least, as the outer one counts; the verifier takes it for 0, too."""
    n = len(ctx)
    i = u32(0)
    t = u32(0)
    while True:
        i = u32(i + 1)
        if i > 4:
            break
        j = i
        while j > 0:
            j = u32(j - 1)
            if n >> (j & 7) & 1:
                t += 1
            if n >> (j & 7) & 2:
                t ^= 3
            elif n >> (j & 7) & 8:
                t += u32(n)
            cells[j & 7] += t
    return t


def bounded_more_than_there_are(ctx):
    """The number is smaller than its `max`, as the compiler knows and the verifier does not."""
    n = u8(len(ctx))
    t = u32(0)
    for i in range(bounded(n // 100, max=4)):
        t += u32(i) * n + 7
        if t & 1:
            cells[i] += t
    for i in range(9, bounded(n // 40, max=12), -1):
        t ^= u32(i) + n
    return t
