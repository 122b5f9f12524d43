#include "bpf.h"

struct item {
	u64 value;
	struct bpf_list_node list;
	struct bpf_rb_node tree;
	struct bpf_refcount owners;
};

struct other {
	struct bpf_list_node list;
};

struct shelf {
	struct bpf_spin_lock lock;
	struct bpf_list_head items tag("contains:item:list");
};

struct orchard {
	struct bpf_spin_lock lock;
	struct bpf_rb_root items tag("contains:item:tree");
};

struct pocket {
	struct item kptr *item;
};

struct gate {
	struct bpf_res_spin_lock lock;
	int opened;
};

struct job {
	struct bpf_wq work;
};

map(shelves, 2, 2, u32, struct shelf);
map(orchards, 2, 1, u32, struct orchard);
map(pockets, 2, 1, u32, struct pocket);
map(gates, 2, 2, u32, struct gate);
map(jobs, 2, 1, u32, struct job);

#define find(name, type, index) \
	u32 key_##name = index; type *name = lookup(&name##s, &key_##name); if (!name) return 0

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return owner(a, struct item, tree)->value < owner(b, struct item, tree)->value;
}

static _Bool locks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	u32 key = 0;
	struct orchard *orchard = lookup(&orchards, &key);

	return orchard != 0;
}

SEC("tc") int ok__new_and_drop(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	item->value = skb->len;
	drop(item);
	return 0;
}

SEC("tc") int reference__kept(struct __sk_buff *skb)
{
	return new(struct item) != 0;
}

SEC("tc") int null__unchecked(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	*(volatile u64 *)((void *)item + 8) = 1;
	drop(item);
	return 0;
}

SEC("tc") int type__special_field_written(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	*(volatile u64 *)&item->list = 1;
	drop(item);
	return 0;
}

SEC("tc") int type__used_after_drop(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	drop(item);
	return item->value;
}

SEC("tc") int ok__pushed(struct __sk_buff *skb)
{
	struct item *item;

	find(shelve, struct shelf, 0);
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&shelve->lock);
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	item->value = 7;
	spin_unlock(&shelve->lock);
	return 0;
}

SEC("tc") int type__used_after_unlock(struct __sk_buff *skb)
{
	struct item *item;

	find(shelve, struct shelf, 0);
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&shelve->lock);
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	spin_unlock(&shelve->lock);
	return item->value;
}

SEC("tc") int lock__pushed_without_lock(struct __sk_buff *skb)
{
	struct item *item;

	find(shelve, struct shelf, 0);
	item = new(struct item);
	if (!item)
		return 0;
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	return 0;
}

SEC("tc") int lock__pushed_with_another_lock(struct __sk_buff *skb)
{
	struct shelf *second;
	struct item *item;
	u32 key = 1;

	find(shelve, struct shelf, 0);
	second = lookup(&shelves, &key);
	if (!second)
		return 0;
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&second->lock);
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	spin_unlock(&second->lock);
	return 0;
}

SEC("tc") int argument__pushed_another_structure(struct __sk_buff *skb)
{
	struct other *other;

	find(shelve, struct shelf, 0);
	other = new(struct other);
	if (!other)
		return 0;
	spin_lock(&shelve->lock);
	bpf_list_push_back_impl(&shelve->items, &other->list, 0, 0);
	spin_unlock(&shelve->lock);
	return 0;
}

SEC("tc") int argument__pushed_twice(struct __sk_buff *skb)
{
	struct item *item;

	find(shelve, struct shelf, 0);
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&shelve->lock);
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	bpf_list_push_back_impl(&shelve->items, &item->list, 0, 0);
	spin_unlock(&shelve->lock);
	return 0;
}

SEC("tc") int ok__popped(struct __sk_buff *skb)
{
	struct bpf_list_node *node;

	find(shelve, struct shelf, 0);
	spin_lock(&shelve->lock);
	node = bpf_list_pop_front(&shelve->items);
	spin_unlock(&shelve->lock);
	if (node)
		drop(owner(node, struct item, list));
	return 0;
}

SEC("tc") int reference__popped_and_kept(struct __sk_buff *skb)
{
	find(shelve, struct shelf, 0);
	spin_lock(&shelve->lock);
	bpf_list_pop_front(&shelve->items);
	spin_unlock(&shelve->lock);
	return 0;
}

