/* IPT_SO_GET_INFO: how many rules a legacy table has, how many bytes they take, where its chains begin. */
#include "kernel/xtables.h"

#include <netinet/in.h> /* before the kernel's, which give way to it */

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <sys/socket.h>

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "they are alike");

static uint64_t hash(const void *data, size_t size)
{
	uint64_t sum = 14695981039346656037u; /* FNV-1a */

	for (const uint8_t *byte = data; byte < (const uint8_t *)data + size; byte++)
		sum = (sum ^ *byte) * 1099511628211u;
	return sum;
}

uint64_t xtables_fingerprint(bool v6, const char *table)
{
	struct ipt_getinfo info = { 0 };
	socklen_t size = sizeof(info);
	auto_close int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(info.name, sizeof(info.name), "%s", table);
	/* The number is the same for IPv6. */
	if (fd < 0 || getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, IPT_SO_GET_INFO, &info, &size))
		return 0;
	return hash(&info, sizeof(info));
}
