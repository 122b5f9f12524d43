// What the C twins of the constructs share.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TC(name) SEC("tc") int name(struct __sk_buff *skb)
#define XDP(name) SEC("xdp") int name(struct xdp_md *ctx)
#define MIN(a, b) ({ typeof(a) _a = (a); typeof(a) _b = (b); _a < _b ? _a : _b; })
#define MAX(a, b) ({ typeof(b) _c = (a); typeof(b) _d = (b); _c > _d ? _c : _d; })
#define MAP(name, kind, k, v, n)             \
	struct {                             \
		__uint(type, kind);          \
		__type(key, k);              \
		__type(value, v);            \
		__uint(max_entries, n);      \
	} name SEC(".maps")

char _license[] SEC("license") = "GPL";
