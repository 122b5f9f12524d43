// The programs of maps.py in C.
#include "twins.h"

struct pair { __u32 a, b; };
struct event { __u32 len; __u16 mode; };
struct guarded { struct bpf_spin_lock lock; __u32 count; };
MAP(counts, BPF_MAP_TYPE_HASH, __u32, __u64, 16);
MAP(narrow, BPF_MAP_TYPE_HASH, __u8, __u16, 16);
MAP(pairs, BPF_MAP_TYPE_HASH, struct pair, __u64, 16);
MAP(stats, BPF_MAP_TYPE_HASH, __u32, struct pair, 16);
MAP(recent, BPF_MAP_TYPE_LRU_HASH, __u32, __u32, 16);
MAP(slots, BPF_MAP_TYPE_ARRAY, __u32, __u64, 8);
MAP(one, BPF_MAP_TYPE_ARRAY, __u32, struct pair, 1);
MAP(local, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 1);
MAP(guarded, BPF_MAP_TYPE_ARRAY, __u32, struct guarded, 1);
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __type(value, __u32); __uint(max_entries, 4); } queue SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK); __type(value, struct pair); __uint(max_entries, 4); } stack SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __type(value, __u32); __uint(max_entries, 64); } bloom SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u32); } programs SEC(".maps");

TC(counted)
{
	__u32 key = skb->mark;
	__u64 zero = 0, *v = bpf_map_lookup_elem(&counts, &key);
	if (!v) {
		bpf_map_update_elem(&counts, &key, &zero, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&counts, &key);
		if (!v) return 0;
	}
	__sync_fetch_and_add(v, 1);
	return 0;
}
TC(stored) { __u32 key = skb->mark; __u64 v = skb->len; bpf_map_update_elem(&counts, &key, &v, 0); return 0; }
TC(read) { __u32 key = skb->mark; __u64 *v = bpf_map_lookup_elem(&counts, &key); return v ? *v : 0; }
TC(read_or) { __u32 key = skb->mark; __u64 *v = bpf_map_lookup_elem(&counts, &key); return v ? *v : 7; }
TC(looked_up)
{
	__u32 key = skb->mark;
	struct pair *s = bpf_map_lookup_elem(&stats, &key);
	if (!s) {
		struct pair fresh = { 1, skb->len };
		bpf_map_update_elem(&stats, &key, &fresh, 0);
		return 1;
	}
	__sync_fetch_and_add(&s->a, 1);
	return s->b;
}
TC(present) { __u32 key = skb->mark; return bpf_map_lookup_elem(&counts, &key) ? 1 : 0; }
TC(absent) { __u32 key = skb->mark; if (!bpf_map_lookup_elem(&counts, &key)) return 5; return 6; }
TC(structure_key) { struct pair key = { skb->mark, skb->len }; return bpf_map_lookup_elem(&pairs, &key) ? 1 : 0; }
TC(deleted) { __u32 key = skb->mark; bpf_map_delete_elem(&counts, &key); return 0; }
TC(updated) { __u32 key = skb->mark; __u64 v = 5; return bpf_map_update_elem(&counts, &key, &v, 1) < 0 ? 1 : 0; }
TC(slot) { __u32 key = skb->mark & 7; __u64 *v = bpf_map_lookup_elem(&slots, &key); if (v) __sync_fetch_and_add(v, skb->len); return 0; }
#if __BPF_CPU_VERSION__ >= 3
TC(only) { __u32 key = 0; struct pair *s = bpf_map_lookup_elem(&one, &key); if (!s) return 0; __sync_fetch_and_or(&s->a, 4); s->b = skb->mark; return s->a; }
TC(operators)
{
	__u32 key = skb->mark;
	__u64 *c = bpf_map_lookup_elem(&counts, &key);
	if (c) {
		__sync_fetch_and_add(c, -1);
		__sync_fetch_and_or(c, 8);
		__sync_fetch_and_and(c, 0xff);
		__sync_fetch_and_xor(c, 1);
	}
	return 0;
}
#endif
TC(on_this_cpu) { __u32 key = 0; __u64 *v = bpf_map_lookup_elem(&local, &key); if (v) *v += skb->len; return 0; }
TC(queued) { __u32 v = skb->mark, w = 7, f; bpf_map_push_elem(&queue, &v, 0); bpf_map_push_elem(&queue, &w, 0); if (bpf_map_pop_elem(&queue, &f) < 0) return 0; return f; }
TC(stacked) { struct pair v = { skb->mark, 2 }, t; bpf_map_push_elem(&stack, &v, 0); if (bpf_map_peek_elem(&stack, &t) < 0) return 0; return t.a + t.b; }
TC(bloomed) { __u32 v = skb->mark; bpf_map_push_elem(&bloom, &v, 0); return bpf_map_peek_elem(&bloom, &v) == 0 ? 1 : 2; }
TC(record)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) return 0;
	e->len = skb->len; e->mode = 1;
	bpf_ringbuf_submit(e, 0);
	return 1;
}
TC(record_discarded)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) return 0;
	e->len = skb->len;
	if (skb->mark == 0) { bpf_ringbuf_discard(e, 0); return 2; }
	bpf_ringbuf_submit(e, 0);
	return 1;
}
TC(put_out) { struct event e = { skb->len, 2 }; bpf_ringbuf_output(&events, &e, sizeof(e), 0); return 1; }
TC(jumped) { bpf_tail_call(skb, &programs, skb->mark & 3); return 7; }
TC(locked) { __u32 key = 0; struct guarded *g = bpf_map_lookup_elem(&guarded, &key); if (!g) return 0; bpf_spin_lock(&g->lock); g->count += 2; bpf_spin_unlock(&g->lock); return g->count; }
TC(helper_called) { __u32 key = skb->mark; return bpf_map_delete_elem(&counts, &key) == 0 ? 1 : 2; }
static long add(void *m, __u32 *key, __u64 *value, struct pair *t) { t->a += *value; t->b += *key; return 0; }
TC(for_each) { struct pair t = {}; bpf_for_each_map_elem(&counts, add, &t, 0); return t.a * 100 + t.b; }
