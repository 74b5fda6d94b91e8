/* The part of a URL that is shown. Apart from libcurl, so that it is tested without. */
#include "remote/http.h"

/* A password with a slash in it has to be escaped; where it is not, no part of it is shown, either. */
const char *http_host(const char *url, struct arena *arena)
{
	const char *host = strstr(url, "://"), *at = strrchr(url, '@');
	size_t len;

	host = at ? at + 1 : host ? host + 3 : url;
	len = strcspn(host, "/?#");
	return arena_printf(arena, "%.*s", (int)(len < 256 ? len : 256), host);
}
