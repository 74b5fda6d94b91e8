/* Routes that unwrap: SRv6's End.DX2. */
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>

#include "kernel/route_internal.h"

/* Of linux/seg6_local.h, which with musl's headers defines an address a second time. */
enum { SEG6_LOCAL_ACTION = 1, SEG6_LOCAL_OIF = 7, SEG6_LOCAL_MAX = 11 };
enum { SEG6_LOCAL_ACTION_END_DX2 = 4 };

void route_put_frame_oif(struct nl_msg *msg, int oif)
{
	struct nlattr *encap;

	if (!oif)
		return;
	nla_put_u16(msg, RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_SEG6_LOCAL);
	encap = nla_nest_start(msg, RTA_ENCAP);
	nla_put_u32(msg, SEG6_LOCAL_ACTION, SEG6_LOCAL_ACTION_END_DX2);
	nla_put_u32(msg, SEG6_LOCAL_OIF, (uint32_t)oif);
	nla_nest_end(msg, encap);
}

int route_read_frame_oif(struct nlattr **attrs)
{
	struct nlattr *inside[SEG6_LOCAL_MAX + 1];
	bool is_local = attr_u16(attrs[RTA_ENCAP_TYPE], 0) == LWTUNNEL_ENCAP_SEG6_LOCAL;

	netlink_parse_nested(is_local ? attrs[RTA_ENCAP] : NULL, inside, SEG6_LOCAL_MAX);
	if (attr_u32(inside[SEG6_LOCAL_ACTION], 0) != SEG6_LOCAL_ACTION_END_DX2)
		return 0;
	return (int)attr_u32(inside[SEG6_LOCAL_OIF], 0);
}
