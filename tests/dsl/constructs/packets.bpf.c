// The programs of packets.py in C.
#include "twins.h"
#include <linux/ipv6.h>
#include <linux/tcp.h>

#define AT(type, p, at)                                                                              \
	struct type *p = (void *)(long)ctx->data + (at);                                             \
	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
struct vlan { __be16 tci, type; };
struct option { __u8 kind, length; };
unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

XDP(header)
{
	AT(ethhdr, eth, 0) return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
	AT(iphdr, ip, 14) return XDP_PASS;
	AT(udphdr, udp, 14 + ip->ihl * 4) return XDP_PASS;
	return udp->dest == bpf_htons(53) ? XDP_DROP : XDP_PASS;
}
XDP(header_bits) { AT(tcphdr, tcp, 34) return 0; if (tcp->syn && !tcp->ack) return tcp->doff; return 1; }
XDP(ip_written)
{
	AT(iphdr, ip, 14) return XDP_PASS;
	ip->version = 4; ip->ihl = 5; ip->ttl -= 1;
	__u32 a = ip->saddr; ip->saddr = ip->daddr; ip->daddr = a;
	return XDP_TX;
}
XDP(addresses_swapped)
{
	AT(ethhdr, eth, 0) return XDP_PASS;
	__u8 mac[6];
	__builtin_memcpy(mac, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, mac, 6);
	return XDP_TX;
}
XDP(six)
{
	AT(ethhdr, eth, 0) return 1;
	if (eth->h_proto != bpf_htons(ETH_P_IPV6)) return 1;
	AT(ipv6hdr, ip, 14) return 1;
	return ip->nexthdr == IPPROTO_UDP && ip->hop_limit > 1 ? 2 : 3;
}
XDP(tags)
{
	AT(ethhdr, eth, 0) return 0;
	__u16 kind = eth->h_proto;
	int at = 14;
	for (int i = 0; i < 2; i++) {
		if (kind != bpf_htons(ETH_P_8021Q)) break;
		AT(vlan, tag, at) return 0;
		kind = tag->type;
		at += 4;
	}
	return kind == bpf_htons(ETH_P_IP) ? 2 : 1;
}
XDP(options)
{
	__u64 at = 34;
	int seen = 0;
	_Pragma("clang loop unroll(disable)") for (int i = 0; i < 6; i++) {
		AT(option, option, at) break;
		if (option->kind == 0) return seen;
		seen++;
		at += option->length;
	}
	return 99;
}
XDP(checksum)
{
	__be16 *w = (void *)(long)ctx->data + 14;
	if ((void *)(w + 10) > (void *)(long)ctx->data_end) return 0;
	__u32 total = 0;
	for (int i = 0; i < 10; i++) total += bpf_ntohs(w[i]);
	total = (total & 0xffff) + (total >> 16);
	return (__u16)~((total & 0xffff) + (total >> 16));
}
XDP(length) { return ctx->data_end - ctx->data > 100 ? 1 : 2; }
XDP(head_moved)
{
	if (bpf_xdp_adjust_head(ctx, -4) < 0) return XDP_ABORTED;
	__u32 *front = (void *)(long)ctx->data;
	if ((void *)(front + 1) > (void *)(long)ctx->data_end) return XDP_ABORTED;
	*front = 0x01020304;
	return XDP_PASS;
}
XDP(tail_cut) { return bpf_xdp_adjust_tail(ctx, -4) == 0 ? XDP_PASS : XDP_ABORTED; }
XDP(noted)
{
	if (bpf_xdp_adjust_meta(ctx, -4) < 0) return XDP_ABORTED;
	__u32 *note = (void *)(long)ctx->data_meta;
	if ((void *)(note + 1) > (void *)(long)ctx->data) return XDP_ABORTED;
	*note = 7;
	return XDP_PASS;
}
SEC("socket") int loaded(struct __sk_buff *skb) { return load_byte(skb, 23) + load_half(skb, 22) * 2 + load_word(skb, 12); }
TC(context_written) { skb->mark = skb->mark * 2; skb->priority = 7; skb->cb[0] = skb->len; return skb->mark + skb->cb[0]; }
TC(network_order) { return skb->protocol == bpf_htons(ETH_P_IP) ? 1 : 2; }
TC(stored) { __be16 port = bpf_htons(99); bpf_skb_store_bytes(skb, 36, &port, 2, 1); return 0; }
TC(checksum_replaced)
{
	struct iphdr *ip = (void *)(long)skb->data + 14;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end) return 2;
	bpf_l3_csum_replace(skb, 24, bpf_ntohl(ip->saddr), 0x0B000001, 4);
	return 0;
}
SEC("cgroup_skb/egress") int in_cgroup(struct __sk_buff *skb) { return skb->len > 60; }
