// The programs of memory.py in C.
#include "twins.h"

struct pair { __u32 a, b; };
struct flags { __u32 kind : 3, level : 5, rest : 24; __s32 sign : 6; __u32 more : 26; };
struct wire { __be16 port; __u8 kind, flags; __be32 addr; __be64 id; };
struct outer {
	__u32 first;
	struct pair pair;
	union { __u32 whole; __u8 bytes[4]; __u16 words[2]; } address;
	struct pair pairs[4];
	__u16 counts[4];
};
struct name { char text[8]; };
static const __u8 PRIMES[] = {2, 3, 5, 7, 11, 13, 17, 19};
static const __u64 WIDE[] = {1ull << 40, 1ull << 50, 3, 4};
__u64 total;
volatile __u32 limit = 1000;
const volatile __u32 fixed = 7;
volatile __s16 sign = -3;
struct pair pair;
__u32 histogram[8];

#define VIEW(type, p)                                          \
	struct type *p = (void *)(long)ctx->data;              \
	if ((void *)(p + 1) > (void *)(long)ctx->data_end)     \
		return 0

TC(fields) { struct pair p = { skb->mark }; p.b = p.a + skb->priority; return p.a ^ p.b; }
XDP(bit_fields_read) { VIEW(flags, f); return f->kind * 1000 + f->level + f->sign; }
XDP(bit_fields_written) { VIEW(flags, f); f->kind = 5; f->level = f->kind + 1; f->rest = f->more & 0xffffff; return 2; }
XDP(big_endian) { VIEW(wire, w); w->port = bpf_htons(bpf_ntohs(w->port) + 1); w->addr = bpf_htonl(0x0A000001); w->kind = 3; w->id = bpf_cpu_to_be64(bpf_be64_to_cpu(w->id) + 1); return 3; }
XDP(big_endian_compared) { VIEW(wire, w); if (bpf_ntohs(w->port) == 53 && bpf_ntohl(w->addr) != 0x7F000001) return 1; return bpf_ntohs(w->port) > 1024 ? 2 : 3; }
XDP(big_endian_copied) { struct wire *w = (void *)(long)ctx->data; if ((void *)(w + 2) > (void *)(long)ctx->data_end) return 0; w[1].port = w[0].port; w[1].addr = w[0].addr; w[1].id = w[0].id; return 3; }
XDP(unions) { VIEW(outer, o); o->address.whole += 1; o->address.bytes[3] = o->address.bytes[0]; return 2; }
XDP(nested) { VIEW(outer, o); o->pair.a += o->pairs[2].b; o->pairs[1] = o->pair; return 2; }
TC(stack_array) { __u32 a[4] = {}; a[skb->mark & 3] = skb->priority; a[0] += 5; return a[0] + a[1] + a[2] + a[3]; }
TC(stack_zeroed) { struct pair p = { .b = skb->mark }; if (p.b > 7) p.a = 3; return p.b + p.a; }
TC(structures_compared) { return skb->mark == 7 && skb->priority == 5 ? 1 : 2; }
XDP(copied_out) { VIEW(outer, o); struct pair p = { o->pair.a, o->pair.b }; o->pairs[0] = p; return p.a & 0xff; }
XDP(texts) { VIEW(name, n); if (n->text[0] == 'G') n->text[0] = 'P'; return 2; }
TC(table_of_bytes) { return PRIMES[skb->mark & 7]; }
TC(table_of_wide) { return WIDE[skb->mark & 3] >> 20; }
TC(table_tested) { __u32 n = skb->mark; if (n < 8) return PRIMES[n]; return 0; }
TC(global_variable) { __sync_fetch_and_add(&total, 1); return 0; }
TC(globals_read) { return sign < 0 ? limit + fixed : 0; }
TC(global_structure) { pair.a = skb->mark; __sync_fetch_and_add(&pair.b, 1); return 0; }
TC(global_array) { __sync_fetch_and_add(&histogram[skb->mark & 7], 1); return ((volatile __u32 *)histogram)[0]; }
TC(many_names)
{
	__u32 a = skb->mark, b = skb->priority, c = skb->len, d = a * 3;
	__u32 e = a ^ b, f = b ^ c, g = c ^ d, h = d ^ a, i = a * b, j = b * c, k = c * d, m = d * e;
	return a + b * 3 + c * 5 + d * 7 + e * 11 + f * 13 + g * 17 + h * 19 + i * 23 + j * 29 + k * 31 + m * 37;
}
