/*
 * Range sets: what host-local's `ranges` mean, without input or output. Rules, their order and texts are the
 * reference's (cni-plugins.md, section 2.10), and so is the order of allocation: an address that either implementation
 * would give out next is the same one.
 */
#include "ipam/range.h"

#include <errno.h>
#include <stdio.h>

#define RANGE_TEXT_SIZE ((size_t)2 * IP_TEXT_SIZE)

static bool in_bounds(const struct range *range, const struct ip *ip)
{
	return cidr_contains(&range->subnet, ip) &&
	       (!range->start.family || ip_compare(ip, &range->start) >= 0) &&
	       (!range->end.family || ip_compare(ip, &range->end) <= 0);
}

static int bad(struct error *err, const char *key, const char *what, const struct ip *ip,
	       const struct cidr *subnet)
{
	char address[IP_TEXT_SIZE], network[CIDR_TEXT_SIZE];

	return fail_key(err, key, "%s %s not in network %s", what, ip_format(ip, address),
			cidr_format(subnet, network));
}

static const char subnet_key[] = "subnet";

static int check_subnet(const struct cidr *subnet, struct error *err)
{
	struct cidr network = cidr_network(subnet);
	char text[CIDR_TEXT_SIZE];

	if (!subnet->ip.family)
		return fail_key(err, subnet_key, "IP <nil> not v4 nor v6");
	if (subnet->prefix > ip_bits(&subnet->ip) - 2)
		return fail_key(err, subnet_key, "Network %s too small to allocate from",
				cidr_format(subnet, text));
	if (!cidr_equal(subnet, &network))
		return fail_key(
			err, subnet_key,
			"Network has host bits set. For a subnet mask of length %u the network address is %s",
			subnet->prefix, ip_format(&network.ip, text));
	return 0;
}

/* The end as given already bounds the start, so that a start behind the end is blamed on the start. */
static int range_canonical(struct range *range, struct error *err)
{
	struct ip first = ip_add(&range->subnet.ip, 1);
	int r = check_subnet(&range->subnet, err);

	if (r < 0)
		return r;
	if (!range->gateway.family)
		range->gateway = first;
	if (range->start.family && !in_bounds(range, &range->start))
		return bad(err, "rangeStart", "RangeStart", &range->start, &range->subnet);
	if (!range->start.family)
		range->start = first;
	/* The reference takes it, and puts an IPv6 address with an IPv4 prefix length on the bridge. */
	if (range->gateway.family && range->gateway.family != range->subnet.ip.family)
		return bad(err, "gateway", "Gateway", &range->gateway, &range->subnet);
	if (range->end.family && !in_bounds(range, &range->end))
		return bad(err, "rangeEnd", "RangeEnd", &range->end, &range->subnet);
	if (!range->end.family) {
		range->end = cidr_last(&range->subnet);
		if (ip_size(&range->end) == 4)
			range->end = ip_add(&range->end, -1);
	}
	return 0;
}

static bool range_overlaps(const struct range *a, const struct range *b)
{
	return in_bounds(a, &b->start) || in_bounds(a, &b->end) || in_bounds(b, &a->start) ||
	       in_bounds(b, &a->end);
}

static const char *range_text(const struct range *range, char text[RANGE_TEXT_SIZE])
{
	char start[IP_TEXT_SIZE], end[IP_TEXT_SIZE];

	snprintf(text, RANGE_TEXT_SIZE, "%s-%s", ip_format(&range->start, start),
		 ip_format(&range->end, end));
	return text;
}

static int check_set_overlaps(const range_set_t *set, struct error *err)
{
	char a[RANGE_TEXT_SIZE], b[RANGE_TEXT_SIZE];

	for (size_t i = 0; i < set->n; i++)
		for (size_t j = i + 1; j < set->n; j++)
			if (range_overlaps(&set->items[i], &set->items[j]))
				return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
						 "subnets %s and %s overlap",
						 range_text(&set->items[i], a),
						 range_text(&set->items[j], b)),
				       error_at(err, "[%zu]", j);
	return 0;
}

static int set_canonical(const range_set_t *set, struct error *err)
{
	int r;

	if (set->n == 0)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "empty range set");
	for (size_t i = 0; i < set->n; i++) {
		r = range_canonical(&set->items[i], err);
		if (r == 0 && set->items[i].start.family != set->items[0].start.family)
			r = fail_key(err, subnet_key, "mixed address families");
		if (r < 0) {
			error_at(err, "[%zu]", i);
			return r;
		}
	}
	return check_set_overlaps(set, err);
}

static bool sets_overlap(const range_set_t *a, const range_set_t *b)
{
	list_each(one, a)
		list_each(other, b)
			if (range_overlaps(one, other))
				return true;
	return false;
}

int ranges_canonical(range_sets_t *sets, struct error *err)
{
	for (size_t i = 0; i < sets->n; i++) {
		int r = set_canonical(&sets->items[i], err);

		if (r < 0) {
			wrap(err, "invalid range set %zu", i);
			error_at(err, "[%zu]", i);
			return r;
		}
	}
	for (size_t i = 0; i < sets->n; i++)
		for (size_t j = i + 1; j < sets->n; j++)
			if (sets_overlap(&sets->items[i], &sets->items[j]))
				return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
						 "range set %zu overlaps with %zu", i, j),
				       error_at(err, "[%zu]", j);
	return 0;
}

const struct range *range_set_find(const range_set_t *set, const struct ip *ip)
{
	list_each(range, set)
		if (in_bounds(range, ip))
			return range;
	return NULL;
}

uint64_t range_set_size(const range_set_t *set)
{
	uint64_t size = 0, own;

	list_each(range, set) {
		own = ip_distance(&range->start, &range->end);
		if (own < UINT64_MAX && !in_bounds(range, &range->gateway))
			own++;
		size = size + own < size ? UINT64_MAX : size + own;
	}
	return size;
}

char *range_set_text(const range_set_t *set, struct arena *arena)
{
	char *text = arena_strdup(arena, "");
	char one[RANGE_TEXT_SIZE];

	list_each(range, set)
		text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
				    range_text(range, one));
	return text;
}

void range_walk_start(struct range_walk *walk, const range_set_t *set, const struct ip *last)
{
	*walk = (struct range_walk){ .set = set };
	for (size_t i = 0; last && last->family && i < set->n; i++) {
		if (in_bounds(&set->items[i], last)) {
			walk->i = i;
			walk->next = *last;
			return;
		}
	}
}

/* One step, gateways included; false when it would come back to where the walk began. `next` is the address
 * handed out last; not set at the very start of a set. */
static bool step(struct range_walk *walk)
{
	const struct range *range = &walk->set->items[walk->i];

	if (!walk->next.family) {
		walk->next = range->start;
	} else if (ip_equal(&walk->next, &range->end)) {
		walk->i = (walk->i + 1) % walk->set->n;
		walk->next = walk->set->items[walk->i].start;
	} else {
		walk->next = ip_add(&walk->next, 1);
	}
	if (walk->started)
		return !ip_equal(&walk->next, &walk->first);
	walk->first = walk->next;
	walk->started = true;
	return true;
}

bool range_walk_next(struct range_walk *walk, struct ip *ip, const struct range **range)
{
	do {
		if (walk->set->n == 0 || !step(walk))
			return false;
	} while (ip_equal(&walk->next, &walk->set->items[walk->i].gateway));
	*ip = walk->next;
	if (range)
		*range = &walk->set->items[walk->i];
	return true;
}
