// The C twins of the programs in benchmarks/_programs.py and examples/, for comparison with clang -O2.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, k, v, n)             \
	struct {                             \
		__uint(type, kind);          \
		__type(key, k);              \
		__type(value, v);            \
		__uint(max_entries, n);      \
	} name SEC(".maps")

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");

// linux/icmp.h wants the C library's headers.
#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8
struct icmphdr { __u8 type, code; __be16 checksum, id, sequence; };

struct flow { __u32 source, dest; __u16 sport, dport; __u32 protocol; };
struct stats { __u64 packets, bytes; };
struct bucket { __u64 tokens, updated; };
struct prefix { __u32 len; __u32 addr; };

MAP(packets, BPF_MAP_TYPE_HASH, __u32, __u64, 256);
MAP(blocked, BPF_MAP_TYPE_HASH, __u16, __u64, 1024);
MAP(sent, BPF_MAP_TYPE_ARRAY, __u32, __u64, 256);
MAP(flows, BPF_MAP_TYPE_HASH, struct flow, struct stats, 4096);
MAP(buckets, BPF_MAP_TYPE_LRU_HASH, __u32, struct bucket, 65536);
MAP(ports, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 65536);
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix);
	__type(value, __u64);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} refused SEC(".maps");

volatile __u32 rate = 1000000000;
__u64 dropped, marked, samples;

static __always_inline void count_in(void *map, __u32 key)
{
	__u64 zero = 0, *value = bpf_map_lookup_elem(map, &key);
	if (!value) {
		bpf_map_update_elem(map, &key, &zero, BPF_NOEXIST);
		value = bpf_map_lookup_elem(map, &key);
		if (!value)
			return;
	}
	__sync_fetch_and_add(value, 1);
}

SEC("socket") int count(struct __sk_buff *skb)
{
	count_in(&packets, load_byte(skb, 23));
	return 0;
}

SEC("socket") int outgoing(struct __sk_buff *skb)
{
	if (skb->pkt_type == 4) {
		__u32 key = load_byte(skb, 23);
		__u64 *value = bpf_map_lookup_elem(&sent, &key);
		if (value)
			__sync_fetch_and_add(value, skb->len);
	}
	return 0;
}

SEC("xdp") int drop_ports(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	struct udphdr *udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	__u16 port = bpf_ntohs(udp->dest);
	__u64 *hits = bpf_map_lookup_elem(&blocked, &port);
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	return XDP_DROP;
}

SEC("xdp") int flow_stats(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + 14;
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	struct flow key = {
		.source = bpf_ntohl(ip->saddr), .dest = bpf_ntohl(ip->daddr), .sport = bpf_ntohs(udp->source),
		.dport = bpf_ntohs(udp->dest), .protocol = ip->protocol,
	};
	struct stats *s = bpf_map_lookup_elem(&flows, &key);
	if (!s) {
		struct stats fresh = { .packets = 1, .bytes = end - data };
		bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	__sync_fetch_and_add(&s->packets, 1);
	__sync_fetch_and_add(&s->bytes, end - data);
	return XDP_PASS;
}

SEC("xdp") int echo(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_ICMP || ip->ihl != 5)
		return XDP_PASS;
	struct icmphdr *icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > end || icmp->type != ICMP_ECHO)
		return XDP_PASS;
	__u8 mac[6];
	__builtin_memcpy(mac, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, mac, 6);
	__u32 source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	icmp->type = ICMP_ECHOREPLY;
	__u32 total = bpf_ntohs(icmp->checksum) + (ICMP_ECHO << 8);
	icmp->checksum = bpf_htons((total & 0xffff) + (total >> 16));
	return XDP_TX;
}

SEC("xdp") int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct prefix key = { 32, ip->saddr };
	__u64 *drops = bpf_map_lookup_elem(&refused, &key);
	if (!drops)
		return XDP_PASS;
	__sync_fetch_and_add(drops, 1);
	return XDP_DROP;
}

SEC("xdp") int limit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	const __u64 second = 1000000000;
	__u64 now = bpf_ktime_get_ns(), full = rate * second;
	__u32 key = bpf_ntohl(ip->saddr);
	struct bucket *b = bpf_map_lookup_elem(&buckets, &key);
	if (!b) {
		struct bucket fresh = { full - second, now };
		bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	__u64 elapsed = now - b->updated;
	if (elapsed > second)
		elapsed = second;
	__u64 tokens = b->tokens + elapsed * rate;
	if (tokens > full)
		tokens = full;
	b->updated = now;
	if (tokens < second) {
		b->tokens = tokens;
		__sync_fetch_and_add(&dropped, 1);
		return XDP_DROP;
	}
	b->tokens = tokens - second;
	return XDP_PASS;
}

SEC("tc") int mark(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP)
		return 0;
	struct udphdr *udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > end || udp->dest != bpf_htons(53))
		return 0;
	skb->mark = 0x35;
	__sync_fetch_and_add(&marked, 1);
	return 0;
}

SEC("xdp") int vlan_ports(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	__u16 type = bpf_ntohs(eth->h_proto);
	void *at = eth + 1;
	for (int i = 0; i < 2; i++) {
		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			break;
		__be16 *tag = at;
		if ((void *)(tag + 2) > end)
			return XDP_PASS;
		type = bpf_ntohs(tag[1]);
		at += 4;
	}
	if (type != ETH_P_IP)
		return XDP_PASS;
	struct iphdr *ip = at;
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	__u32 key = bpf_ntohs(udp->dest);
	__u64 *value = bpf_map_lookup_elem(&ports, &key);
	if (value)
		*value += 1;
	return XDP_PASS;
}

SEC("xdp") int checksum(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *word = data + 14;
	if ((void *)(word + 10) > end)
		return XDP_PASS;
	__u32 total = 0;
	for (int i = 0; i < 10; i++)
		total += bpf_ntohs(word[i]);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	return total == 0xffff ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int forward(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + 14;
	if ((void *)(ip + 1) > end || ip->ttl <= 1)
		return XDP_DROP;
	ip->ttl -= 1;
	__u32 sum = bpf_ntohs(ip->check) + 0x100;
	ip->check = bpf_htons((sum & 0xffff) + (sum >> 16));
	return XDP_TX;
}

SEC("xdp") int sample(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + 14;
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	__u32 hash = bpf_ntohl(ip->saddr) * 2654435761u;
	hash ^= bpf_ntohl(ip->daddr) + (hash << 6) + (hash >> 2);
	hash ^= ((__u32)bpf_ntohs(udp->source) << 16 | bpf_ntohs(udp->dest)) + (hash << 6) + (hash >> 2);
	hash ^= hash >> 15;
	if (hash % 100 < 37) {
		__sync_fetch_and_add(&samples, 1);
		return XDP_DROP;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
