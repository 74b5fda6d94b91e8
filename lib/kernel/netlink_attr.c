/* Attributes of what the kernel sends, found by type and read with their length checked. */
#include "kernel/netlink_internal.h"

#include <errno.h>

static void clear(struct nlattr **attrs, int max)
{
	for (int i = 0; i <= max; i++)
		attrs[i] = NULL;
}

/* Collect attributes by type. False when one is longer than what is left. */
static bool collect(const void *data, int left, struct nlattr **attrs, int max)
{
	const struct nlattr *attr = data;

	clear(attrs, max);
	for (; left > 0 && nla_ok(attr, left); attr = nla_next(attr, &left))
		if (nla_type(attr) <= max)
			attrs[nla_type(attr)] = (struct nlattr *)attr;
	return left <= 0;
}

int netlink_parse(const struct nlmsghdr *message, size_t header_size, struct nlattr **attrs,
		  int max, struct error *err)
{
	size_t start = NLMSG_SPACE(header_size);

	if (message->nlmsg_len < NLMSG_LENGTH(header_size))
		return fail(err, EPROTO, "netlink: reply without its header");
	if (!collect((const char *)message + start, (int)message->nlmsg_len - (int)start, attrs,
		     max))
		return fail(err, EPROTO, "netlink: attribute beyond the end of its message");
	return 0;
}

void netlink_parse_nested(const struct nlattr *nest, struct nlattr **attrs, int max)
{
	if (!nest || !collect(nla_data(nest), nla_len(nest), attrs, max))
		clear(attrs, max);
}

uint32_t attr_u32(const struct nlattr *attr, uint32_t missing)
{
	return attr && nla_len(attr) >= (int)sizeof(uint32_t) ? nla_get_u32(attr) : missing;
}

uint16_t attr_u16(const struct nlattr *attr, uint16_t missing)
{
	return attr && nla_len(attr) >= (int)sizeof(uint16_t) ? nla_get_u16(attr) : missing;
}

uint8_t attr_u8(const struct nlattr *attr, uint8_t missing)
{
	return attr && nla_len(attr) >= (int)sizeof(uint8_t) ? nla_get_u8(attr) : missing;
}

void attr_text(const struct nlattr *attr, char *text, size_t size)
{
	size_t len = attr ? strnlen(nla_data(attr), (size_t)nla_len(attr)) : 0;

	if (len >= size)
		len = size - 1;
	memcpy(text, attr ? nla_data(attr) : "", len);
	text[len] = '\0';
}
