/* Many kinds of programs, sections and data in one object. */
#include "common.h"
struct big { u64 a[4]; u32 b : 3, c : 7; u8 d[5]; } __attribute__((packed));
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(key_size, 16); __type(value, struct big); __uint(max_entries, 7);
         __uint(pinning, LIBBPF_PIN_BY_NAME); __uint(map_flags, 1); } pinned SEC(".maps");
struct { __uint(type, 30); __uint(value_size, 8); __uint(max_entries, 100); __uint(map_extra, 5); } bloom SEC(".maps");
struct { __uint(type, 4); __uint(key_size, 4); __uint(value_size, 4); } events SEC(".maps");
const char messages[3][8] SEC(".rodata.text") = { "one", "two", "three" };
static volatile const struct big fixed = { .a = { 1, 2, 3 }, .d = "abcd" };
static volatile u32 hidden_counter = 3;
u32 numbers[5] = { 1, 2, 3, 4, 5 };
volatile u32 unused SEC(".bss.more");

__attribute__((noinline)) __hidden int hidden(u64 n) { hidden_counter += n; return hidden_counter; }
__attribute__((noinline)) __weak int weak_one(u64 n) { return hidden(n) + 1; }
static __attribute__((noinline)) int chain3(u64 n) { return hidden(n * 3); }
static __attribute__((noinline)) int chain2(u64 n) { return chain3(n) + weak_one(n); }
static __attribute__((noinline)) int chain1(u64 n) { return chain2(n) + chain3(n + 1); }

SEC("socket") int filter(void *skb) { return chain1(5) + fixed.a[1]; }
SEC("tc") int classify(void *skb)
{
	u32 i = hidden(2);
	if (i < 5)
		numbers[i]++;
	return i < 3 ? messages[i][1] : 0;
}
SEC("tc") int second(void *skb) { return weak_one(1); }
SEC("tracepoint/syscalls/sys_enter_openat") int traced(void *ctx)
{
	u8 key[16] = {};
	struct big *b = bpf_map_lookup_elem(&pinned, key);
	u64 v = 1;
	if (b) v = b->c;
	bpf_map_push_elem(&bloom, &v, 0);
	return bpf_perf_event_output(ctx, &events, 0xffffffffULL, &v, sizeof(v));
}
SEC("cgroup_skb/egress") int egress(void *skb) { return 1; }
SEC("perf_event") int sampled(void *ctx) { return 0; }
SEC("xdp.frags") int frags(struct xdp_md *ctx) { return (void *)(long)ctx->data + 4 > (void *)(long)ctx->data_end ? 1 : 2; }
SEC("raw_tp/sys_enter") int raw(void *ctx) { return unused; }
SEC("?fentry/do_nanosleep") int entered(void *ctx) { return 0; }
SEC("?lsm/file_open") int opened(void *ctx) { return 0; }
SEC("syscall") int call(void *ctx) { return 0; }
SEC("sk_lookup") int lookup(void *ctx) { return 1; }
