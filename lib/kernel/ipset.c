/*
 * The half of ipset that writes. A set's elements travel as lists, some hundreds in a message; the number of the line
 * that goes with each is what the kernel wants of a list, nobody reads it.
 */
#include "kernel/ipset_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/ipset/ip_set_hash.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>

#include "kernel/netlink_internal.h"

#define ELEMENTS_OF_A_MESSAGE 96 /* of at most 72 bytes each */

const char *const ipset_types[] = {
	[IPSET_IP] = "hash:ip",
	[IPSET_NET] = "hash:net",
	[IPSET_NET_PORT] = "hash:net,port",
	[IPSET_IP_PORT] = "hash:ip,port",
	[IPSET_OTHER] = "of another type",
};

/* The oldest that has what is used here: every program of ipset can list them. */
static const uint8_t revisions[] = {
	[IPSET_IP] = 0, [IPSET_NET] = 0, [IPSET_NET_PORT] = 1, [IPSET_IP_PORT] = 1
};

struct nl_msg *ipset_message(struct ipset_session *session, int command, const char *name,
			     const char *label)
{
	const struct nfgenmsg header = { .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	struct nl_msg *msg =
		netlink_queue(session->nl, NFNL_SUBSYS_IPSET << 8 | command, 0, &header,
			      sizeof(header), "%s%s%s", label, name ? " " : "", name ? name : "");

	nla_put_u8(msg, IPSET_ATTR_PROTOCOL, session->protocol);
	if (name)
		nla_put_string(msg, IPSET_ATTR_SETNAME, name);
	return msg;
}

static int read_protocol(const struct nlmsghdr *reply, void *session_, struct error *err)
{
	struct ipset_session *session = session_;
	struct nlattr *attrs[IPSET_ATTR_CMD_MAX + 1];
	uint8_t theirs, oldest;
	int r = netlink_parse(reply, sizeof(struct nfgenmsg), attrs, IPSET_ATTR_CMD_MAX, err);

	if (r < 0)
		return r;
	theirs = attr_u8(attrs[IPSET_ATTR_PROTOCOL], 0);
	oldest = attr_u8(attrs[IPSET_ATTR_PROTOCOL_MIN], theirs);
	if (theirs < IPSET_PROTOCOL_MIN || oldest > IPSET_PROTOCOL)
		return fail(err, EOPNOTSUPP, "the kernel's ipset speaks version %u to %u", oldest,
			    theirs);
	session->protocol = theirs < IPSET_PROTOCOL ? theirs : IPSET_PROTOCOL;
	return 0;
}

int ipset_agree(struct ipset_session *session, struct error *err)
{
	int r;

	ipset_message(session, IPSET_CMD_PROTOCOL, NULL, "ask for the version of ipset");
	netlink_expect(session->nl, read_protocol, session);
	r = netlink_commit(session->nl, err);
	if (r != -EINVAL && r != -EPROTONOSUPPORT)
		return r;
	if (err)
		*err = (struct error){ 0 };
	return fail(err, EOPNOTSUPP, "this kernel has no ipset");
}

int ipset_open(struct ipset_session **session, struct error *err)
{
	auto_ipset struct ipset_session *new = xrealloc(NULL, sizeof(*new));
	int r;

	*new = (struct ipset_session){ .protocol = IPSET_PROTOCOL };
	r = netlink_open(&new->nl, NETLINK_SESSION_NETFILTER, -1, err);
	if (r == 0)
		r = ipset_agree(new, err);
	if (r < 0)
		return r;
	*session = take_ptr(new);
	return 0;
}

void ipset_close(struct ipset_session *session)
{
	if (session)
		netlink_close(session->nl);
	free(session);
}

void ipset_closep(struct ipset_session **session)
{
	ipset_close(*session);
	*session = NULL;
}

void ipset_queue_create(struct ipset_session *session, const struct ipset *set, int *outcome)
{
	struct nl_msg *msg = ipset_message(session, IPSET_CMD_CREATE, set->name, "create set");
	struct nlattr *data;

	nla_put_string(msg, IPSET_ATTR_TYPENAME, ipset_types[set->type]);
	nla_put_u8(msg, IPSET_ATTR_REVISION, revisions[set->type]);
	nla_put_u8(msg, IPSET_ATTR_FAMILY, (uint8_t)set->family);
	data = nla_nest_start(msg, NLA_F_NESTED | IPSET_ATTR_DATA);
	nla_put_u32(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_HASHSIZE, htonl(set->hash_size));
	nla_put_u32(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_MAXELEM, htonl(set->max_elements));
	nla_nest_end(msg, data);
	if (!outcome)
		return;
	*outcome = 0;
	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_EXCL;
	netlink_outcome(session->nl, outcome);
	netlink_tolerate(session->nl, EEXIST);
}

void ipset_queue_destroy(struct ipset_session *session, const char *name)
{
	ipset_message(session, IPSET_CMD_DESTROY, name, "destroy set");
	netlink_tolerate(session->nl, ENOENT);
}

static void put_element(struct nl_msg *msg, const struct ipset_element *element, uint32_t line)
{
	const struct ip *ip = &element->cidr.ip;
	bool v4 = ip->family == AF_INET;
	struct nlattr *data = nla_nest_start(msg, NLA_F_NESTED | IPSET_ATTR_DATA), *address;

	address = nla_nest_start(msg, NLA_F_NESTED | IPSET_ATTR_IP);
	nla_put(msg, NLA_F_NET_BYTEORDER | (v4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6),
		(int)ip_size(ip), ip->bytes);
	nla_nest_end(msg, address);
	if (element->cidr.prefix != ip_bits(ip))
		nla_put_u8(msg, IPSET_ATTR_CIDR, element->cidr.prefix);
	if (element->protocol) {
		nla_put_u8(msg, IPSET_ATTR_PROTO, element->protocol);
		nla_put_u16(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_PORT, htons(element->port));
	}
	nla_put_u32(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_CADT_LINENO, htonl(line));
	nla_nest_end(msg, data);
}

static void queue_elements(struct ipset_session *session, int command, const char *label,
			   const char *set, const struct ipset_element *elements, size_t n)
{
	for (size_t i = 0; i < n;) {
		struct nl_msg *msg = ipset_message(session, command, set, label);
		struct nlattr *list;

		nla_put_u32(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_LINENO, htonl(1));
		list = nla_nest_start(msg, NLA_F_NESTED | IPSET_ATTR_ADT);
		for (size_t end = i + ELEMENTS_OF_A_MESSAGE; i < n && i < end; i++)
			put_element(msg, &elements[i], (uint32_t)i + 1);
		nla_nest_end(msg, list);
	}
}

void ipset_queue_add(struct ipset_session *session, const char *set,
		     const struct ipset_element *elements, size_t n)
{
	queue_elements(session, IPSET_CMD_ADD, "add to set", set, elements, n);
}

void ipset_queue_del(struct ipset_session *session, const char *set,
		     const struct ipset_element *elements, size_t n)
{
	queue_elements(session, IPSET_CMD_DEL, "take out of set", set, elements, n);
}

/* Errors of ipset's own, which no libc knows, and what this system calls the like of them. */
static const struct {
	int theirs, ours;
	const char *words;
} refusals[] = {
	{ IPSET_ERR_PROTOCOL, EPROTO, "malformed message" },
	{ IPSET_ERR_FIND_TYPE, EOPNOTSUPP, "the kernel has no such type of set" },
	{ IPSET_ERR_MAX_SETS, ENOSPC, "there are too many sets" },
	{ IPSET_ERR_BUSY, EBUSY, "set is in use" },
	{ IPSET_ERR_TYPE_MISMATCH, EEXIST, "sets are of different types" },
	{ IPSET_ERR_INVALID_CIDR, EINVAL, "prefix length is wrong for this type of set" },
	{ IPSET_ERR_INVALID_FAMILY, EAFNOSUPPORT, "set is of the other address family" },
	{ IPSET_ERR_REFERENCED, EBUSY, "set is in use" },
	{ IPSET_ERR_IPADDR_IPV4, EAFNOSUPPORT, "set takes IPv4 addresses" },
	{ IPSET_ERR_IPADDR_IPV6, EAFNOSUPPORT, "set takes IPv6 addresses" },
	{ IPSET_ERR_HASH_FULL, ENOSPC, "set is full" },
	{ IPSET_ERR_INVALID_PROTO, EINVAL, "protocol is wrong" },
	{ IPSET_ERR_MISSING_PROTO, EINVAL, "protocol is missing" },
};

/* The label stands before the last ": ". */
static int translate(int r, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const char *end = strrchr(err->message, ':');

		if (r == -refusals[i].theirs)
			return fail(err, refusals[i].ours, "%.*s: %s",
				    end ? (int)(end - err->message) : 0, err->message,
				    refusals[i].words);
	}
	return r;
}

int ipset_commit(struct ipset_session *session, struct error *err)
{
	struct error local = { 0 };
	int r = netlink_commit(session->nl, &local);

	if (r < 0) {
		r = translate(r, &local);
		if (err)
			*err = local;
	}
	return r;
}