SEC("tc") int ok__peeked(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	u64 value = 0;

	find(shelve, struct shelf, 0);
	spin_lock(&shelve->lock);
	node = bpf_list_front(&shelve->items);
	if (node)
		value = owner(node, struct item, list)->value;
	spin_unlock(&shelve->lock);
	return value;
}

SEC("tc") int ok__planted(struct __sk_buff *skb)
{
	struct item *item;

	find(orchard, struct orchard, 0);
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&orchard->lock);
	bpf_rbtree_add_impl(&orchard->items, &item->tree, less, 0, 0);
	spin_unlock(&orchard->lock);
	return 0;
}

SEC("tc") int lock__comparison_calls_a_helper(struct __sk_buff *skb)
{
	struct item *item;

	find(orchard, struct orchard, 0);
	item = new(struct item);
	if (!item)
		return 0;
	spin_lock(&orchard->lock);
	bpf_rbtree_add_impl(&orchard->items, &item->tree, locks, 0, 0);
	spin_unlock(&orchard->lock);
	return 0;
}

SEC("tc") int ok__picked(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	find(orchard, struct orchard, 0);
	spin_lock(&orchard->lock);
	node = bpf_rbtree_first(&orchard->items);
	if (node)
		node = bpf_rbtree_remove(&orchard->items, node);
	spin_unlock(&orchard->lock);
	if (node)
		drop(owner(node, struct item, tree));
	return 0;
}

SEC("tc") int ok__two_owners(struct __sk_buff *skb)
{
	struct item *item = new(struct item), *same;

	if (!item)
		return 0;
	same = bpf_refcount_acquire_impl(item, 0);
	drop(item);
	same->value = 3;
	drop(same);
	return 0;
}

SEC("tc") int reference__second_owner_kept(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	bpf_refcount_acquire_impl(item, 0);
	drop(item);
	return 0;
}

SEC("tc") int argument__not_counted(struct __sk_buff *skb)
{
	struct other *other = new(struct other);

	if (!other)
		return 0;
	bpf_refcount_acquire_impl(other, 0);
	drop(other);
	return 0;
}

SEC("tc") int ok__exchanged(struct __sk_buff *skb)
{
	struct item *item;

	find(pocket, struct pocket, 0);
	item = new(struct item);
	if (!item)
		return 0;
	item = kptr_xchg(&pocket->item, item);
	if (item)
		drop(item);
	return 0;
}

SEC("tc") int type__exchanged_another_structure(struct __sk_buff *skb)
{
	struct other *other;

	find(pocket, struct pocket, 0);
	other = new(struct other);
	if (!other)
		return 0;
	other = kptr_xchg(&pocket->item, other);
	if (other)
		drop(other);
	return 0;
}

SEC("tc") int ok__two_resilient_locks(struct __sk_buff *skb)
{
	struct gate *second;
	u32 key = 1;

	find(gate, struct gate, 0);
	second = lookup(&gates, &key);
	if (!second || bpf_res_spin_lock(&gate->lock))
		return 0;
	if (!bpf_res_spin_lock(&second->lock)) {
		second->opened = gate->opened;
		bpf_res_spin_unlock(&second->lock);
	}
	bpf_res_spin_unlock(&gate->lock);
	return 0;
}

SEC("tc") int lock__result_unchecked(struct __sk_buff *skb)
{
	find(gate, struct gate, 0);
	bpf_res_spin_lock(&gate->lock);
	bpf_res_spin_unlock(&gate->lock);
	return 0;
}

SEC("tc") int lock__taken_twice(struct __sk_buff *skb)
{
	find(gate, struct gate, 0);
	if (bpf_res_spin_lock(&gate->lock))
		return 0;
	if (!bpf_res_spin_lock(&gate->lock))
		bpf_res_spin_unlock(&gate->lock);
	bpf_res_spin_unlock(&gate->lock);
	return 0;
}

static int work(void *map, int *key, void *value)
{
	return 0;
}

static int work_badly(void *map, int *key, void *value)
{
	return 1;
}

SEC("tc") int ok__work(struct __sk_buff *skb)
{
	find(job, struct job, 0);
	bpf_wq_init(&job->work, &jobs, 0);
	return bpf_wq_set_callback_impl(&job->work, work, 0, 0);
}

SEC("tc") int return_value__work(struct __sk_buff *skb)
{
	find(job, struct job, 0);
	return bpf_wq_set_callback_impl(&job->work, work_badly, 0, 0);
}

SEC("raw_tp") int map__work_while_tracing(void *context)
{
	find(job, struct job, 0);
	return bpf_wq_init(&job->work, &jobs, 0);
}
