/*
 * What is read back of a node's policies in nftables: the datagrams of all its dumps, in order, as the kernel sent them,
 * each behind its length in two bytes. What could be understood is interpreted and planned again; whatever it was, it is
 * written as a new table in the end, which has to fit into messages.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"
#include "policy/nftables_reader.h"

static void play(int kernel, const uint8_t *data, size_t size)
{
	while (size > 2) {
		size_t len = data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (len && send(kernel, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		data += len;
		size -= len;
	}
	shutdown(kernel, SHUT_WR);
}

static void check_sets(const struct compiled *compiled, uint32_t set)
{
	fuzz_check(set == NO_SET || set < compiled->sets.n, "set %u of %zu", set, compiled->sets.n);
}

static void check_clauses(const struct compiled *compiled, const clauses_t *clauses)
{
	list_each(clause, clauses) {
		check_sets(compiled, clause->peers);
		check_sets(compiled, clause->pairs);
		check_sets(compiled, clause->named);
	}
}

static void use(const struct found *found, struct arena *arena)
{
	const struct compiled *compiled = &found->compiled;
	struct netpol_plan plan = { .compiled = compiled,
				    .treatment = &found->treatment,
				    .arena = arena };
	struct packet packet = { .protocol = PROTOCOL_UDP, .port = 53 };

	list_each(damage, &found->damages)
		fuzz_check(*damage->what, "no word about what is wrong with %s", damage->place);
	list_each(group, &compiled->groups) {
		check_sets(compiled, group->members);
		check_clauses(compiled, &group->admin);
		check_clauses(compiled, &group->allows);
		check_clauses(compiled, &group->baseline);
		netpol_plan_group(&plan, group);
	}
	netpol_plan_around(&plan);
	packet.from = ip_make(AF_INET, "\x0a\x01\x00\x01");
	packet.to = ip_make(AF_INET, "\x0a\x01\x00\x02");
	(void)compiled_allows(compiled, &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct found found = { .present = false };
	struct error err = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return 0;
	play(pair[1], data, size);
	if (netlink_adopt(&nl, NETLINK_NETFILTER, pair[0], &err) >= 0) {
		int r = netpol_read_from(nl, &arena, &found, &err);

		if (r >= 0 && found.present)
			use(&found, &arena);
	}
	close(pair[1]);
	return 0;
}
