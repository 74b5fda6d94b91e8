/* Who listens in a namespace: /proc/net/tcp and its like, line by line. See filter.h. */
#include "node/filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/file.h"

enum { LISTENERS_SIZE = 16 << 20, STATE_LISTEN = 0x0a, STATE_UNCONNECTED = 0x07 };

/* Words of 32 bits as this machine has them in memory; an IPv4 address in IPv6's form is one of IPv4. */
static struct ip read_addr(const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t bytes[16] = { 0 };
	char word[9] = "";
	size_t words = strlen(text) / 8;

	for (size_t i = 0; i < words && i < 4; i++) {
		uint32_t value;

		memcpy(word, text + 8 * i, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(bytes + 4 * i, &value, sizeof(value));
	}
	if (words == 4 && memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return ip_make(AF_INET, bytes + sizeof(mapped));
	return ip_make(words == 4 ? AF_INET6 : AF_INET, bytes);
}

/* ADDRESS:PORT at *text, which moves behind it. */
static bool read_end(const char **text, struct ip *ip, unsigned long *port)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *addr = *text + strspn(*text, " ");
	size_t len = strspn(addr, digits);
	char copy[33] = "", *end;

	if ((len != 8 && len != 32) || addr[len] != ':')
		return false;
	memcpy(copy, addr, len);
	*ip = read_addr(copy);
	*port = strtoul(addr + len + 1, &end, 16);
	*text = end;
	return true;
}

/* "0: ADDRESS:PORT REMOTE:PORT STATE ..."; sockets of IPv6 that listen on any address take IPv4, too. */
bool socket_line_listens(const char *line, const struct parcel *parcel, struct ip *only)
{
	static const uint8_t any[16];
	unsigned wanted = parcel->protocol == IPPROTO_UDP ? STATE_UNCONNECTED : STATE_LISTEN;
	const char *colon = strchr(line, ':'), *rest = colon ? colon + 1 : "";
	unsigned long port, remote_port;
	struct ip ip, remote;

	if (!read_end(&rest, &ip, &port) || !read_end(&rest, &remote, &remote_port) ||
	    port != parcel->port || strtoul(rest, NULL, 16) != wanted)
		return false;
	if (ip_equal(&ip, &parcel->dst) || memcmp(ip.bytes, any, ip_size(&ip)) == 0)
		return true;
	*only = ip;
	return false;
}

/* Without the file the kernel has no such sockets; one that cannot be read says nothing. */
static bool file_listens(const char *file, const struct parcel *parcel, struct ip *only)
{
	auto_arena struct arena arena = { 0 };
	char *text = NULL, *line;
	size_t size = 0;
	int r = file_read(file, LISTENERS_SIZE, &arena, &text, &size, NULL);

	if (r < 0)
		return r != -ENOENT;
	while ((line = strsep(&text, "\n")))
		if (socket_line_listens(line, parcel, only))
			return true;
	return false;
}

bool place_listens(const struct place *place, const struct parcel *parcel, struct ip *only)
{
	const char *word = parcel->protocol == IPPROTO_UDP ? "udp" : "tcp";
	int back auto_netns = -1;
	char file[64];

	*only = (struct ip){ .family = 0 };
	if (parcel->protocol != IPPROTO_TCP && parcel->protocol != IPPROTO_UDP)
		return true;
	if (place->fd < 0 || netns_enter(place->fd, &back, NULL) < 0)
		return true;
	snprintf(file, sizeof(file), "/proc/thread-self/net/%s", word);
	if (parcel->dst.family == AF_INET && file_listens(file, parcel, only))
		return true;
	snprintf(file, sizeof(file), "/proc/thread-self/net/%s6", word);
	return file_listens(file, parcel, only);
}
