#include "common.h"
#define __CORE __attribute__((preserve_access_index))
struct list_head { struct list_head *next; } __CORE;
struct nsproxy { int dummy; } __CORE;
struct task_struct {
	int pid; int tgid; char comm[16]; struct task_struct *real_parent; u64 start_time; struct list_head tasks;
	unsigned sched_reset_on_fork : 1; unsigned in_execve : 1; unsigned no_such_bit : 3;
	int no_such_field; struct { int deep; } no_such_struct;
} __CORE;
struct task_struct___old { int pid; long state; } __CORE;
struct task_struct___new { int tgid; unsigned __state; } __CORE;
struct sk_buff { u32 len; unsigned char *data; u8 pkt_type : 3, ip_summed : 2; u16 transport_header; } __CORE;
struct no_such_type { int x; } __CORE;
struct no_such_type___v2 { int x; } __CORE;
enum bpf_map_type___mine { BPF_MAP_TYPE_HASH___x = 77, BPF_MAP_TYPE_NO_SUCH = 99, BPF_MAP_TYPE_LRU_HASH___y = 3 };
typedef struct { int counter; } atomic_t;
typedef int (*no_such_callback)(void);
enum no_such_enum { NOTHING_HERE = 5 };
struct bpf_prog { u16 pages; u32 len; u8 tag[8]; } __CORE;
union bpf_attr { int map_type; } __CORE;
struct path { int x; } __CORE;
struct file { u64 f_pos; } __CORE;
#include <bpf/bpf_core_read.h>

volatile u64 out[64];
const volatile int never = 0;

SEC("kprobe/do_nanosleep") int fields(void *ctx)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	out[0] = BPF_CORE_READ(t, pid);
	out[1] = BPF_CORE_READ(t, real_parent, tgid);
	out[2] = BPF_CORE_READ(t, start_time);
	char comm[16];
	BPF_CORE_READ_STR_INTO(&comm, t, comm);
	out[3] = comm[2];
	out[4] = (u64)BPF_CORE_READ(t, tasks.next);
	out[5] = bpf_core_field_exists(t->no_such_field);
	out[6] = bpf_core_field_exists(t->comm[3]);
	out[7] = bpf_core_field_size(t->comm);
	out[8] = bpf_core_field_offset(struct task_struct, tgid);
	out[9] = __builtin_preserve_field_info(t->pid, BPF_FIELD_SIGNED);
	out[10] = BPF_CORE_READ_BITFIELD_PROBED(t, sched_reset_on_fork);
	out[11] = BPF_CORE_READ_BITFIELD_PROBED(t, in_execve);
	if (bpf_core_field_exists(t->no_such_field))
		out[12] = BPF_CORE_READ(t, no_such_field);
	if (bpf_core_field_exists(t->no_such_struct.deep))
		out[13] = BPF_CORE_READ(t, no_such_struct.deep);
	return 0;
}
SEC("kprobe/do_nanosleep") int flavours(void *ctx)
{
	struct task_struct___old *o = (void *)bpf_get_current_task();
	struct task_struct___new *n = (void *)o;
	if (bpf_core_field_exists(o->state))
		out[20] = BPF_CORE_READ(o, state);
	else
		out[20] = BPF_CORE_READ(n, __state);
	return 0;
}
SEC("kprobe/do_nanosleep") int types(void *ctx)
{
	out[30] = bpf_core_type_exists(struct task_struct);
	out[31] = bpf_core_type_exists(struct no_such_type);
	out[32] = bpf_core_type_size(struct sk_buff);
	out[33] = bpf_core_type_size(struct no_such_type___v2);
	out[34] = bpf_core_type_id_kernel(struct task_struct);
	out[36] = bpf_core_type_exists(atomic_t);
	out[37] = bpf_core_type_exists(no_such_callback);
	out[38] = bpf_core_type_exists(union bpf_attr);
	out[39] = bpf_core_type_id_kernel(struct no_such_type);
#if __clang_major__ >= 15 || defined(MATCHES)
	out[40] = bpf_core_type_matches(atomic_t);
	out[41] = bpf_core_type_matches(struct path);
	out[42] = bpf_core_type_matches(struct task_struct);
#endif
	return 0;
}
SEC("kprobe/do_nanosleep") int enums(void *ctx)
{
	out[50] = bpf_core_enum_value_exists(enum bpf_map_type___mine, BPF_MAP_TYPE_HASH___x);
	out[51] = bpf_core_enum_value(enum bpf_map_type___mine, BPF_MAP_TYPE_LRU_HASH___y);
	out[52] = bpf_core_enum_value_exists(enum bpf_map_type___mine, BPF_MAP_TYPE_NO_SUCH);
	out[53] = bpf_core_enum_value_exists(enum no_such_enum, NOTHING_HERE);
	if (bpf_core_enum_value_exists(enum bpf_map_type___mine, BPF_MAP_TYPE_NO_SUCH))
		out[54] = bpf_core_enum_value(enum bpf_map_type___mine, BPF_MAP_TYPE_NO_SUCH);
	return 0;
}
SEC("tp_btf/sched_switch") int direct(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[1];
	out[60] = t->pid + t->real_parent->tgid;
	out[61] = BPF_CORE_READ_BITFIELD(t, sched_reset_on_fork);
	return 0;
}
