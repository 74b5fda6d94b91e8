/* See prefix.h. Addresses are ranges of 128-bit numbers here; IPv4 uses the low 32. */
#include "policy/prefix.h"

#include <sys/socket.h>

typedef unsigned __int128 wide;

struct span {
	wide first, last;
};
typedef LIST(struct span) spans_t;

static wide wide_of(const struct ip *ip)
{
	wide value = 0;

	for (size_t i = 0; i < ip_size(ip); i++)
		value = value << 8 | ip->bytes[i];
	return value;
}

static struct ip ip_of(int family, wide value)
{
	struct ip ip = { .family = (uint8_t)family };

	for (size_t i = ip_size(&ip); i-- > 0; value >>= 8)
		ip.bytes[i] = (uint8_t)value;
	return ip;
}

static struct span span_of(const struct cidr *cidr)
{
	struct cidr network = cidr_network(cidr);
	struct ip last = cidr_last(cidr);

	return (struct span){ wide_of(&network.ip), wide_of(&last) };
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
				    : (x->last > y->last) - (x->last < y->last);
}

/* Sorted, and those that overlap or touch joined. */
static void join(spans_t *spans)
{
	size_t n = 0;

	if (!spans->n)
		return;
	qsort(spans->items, spans->n, sizeof(*spans->items), compare_spans);
	for (size_t i = 1; i < spans->n; i++) {
		struct span *last = &spans->items[n], *next = &spans->items[i];

		if (next->first <= last->last || next->first == last->last + 1)
			last->last = next->last > last->last ? next->last : last->last;
		else
			spans->items[++n] = *next;
	}
	spans->n = n + 1;
}

/* The block without its exceptions; those are sorted first, so that one walk does. */
static void carve(const struct block *block, struct arena *arena, spans_t *out)
{
	struct span rest = span_of(&block->cidr);
	spans_t holes = { 0 };

	list_each(except, &block->except)
		*list_add(arena, &holes) = span_of(except);
	join(&holes);
	list_each(hole, &holes) {
		if (hole->first > rest.first)
			*list_add(arena, out) = (struct span){ rest.first, hole->first - 1 };
		if (hole->last >= rest.last)
			return;
		rest.first = hole->last + 1;
	}
	*list_add(arena, out) = rest;
}

/* From the front, always the largest prefix that begins there and does not reach beyond the end. */
static void cut(int family, struct span span, struct arena *arena, cidrs_t *prefixes)
{
	const unsigned bits = family == AF_INET ? 32 : 128;

	for (;;) {
		unsigned free_bits = 0;
		wide mask = 0, next;

		while (free_bits < bits) {
			next = mask << 1 | 1;
			if ((span.first & next) || span.last - span.first < next)
				break;
			mask = next;
			free_bits++;
		}
		*list_add(arena, prefixes) =
			(struct cidr){ ip_of(family, span.first), (uint8_t)(bits - free_bits) };
		if (span.first + mask == span.last)
			return;
		span.first += mask + 1;
	}
}

void prefixes_of_blocks(const struct block *const *blocks, size_t n, struct arena *arena,
			cidrs_t *prefixes)
{
	static const int families[] = { AF_INET, AF_INET6 };
	auto_arena struct arena scratch = { 0 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		spans_t spans = { 0 };

		for (size_t i = 0; i < n; i++)
			if (blocks[i]->cidr.ip.family == families[f])
				carve(blocks[i], &scratch, &spans);
		join(&spans);
		list_each(span, &spans)
			cut(families[f], *span, arena, prefixes);
	}
}
