// The programs of numbers.py in C.
#include "twins.h"

struct wide { __u64 a, b; __s64 c; __s32 d; __s16 e; __s8 f; __u8 g; };

#define WIDE                                                   \
	struct wide *p = (void *)(long)ctx->data;              \
	if ((void *)(p + 1) > (void *)(long)ctx->data_end)     \
		return 0

TC(arithmetic) { return (skb->len * 3 + skb->mark - 7) ^ (skb->priority & 0xff); }
TC(square_and_add) { __u32 n = skb->mark; return n * n + n; }
TC(polynomial) { __u32 x = skb->mark; return 3 * x * x * x + 5 * x * x + 7 * x + 11; }
XDP(multiplied) { WIDE; p->a = p->a * p->b + p->a; return 2; }
TC(differences) { return (skb->mark - skb->priority) ^ (100 - skb->mark); }
TC(division) { return skb->len / 10 + skb->len % 8 + skb->mark % 10; }
TC(divided_by_number) { return skb->mark / skb->priority + skb->mark % skb->priority; }
XDP(divided_wide) { WIDE; __u64 a = p->a, b = p->b; p->a = a / b; p->b = a % b; return 2; }
#if __BPF_CPU_VERSION__ >= 4
TC(signed_division) { return ((__s64)skb->len - 100) / 7; }
TC(signed_remainder) { return (__s32)skb->mark % 10; }
XDP(signed_by_number) { WIDE; p->c = p->c / p->d + p->c % p->d; return 2; }
#endif
TC(shifts) { return skb->len << 4 | skb->len >> (skb->mark & 31); }
TC(rotated) { return skb->mark << 7 | skb->mark >> 25; }
XDP(shifted_signed) { WIDE; p->c >>= 3; p->d >>= p->g & 7; return 2; }
TC(bits) { return (skb->mark & 0xff00) | ((skb->priority & 0xff) ^ 0x55); }
TC(inverted) { return ~skb->mark ^ -skb->priority; }
TC(bit_tests) { if (skb->mark & 4 && !(skb->mark & 8)) return 1; return 2; }
TC(mixed_hash) { __u32 h = skb->mark * 0x9E3779B1; h ^= h >> 15; h *= 0x85EBCA6B; return h ^ h >> 13; }
XDP(wide_constants) { WIDE; p->a = (p->a ^ 0xCBF29CE484222325) * 0x100000001B3; p->b &= 0xFFFFFFFF00000000; return 2; }
TC(casts) { return (__u8)skb->len + (__u16)skb->mark; }
TC(signed_casts) { return (__s8)skb->mark + (__s16)skb->priority; }
XDP(signed_fields) { WIDE; p->c = p->d + p->e + p->f; return 2; }
TC(exact) { int ttl = (__u8)skb->mark - 1; return ttl < 0 ? 1 : ttl; }
XDP(narrow_places) { WIDE; p->g += 200; p->e -= 5; p->f *= 3; return 2; }
TC(least_and_greatest) { return MIN(skb->len, 1500) + MAX(skb->mark, 3); }
TC(clamped) { return MAX(10, MIN(MIN(skb->mark, skb->priority), 1000)); }
TC(absolute) { __s32 n = (__s32)skb->mark >> 1; return n < 0 ? -n : n; }
TC(signed_compare) { __s32 n = skb->mark; if (n < -5) return 1; if (n >= (__s32)skb->priority) return 2; return 3; }
XDP(compared_wide) { WIDE; if (p->a > p->b) return 1; if (p->c < -1) return 2; if (p->a == 0xFFFFFFFFFFFF) return 3; return 4; }
TC(chained) { return 60 <= skb->len && skb->len < 1500 ? 1 : 2; }
TC(chained_numbers) { __u32 p = skb->priority; return skb->len < skb->mark && skb->mark <= p && p != 77 ? 1 : 2; }
TC(truth) { return !!skb->mark + (skb->priority > 3) * 2 + !skb->mark * 4; }
TC(augmented) { __u32 x = skb->len; x += 5; x <<= 1; x |= 1; return x; }
TC(all_augmented)
{
	__u32 x = skb->mark;
	x += 5; x -= skb->priority; x *= 3; x /= 2; x %= 1000; x &= 0xfff; x |= 0x10; x ^= 3; x <<= 2; x >>= 1;
	return x;
}
TC(swapped) { return skb->mark * 10 + skb->len; }
TC(rotated_names) { return skb->mark * 100 + skb->priority * 10 + skb->len; }
TC(byte_order) { return __builtin_bswap32(skb->mark) + __builtin_bswap16(skb->priority); }
XDP(byte_order_wide) { WIDE; p->a = __builtin_bswap64(p->b); return 2; }
