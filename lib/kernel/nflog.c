/*
 * nfnetlink_log. The kernel puts several packets into one datagram, and sends it when it is full or the time is over.
 * Layout: linux/netfilter/nfnetlink_log.h.
 */
#include "kernel/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include "base/text.h"
#include "kernel/netlink_internal.h"

#define COPY_SIZE        160 /* IPv6 with three extension headers, and TCP's ports */
#define FLUSH_HUNDREDTHS 10
#define FLUSH_PACKETS    50

/* One message, so that no packet comes before its answer. The kernel refuses a group that another socket has with EPERM,
 * which is also what those without the right get. */
static int bind_group(struct netlink *nl, uint16_t group, struct error *err)
{
	const struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(COPY_SIZE),
						     .copy_mode = NFULNL_COPY_PACKET };
	struct nfgenmsg header = { .version = NFNETLINK_V0, .res_id = htons(group) };
	struct nl_msg *msg = netlink_queue(nl, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0,
					   &header, sizeof(header), "listen to group %u", group);
	int errnum = 0, r;

	nla_put(msg, NFULA_CFG_CMD, sizeof(bind), &bind);
	nla_put(msg, NFULA_CFG_MODE, sizeof(mode), &mode);
	nla_put_u32(msg, NFULA_CFG_TIMEOUT, htonl(FLUSH_HUNDREDTHS));
	nla_put_u32(msg, NFULA_CFG_QTHRESH, htonl(FLUSH_PACKETS));
	netlink_tolerate(nl, EPERM);
	netlink_outcome(nl, &errnum);
	r = netlink_commit(nl, err);
	if (r < 0)
		return r;
	if (errnum)
		return fail(err, EBUSY, "another process listens to group %u, or this one may not",
			    group);
	return 0;
}

int nflog_open(struct netlink **nl, uint16_t group, struct error *err)
{
	int r = netlink_open(nl, NETLINK_NETFILTER, -1, err);

	if (r == 0)
		r = bind_group(*nl, group, err);
	if (r < 0)
		netlink_closep(nl);
	return r;
}

/* ---- packets ---- */

struct reading {
	nflog_fn *fn;
	void *arg;
};

static int read_packet(const struct nlmsghdr *message, void *arg, struct error *err)
{
	const struct reading *reading = arg;
	struct nlattr *attrs[NFULA_MAX + 1];
	struct nflog_packet packet = { 0 };
	const struct nlattr *payload;
	int r;

	if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return 0;
	r = netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFULA_MAX, err);
	if (r < 0)
		return r;
	payload = attrs[NFULA_PAYLOAD];
	if (!payload || !nflog_parse(nla_data(payload), (size_t)nla_len(payload), &packet))
		return 0;
	attr_text(attrs[NFULA_PREFIX], packet.prefix, sizeof(packet.prefix));
	text_mask(packet.prefix);
	reading->fn(reading->arg, &packet);
	return 0;
}

int nflog_read(struct netlink *nl, unsigned timeout_ms, nflog_fn *fn, void *arg, uint64_t *lost,
	       struct error *err)
{
	struct reading reading = { fn, arg };
	int r = netlink_events(nl, timeout_ms, read_packet, &reading, err);

	if (r != -ENOBUFS)
		return r;
	++*lost;
	return 0;
}
