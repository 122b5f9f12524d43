/* What test_collections.py runs: each operation of the map `ops` on a tree and a list of objects; answers go to `out`. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct bpf_rb_root { __u64 __opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { __u64 __opaque[4]; } __attribute__((aligned(8)));
struct bpf_list_head { __u64 __opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 __opaque[3]; } __attribute__((aligned(8)));
extern void *bpf_obj_new_impl(__u64 id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_right(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_back(struct bpf_list_head *head) __ksym;
#define contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __attribute__((visibility("hidden"))) __attribute__((aligned(8)))
#define entry(ptr, type, member) ((type *)((void *)(ptr) - offsetof(type, member)))
struct tnode { __u64 key; struct bpf_rb_node node; };
struct lnode { struct bpf_list_node node; __u64 key; };
private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root root contains(tnode, node);
private(A) struct bpf_list_head head contains(lnode, node);
struct op { __u32 op, key; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 32); __type(key, __u32); __type(value, struct op);} ops SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 32); __type(key, __u32); __type(value, __u64);} out SEC(".maps");
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) { return entry(a, struct tnode, node)->key < entry(b, struct tnode, node)->key; }
static __u64 one(__u32 op, __u32 key)
{
	struct bpf_rb_node *rb; struct bpf_list_node *ls; struct tnode *t; struct lnode *l; __u64 found = 1000;
	if (op == 0) {
		t = bpf_obj_new_impl(bpf_core_type_id_local(struct tnode), NULL);
		if (!t) return 2000;
		t->key = key;
		bpf_spin_lock(&lock);
		found = bpf_rbtree_add_impl(&root, &t->node, less, NULL, 0);
		bpf_spin_unlock(&lock);
		return found;
	}
	if (op == 1) {
		bpf_spin_lock(&lock);
		rb = bpf_rbtree_first(&root);
		if (!rb) { bpf_spin_unlock(&lock); return 1001; }
		rb = bpf_rbtree_remove(&root, rb);
		bpf_spin_unlock(&lock);
		if (!rb) return 1002;
		t = entry(rb, struct tnode, node); found = t->key;
		bpf_obj_drop_impl(t, NULL);
		return found;
	}
	if (op == 2 || op == 3) {
		l = bpf_obj_new_impl(bpf_core_type_id_local(struct lnode), NULL);
		if (!l) return 2001;
		l->key = key;
		bpf_spin_lock(&lock);
		if (op == 2) found = bpf_list_push_front_impl(&head, &l->node, NULL, 0);
		else found = bpf_list_push_back_impl(&head, &l->node, NULL, 0);
		bpf_spin_unlock(&lock);
		return found;
	}
	if (op == 4 || op == 5) {
		bpf_spin_lock(&lock);
		if (op == 4) ls = bpf_list_pop_front(&head); else ls = bpf_list_pop_back(&head);
		bpf_spin_unlock(&lock);
		if (!ls) return 1003;
		l = entry(ls, struct lnode, node); found = l->key;
		bpf_obj_drop_impl(l, NULL);
		return found;
	}
	if (op == 6) {
		bpf_spin_lock(&lock);
		rb = bpf_rbtree_root(&root);
		for (int i = 0; i < 12 && rb; i++) {
			t = entry(rb, struct tnode, node);
			if (key < t->key) rb = bpf_rbtree_left(&root, rb);
			else { found = t->key; rb = bpf_rbtree_right(&root, rb); }
		}
		bpf_spin_unlock(&lock);
		return found;
	}
	bpf_spin_lock(&lock);
	if (op == 7) ls = bpf_list_front(&head); else ls = bpf_list_back(&head);
	if (ls) { l = entry(ls, struct lnode, node); found = l->key; }
	bpf_spin_unlock(&lock);
	return found;
}
SEC("tc") int walk(struct __sk_buff *s)
{
	for (__u32 i = 0; i < 24; i++) {
		__u32 k = i; struct op *o = bpf_map_lookup_elem(&ops, &k); __u64 *r = bpf_map_lookup_elem(&out, &k);
		if (!o || !r) break;
		*r = one(o->op, o->key);
	}
	return 0;
}
char _license[] SEC("license") = "GPL";
