/*
 * Packets that rules log: the headers of any bytes, and the kernel's datagrams around them through the session, counted.
 *
 * Input: '=' and the bytes of a packet, or '+' and a datagram of nfnetlink_log.
 */
#include "fuzz.h"

#include "kernel/netlink_internal.h"
#include "kernel/nflog.h"
#include "policy/denied.h"

#include <sys/socket.h>

static void look(void *denied, const struct nflog_packet *packet)
{
	const struct denied_flow *flow = denied_add(denied, packet);

	fuzz_check(memchr(packet->prefix, '\0', sizeof(packet->prefix)), "prefix without end");
	fuzz_check(flow && flow->count && *flow->from && *flow->to && flow->group, "no names");
}

static void read_packet(const uint8_t *data, size_t size, struct denied *denied)
{
	struct nflog_packet packet = { .prefix = "CNIBOX-IN-0" };

	if (!nflog_parse(data, size, &packet))
		return;
	fuzz_check(packet.from.family == packet.to.family && packet.from.family, "no family");
	fuzz_check(packet.whole || (!packet.port && !packet.from_port), "ports of nothing");
	look(denied, &packet);
}

static void read_datagram(const uint8_t *data, size_t size, struct denied *denied)
{
	struct netlink *nl auto_netlink = NULL;
	struct error err = { 0 };
	uint64_t lost = 0;
	int pair[2];

	if (!size || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return;
	if (send(pair[1], data, size, 0) > 0 && !shutdown(pair[1], SHUT_WR) &&
	    netlink_adopt(&nl, NETLINK_NETFILTER, pair[0], &err) >= 0 &&
	    nflog_read(nl, 0, look, denied, &lost, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 }, flows = { 0 };
	struct denied denied;
	struct world world;

	if (size < 1 || size > 32768)
		return 0;
	world_init(&world, &arena);
	world_index(&world);
	denied_init(&denied, &world, &flows);
	if (*data == '=')
		read_packet(data + 1, size - 1, &denied);
	else if (*data == '+')
		read_datagram(data + 1, size - 1, &denied);
	return 0;
}
