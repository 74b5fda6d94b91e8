/* The part of a URL that is shown. Apart from libcurl, so that it is tested without. */
#include "remote/http.h"

const char *http_host(const char *url, struct arena *arena)
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return arena_printf(arena, "%.*s", (int)(len < 256 ? len : 256), host);
}
