/* What the programs here need of the kernel; the name of each program says its verdict: ok__..., or the category of its rejection. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define ksym extern __attribute__((section(".ksyms")))
#define tag(text) __attribute__((btf_decl_tag(text)))
#define kptr __attribute__((btf_type_tag("kptr")))
#define local(type) __builtin_btf_type_id(*(type *)0, 0)
#define offset(type, field) __builtin_offsetof(type, field)
#define owner(node, type, field) ((type *)((void *)(node) - offset(type, field)))
#define noinline __attribute__((noinline))
#define hide(value) asm volatile("" : "+r"(value)) /* from the optimiser */
#define map(name, kind, entries, k, v) \
	struct { int (*type)[kind]; int (*max_entries)[entries]; k *key; v *value; } name SEC(".maps")

struct __sk_buff { u32 len, pkt_type, mark, queue_mapping, protocol, rest[14], data, data_end; };
struct xdp_md { u32 data, data_end, data_meta; };
struct bpf_spin_lock { u32 val; };
struct bpf_res_spin_lock { u32 val; };
struct bpf_list_head { u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { u64 opaque[3]; } __attribute__((aligned(8)));
struct bpf_rb_root { u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { u64 opaque[4]; } __attribute__((aligned(8)));
struct bpf_refcount { u32 opaque[1]; } __attribute__((aligned(4)));
struct bpf_timer { u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_wq { u64 opaque[2]; } __attribute__((aligned(8)));

static void *(*lookup)(void *, const void *) = (void *)1;
static long (*tail_call)(void *, void *, u32) = (void *)12;
static long (*spin_lock)(struct bpf_spin_lock *) = (void *)93;
static long (*spin_unlock)(struct bpf_spin_lock *) = (void *)94;
static void *(*kptr_xchg)(void *, void *) = (void *)194;

ksym void *bpf_obj_new_impl(u64 type, void *meta);
ksym void bpf_obj_drop_impl(void *object, void *meta);
ksym void *bpf_refcount_acquire_impl(void *object, void *meta);
ksym int bpf_list_push_back_impl(struct bpf_list_head *, struct bpf_list_node *, void *meta, u64 off);
ksym struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *);
ksym struct bpf_list_node *bpf_list_front(struct bpf_list_head *);
ksym int bpf_rbtree_add_impl(struct bpf_rb_root *, struct bpf_rb_node *,
			     _Bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *), void *meta, u64 off);
ksym struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *);
ksym struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *, struct bpf_rb_node *);
ksym int bpf_res_spin_lock(struct bpf_res_spin_lock *);
ksym void bpf_res_spin_unlock(struct bpf_res_spin_lock *);
ksym void bpf_throw(u64 cookie);
ksym void bpf_preempt_disable(void);
ksym void bpf_preempt_enable(void);
ksym void *bpf_cast_to_kern_ctx(void *context);
ksym int bpf_wq_init(struct bpf_wq *, void *map, u32 flags);
ksym int bpf_wq_set_callback_impl(struct bpf_wq *, int (*callback)(void *, int *, void *), u32 flags, void *aux);

#define new(type) ((type *)bpf_obj_new_impl(local(type), 0))
#define drop(object) bpf_obj_drop_impl(object, 0)

char _license[] SEC("license") = "GPL";
