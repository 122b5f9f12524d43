// The programs of control.py in C.
#include "twins.h"

TC(logic) { if ((skb->len > 60 && skb->mark != 0) || !skb->priority) return 1; return 2; }
TC(ladder) { __u32 n = skb->mark; int r; if (n < 10) r = 1; else if (n < 20) r = 5; else if (n == 77) r = skb->priority; else r = 9; return r; }
TC(early) { if (skb->mark == 0) return 0; __u32 n = skb->mark * 3; if (n > 1000) return 1000; return n; }
TC(conditional) { __u32 n = skb->mark > skb->priority ? skb->mark : skb->priority + 1; return n * 2; }
TC(value_of_or) { return skb->mark ?: skb->priority; }
TC(value_of_and) { return skb->mark ? skb->priority : 0; }
TC(named) { __u32 n = skb->mark * 2; if (n > 10) return n; return skb->priority; }
TC(counted_tests) { int n = 0; if (skb->mark > 5) n += 1; if (skb->priority > 5) n += 2; return n; }
TC(matched) { switch (skb->mark) { case 1: return 1; case 5: case 6: return 2; default: if (skb->mark > 100) return 3; } return 4; }
TC(matched_values)
{
	int r;
	switch (skb->mark) {
	case 0: r = 10; break;
	case 1: r = skb->priority; break;
	case 2: case 3: case 4: r = 30; break;
	default: r = 40;
	}
	return r + 1;
}
TC(member) { __u32 n = skb->mark; return n == 1 || n == 5 || n == 9 ? 1 : 2; }
TC(in_range) { return skb->mark >= 10 && skb->mark < 20 ? 1 : 2; }
static const __u8 PRIMES[] = {2, 3, 5, 7};
TC(table) { return PRIMES[skb->mark & 3]; }
TC(while_loop) { __u32 n = skb->mark; int bits = 0; while (n != 0 && bits < 32) { n >>= 1; bits++; } return bits; }
TC(unrolled) { __u32 t = 0; for (int i = 0; i < 4; i++) t += skb->mark >> (i * 8) & 0xff; return t; }
TC(copied) { __u32 h = skb->mark; for (int i = 0; i < 3; i++) { h ^= h << 13; h ^= h >> 17; } return h; }
TC(long_loop) { __u32 h = skb->mark; _Pragma("clang loop unroll(disable)") for (int i = 0; i < 100; i++) h = h * 31 + i; return h; }
TC(loop_of_data) { __u32 n = skb->mark & 0xff, t = 0; if (n > 64) n = 64; for (__u32 i = 0; i < n; i++) t += i & 3; return t; }
TC(nested_loops) { int n = 0; _Pragma("clang loop unroll(disable)") for (int i = 0; i < 12; i++) _Pragma("clang loop unroll(disable)") for (int j = 0; j < 12; j++) if (i * j == skb->mark) n++; return n; }
TC(break_and_continue) { int t = 0; _Pragma("clang loop unroll(disable)") for (int i = 0; i < 40; i++) { if (i & 1) continue; if (i > skb->mark) break; t += i; } return t; }
TC(loop_else) { _Pragma("clang loop unroll(disable)") for (int i = 0; i < 50; i++) if (i * i == skb->mark) return i; return 99; }
TC(over_constants) { int f = 0; _Pragma("unroll") for (int i = 0; i < 4; i++) if (skb->mark % PRIMES[i] == 0) f |= 1 << i; return f; }
TC(backwards) { int n = 0; _Pragma("clang loop unroll(disable)") for (int i = 60; i > 0; i -= 3) if (skb->mark >= i) n += i; return n; }
TC(endless) { __u64 n = skb->mark; int r = 0; while (1) { if (n <= 1 || r == 100) break; n = n & 1 ? n * 3 + 1 : n / 2; r++; } return r; }
TC(deleted_name) { return skb->mark + 1; }
TC(inlined) { return skb->mark + 21; }
static __always_inline __u32 clamp(__u32 n) { if (n > 100) return 100; if (n < 10) return 10; return n; }
TC(inlined_returns) { return clamp(skb->mark) + clamp(skb->priority); }
static __noinline __u32 scaled(__u32 n) { return n * 3; }
TC(called) { return scaled(skb->mark) + scaled(skb->priority); }
static __noinline __u32 larger(__u32 a, __u32 b, __u32 c) { return MAX(MAX(a, b), c); }
TC(called_with_three) { return larger(skb->mark, skb->priority, 1000); }
XDP(port_14) { __u8 *p = (void *)(long)ctx->data + 14; if ((void *)(p + 1) > (void *)(long)ctx->data_end) return 0; return *p == 28 ? 1 : 2; }
