/*
 * The half of ipset that reads. A large set comes in several messages, each with its name; what does not look like an
 * element is refused, so that nobody takes half of a set for all of it.
 */
#include "kernel/ipset_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/text.h"
#include "kernel/netlink_internal.h"

static enum ipset_type type_of(const struct nlattr *attr)
{
	char text[IPSET_MAXNAMELEN];

	attr_text(attr, text, sizeof(text));
	for (int type = 0; type < IPSET_OTHER; type++)
		if (streq(text, ipset_types[type]))
			return (enum ipset_type)type;
	return IPSET_OTHER;
}

static bool read_address(const struct nlattr *nest, struct ip *ip)
{
	struct nlattr *attrs[IPSET_ATTR_IPADDR_MAX + 1];

	netlink_parse_nested(nest, attrs, IPSET_ATTR_IPADDR_MAX);
	if (attrs[IPSET_ATTR_IPADDR_IPV4] && nla_len(attrs[IPSET_ATTR_IPADDR_IPV4]) == 4)
		*ip = ip_make(AF_INET, nla_data(attrs[IPSET_ATTR_IPADDR_IPV4]));
	else if (attrs[IPSET_ATTR_IPADDR_IPV6] && nla_len(attrs[IPSET_ATTR_IPADDR_IPV6]) == 16)
		*ip = ip_make(AF_INET6, nla_data(attrs[IPSET_ATTR_IPADDR_IPV6]));
	else
		return false;
	return true;
}

static bool read_element(const struct nlattr *data, struct ipset_element *element)
{
	struct nlattr *attrs[IPSET_ATTR_ADT_MAX + 1];
	struct ip *ip = &element->cidr.ip;

	netlink_parse_nested(data, attrs, IPSET_ATTR_ADT_MAX);
	if (!read_address(attrs[IPSET_ATTR_IP], ip))
		return false;
	element->cidr.prefix = attr_u8(attrs[IPSET_ATTR_CIDR], (uint8_t)ip_bits(ip));
	element->protocol = attr_u8(attrs[IPSET_ATTR_PROTO], 0);
	element->port = ntohs(attr_u16(attrs[IPSET_ATTR_PORT], 0));
	return element->cidr.prefix <= ip_bits(ip);
}

static int read_elements(const struct nlattr *list, struct arena *arena, struct ipset *set,
			 struct error *err)
{
	struct nlattr *data;
	int left;

	if (!list || set->type == IPSET_OTHER)
		return 0;
	nla_for_each_nested(data, (struct nlattr *)list, left)
		if (!read_element(data, list_add(arena, &set->elements)))
			return fail(err, EPROTO, "malformed element of set %s from the kernel",
				    set->name);
	return 0;
}

static struct ipset *set_of(const struct ipset_dump *dump, struct nlattr *const *attrs,
			    const char *name)
{
	struct nlattr *head[IPSET_ATTR_CREATE_MAX + 1];
	struct ipset *set = dump->sets->n ? &dump->sets->items[dump->sets->n - 1] : NULL;

	if (set && streq(set->name, name))
		return set;
	netlink_parse_nested(attrs[IPSET_ATTR_DATA], head, IPSET_ATTR_CREATE_MAX);
	set = list_add(dump->arena, dump->sets);
	*set = (struct ipset){
		.name = arena_strdup(dump->arena, name),
		.type = type_of(attrs[IPSET_ATTR_TYPENAME]),
		.family = attr_u8(attrs[IPSET_ATTR_FAMILY], 0),
		.hash_size = ntohl(attr_u32(head[IPSET_ATTR_HASHSIZE], 0)),
		.max_elements = ntohl(attr_u32(head[IPSET_ATTR_MAXELEM], 0)),
		.references = ntohl(attr_u32(head[IPSET_ATTR_REFERENCES], 0)),
		.n_elements = ntohl(attr_u32(head[IPSET_ATTR_ELEMENTS], 0)),
	};
	return set;
}

int ipset_read(const struct nlmsghdr *reply, void *dump_, struct error *err)
{
	const struct ipset_dump *dump = dump_;
	struct nlattr *attrs[IPSET_ATTR_CMD_MAX + 1];
	char name[IPSET_MAXNAMELEN];
	int r;

	if (reply->nlmsg_type != (NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_LIST))
		return 0;
	r = netlink_parse(reply, sizeof(struct nfgenmsg), attrs, IPSET_ATTR_CMD_MAX, err);
	if (r < 0)
		return r;
	attr_text(attrs[IPSET_ATTR_SETNAME], name, sizeof(name));
	if (!*name || !has_prefix(name, dump->prefix))
		return 0;
	return read_elements(attrs[IPSET_ATTR_ADT], dump->arena, set_of(dump, attrs, name), err);
}

int ipset_list(struct ipset_session *session, const char *prefix, bool elements,
	       struct arena *arena, ipsets_t *sets, struct error *err)
{
	struct ipset_dump dump = { prefix, arena, sets };
	struct nl_msg *msg = ipset_message(session, IPSET_CMD_LIST, NULL, "list sets");

	if (!elements)
		nla_put_u32(msg, NLA_F_NET_BYTEORDER | IPSET_ATTR_FLAGS,
			    htonl(IPSET_FLAG_LIST_HEADER));
	sets->n = 0;
	return netlink_dump(session->nl, ipset_read, &dump, err);
}
