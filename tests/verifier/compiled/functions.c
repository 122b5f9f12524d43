#include "bpf.h"

struct pair { int a, b; };
struct task_struct { int pid; } __attribute__((preserve_access_index));

map(programs, 3, 2, u32, u32);
map(pairs, 1, 1, u32, struct pair);

noinline int number(int x) { volatile int y = x; return y + 1; }
noinline void nothing(int x) { volatile int y = x; }
noinline void *pointer(int x) { volatile int y = x; return 0; }
noinline int memory(struct pair *pair) { return pair ? pair->a : 0; }
noinline int not_null(struct pair *pair tag("arg:nonnull")) { return pair->b; }
noinline int packet(struct __sk_buff *skb) { return skb ? skb->len : 0; }
noinline int context(void *context tag("arg:ctx")) { hide(context); return context != 0; }
noinline int anything(int *x tag("arg:untrusted")) { return *x; }
noinline int two_tags(void *context tag("arg:ctx") tag("arg:nonnull")) { return context != 0; }
noinline int throws(int x) { if (x) bpf_throw(x); return 0; }
static noinline int jumps(struct __sk_buff *skb) { int result = 2; tail_call(skb, &programs, 1); hide(result); return result; }
static noinline void jumps_away(struct __sk_buff *skb) { tail_call(skb, &programs, 1); }

SEC("tc") int ok__number(struct __sk_buff *skb) { return number(skb->len); }
SEC("tc") int argument__pointer_as_number(struct __sk_buff *skb) { return number((long)skb); }
SEC("tc") int argument__returns_nothing(struct __sk_buff *skb) { nothing(1); return 0; }
SEC("tc") int argument__returns_pointer(struct __sk_buff *skb) { return pointer(1) != 0; }
SEC("tc") int ok__memory(struct __sk_buff *skb) { struct pair pair = {1, 2}; return memory(&pair); }
SEC("tc") int ok__no_memory(struct __sk_buff *skb) { return memory(0); }
SEC("tc") int argument__half_of_the_memory(struct __sk_buff *skb) { int x = skb->len; return memory((void *)&x); }
SEC("tc") int ok__maybe_memory(struct __sk_buff *skb) { u32 key = 0; return memory(lookup(&pairs, &key)); }
SEC("tc") int argument__null(struct __sk_buff *skb) { return not_null(0); }
SEC("tc") int argument__maybe_null(struct __sk_buff *skb) { u32 key = 0; return not_null(lookup(&pairs, &key)); }
SEC("tc") int ok__packet(struct __sk_buff *skb) { return packet(skb); }
SEC("tc") int argument__moved_packet(struct __sk_buff *skb) { return packet((void *)skb + 4); }
SEC("xdp") int argument__packet_of_another_kind(struct xdp_md *md) { return packet((void *)md); }
SEC("xdp") int ok__context(struct xdp_md *md) { return context(md); }
SEC("tc") int argument__no_context(struct __sk_buff *skb) { return context(0); }
SEC("tc") int ok__anything(struct __sk_buff *skb) { return anything((void *)skb); }
SEC("tc") int argument__two_tags(struct __sk_buff *skb) { return two_tags(skb); }

SEC("tc") int ok__without_preemption(struct __sk_buff *skb)
{
	int result;

	bpf_preempt_disable();
	result = number(skb->len);
	bpf_preempt_enable();
	return result;
}

SEC("tc") int ok__throws(struct __sk_buff *skb) { bpf_throw(1); return 0; }
SEC("tc") int ok__function_throws(struct __sk_buff *skb) { return throws(skb->len); }

SEC("tc") int lock__throws_without_preemption(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_throw(1);
	bpf_preempt_enable();
	return 0;
}

SEC("tc") int ok__tail_call(struct __sk_buff *skb) { return jumps(skb); }
SEC("tc") int btf__tail_call_from_void(struct __sk_buff *skb) { jumps_away(skb); return 0; }

SEC("tc") int type__packet_after_tail_call(struct __sk_buff *skb)
{
	u8 *data = (void *)(long)skb->data;

	if ((void *)data + 1 > (void *)(long)skb->data_end)
		return 0;
	if (jumps(skb) == 2)
		return 0;
	return *data;
}

SEC("tc") int ok__kernel_context(struct __sk_buff *skb)
{
	struct sk_buff { u32 len; } __attribute__((preserve_access_index)) *kernel = bpf_cast_to_kern_ctx(skb);

	return kernel->len;
}
