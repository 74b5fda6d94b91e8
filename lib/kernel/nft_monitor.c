/* The multicast group of nf_tables as events. Messages of other kinds, of flow tables say, and short ones are passed over. */
#include "kernel/nft_monitor.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include "kernel/nft.h"

struct listener {
	nft_event_fn *fn;
	void *arg;
};

/* The attribute that names the chain or the set: -1 = there is none, 0 = nobody here listens to that. The table is the first of
 * each. */
static int name_attribute(int type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_DELTABLE: return -1;
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN: return NFTA_CHAIN_NAME;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE: return NFTA_RULE_CHAIN;
	case NFT_MSG_NEWSET:
	case NFT_MSG_DELSET: return NFTA_SET_NAME;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM: return NFTA_SET_ELEM_LIST_SET;
	default: return 0;
	}
}

static const char *text_of(struct nlattr *attr)
{
	const char *text = attr ? nla_data(attr) : "";

	return attr && (nla_len(attr) < 1 || text[nla_len(attr) - 1]) ? "" : text;
}

static int hear(const struct nlmsghdr *message, void *arg, struct error *err unused)
{
	const struct listener *listener = arg;
	int type = message->nlmsg_type & 0xff, name = name_attribute(type);
	struct nlattr *attrs[4];
	bool set = type >= NFT_MSG_NEWSET && type <= NFT_MSG_DELSETELEM;
	struct nft_event event = {
		.gone = type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN ||
			type == NFT_MSG_DELRULE || type == NFT_MSG_DELSET ||
			type == NFT_MSG_DELSETELEM,
	};

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || !name ||
	    nlmsg_parse((struct nlmsghdr *)message, sizeof(struct nfgenmsg), attrs, 3, NULL) < 0)
		return 0;
	event.table = text_of(attrs[NFTA_RULE_TABLE]);
	event.chain = name > 0 && !set ? text_of(attrs[name]) : "";
	event.set = set ? text_of(attrs[name]) : "";
	listener->fn(listener->arg, &event);
	return 0;
}

/* A kernel without nf_tables lets one listen all the same. */
int nft_monitor_open(struct netlink **nl, struct error *err)
{
	struct netlink *probe auto_netlink = NULL;
	int r = nft_open(&probe, err);

	if (r == 0)
		r = netlink_open(nl, NETLINK_NETFILTER, -1, err);
	if (r == 0)
		r = netlink_subscribe(*nl, NFNLGRP_NFTABLES, err);
	if (r < 0)
		netlink_closep(nl);
	return r < 0 ? wrap(err, "listen to nf_tables") : 0;
}

int nft_monitor_read(struct netlink *nl, nft_event_fn *fn, void *arg, struct error *err)
{
	struct listener listener = { fn, arg };
	int r;

	do
		r = netlink_events(nl, 0, hear, &listener, err);
	while (r > 0);
	return r;
}
