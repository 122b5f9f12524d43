#include "common.h"
struct event { u32 pid; u64 when; char comm[16]; struct { u16 a, b; } pair; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, u32); __type(value, struct event); __uint(max_entries, 64); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(key_size, 4); __uint(value_size, 24); __uint(max_entries, 3); __uint(map_flags, 1024); } plain SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 5000); } ring SEC(".maps");
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, u32); __type(value, u64); __uint(max_entries, 4); };
struct inner one SEC(".maps"), two SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 8); __type(key, u32); __array(values, struct inner); }
    outer SEC(".maps") = { .values = { [1] = &one, [5] = &two } };
int leaf(struct xdp_md *ctx);
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); }
    jumps SEC(".maps") = { .values = { [2] = (void *)&leaf } };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __type(key, u32); __type(value, u64); __uint(max_entries, 1); } counter SEC(".maps");

const volatile u32 threshold = 100;
const volatile char tag[8] = "abc";
volatile u64 total = 5;
volatile u64 seen;
volatile u32 custom SEC(".data.mine") = 77;

static __attribute__((noinline)) u64 bump(u64 by)
{
	u32 zero = 0;
	u64 *n = bpf_map_lookup_elem(&counter, &zero);
	if (n)
		*n += by;
	seen += by;
	return n ? *n : 0;
}
static __attribute__((noinline)) u64 twice(u64 x) { return bump(x) + bump(x + 1); }
__attribute__((noinline)) int global_sum(u32 a, u32 b) { return a + b + (int)twice(a); }

SEC("xdp") int entry(struct xdp_md *ctx)
{
	u32 key = ctx->ingress_ifindex, slot = 1;
	struct event *e = bpf_map_lookup_elem(&events, &key);
	if (e && e->pid > threshold)
		total += e->when + tag[1];
	void *map = bpf_map_lookup_elem(&outer, &slot);
	if (map) {
		u64 *v = bpf_map_lookup_elem(map, &slot);
		if (v) *v += 1;
	}
	void *room = bpf_ringbuf_reserve(&ring, 8, 0);
	if (room) bpf_ringbuf_submit(room, 0);
	bpf_tail_call(ctx, &jumps, 2);
	custom++;
	return global_sum(key, 3) & 1 ? 2 : 1;
}
SEC("xdp") int leaf(struct xdp_md *ctx)
{
	u32 key = 1;
	return bpf_map_lookup_elem(&plain, &key) ? (int)twice(7) & 1 : 2;
}
static long each(u32 i, void *ctx) { total += i; return i > 5; }
SEC("xdp/devmap") int looped(struct xdp_md *ctx)
{
	bpf_loop(10, each, 0, 0);
	return 2;
}
SEC("?kprobe/do_nanosleep") int probed(void *ctx) { return bump(3); }
