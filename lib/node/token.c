/* A path's token: what the next node must know of the packet to go on, readable, on one line. */
#include "node/walk.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

enum { FIELDS = 8, TOKEN_MAX = 256 };

static const char *const ways[] = {
	[TOKEN_WIRE] = "wire", [TOKEN_VXLAN] = "vxlan", [TOKEN_RELAY] = "relay"
};

static const struct {
	uint8_t protocol;
	const char *word, *lower;
} protocols[] = {
	{ IPPROTO_TCP, "TCP", "tcp" },
	{ IPPROTO_UDP, "UDP", "udp" },
	{ IPPROTO_SCTP, "SCTP", "sctp" },
};

const char *protocol_word(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].word;
	return NULL;
}

bool protocol_parse(const char *word, uint8_t *protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (streq(word, protocols[i].word) || streq(word, protocols[i].lower)) {
			*protocol = protocols[i].protocol;
			return true;
		}
	return false;
}

const char *token_text(const struct token *token, struct arena *arena)
{
	const struct parcel *parcel = &token->parcel;
	const char *protocol = protocol_word(parcel->protocol);
	char src[IP_TEXT_SIZE], dst[IP_TEXT_SIZE], to[IP_TEXT_SIZE];

	return arena_printf(arena, "%s,%s,%s,%u,%d,%s,%u,%s", ip_format(&parcel->src, src),
			    ip_format(&parcel->dst, dst), protocol ? protocol : "-", parcel->port,
			    token->mtu, ways[token->way], token->vni, ip_format(&token->to, to));
}

static bool number(const char *word, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(word, &end, 10);
	return *word >= '0' && *word <= '9' && !*end && !errno && *value <= max;
}

static bool way_parse(const char *word, struct token *token)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (streq(word, ways[i])) {
			token->way = (int)i;
			return true;
		}
	return false;
}

int token_parse(const char *text, struct token *token, struct error *err)
{
	struct parcel *parcel = &token->parcel;
	char copy[TOKEN_MAX], *rest = copy, *words[FIELDS] = { 0 };
	unsigned long port, mtu, vni;
	size_t n = 0;

	*token = (struct token){ .way = TOKEN_WIRE };
	snprintf(copy, sizeof(copy), "%s", text);
	while (rest && n < FIELDS)
		words[n++] = strsep(&rest, ",");
	if (n < FIELDS || rest || strlen(text) >= sizeof(copy) ||
	    !ip_parse(words[0], &parcel->src) || !ip_parse(words[1], &parcel->dst) ||
	    parcel->src.family != parcel->dst.family ||
	    (!streq(words[2], "-") && !protocol_parse(words[2], &parcel->protocol)) ||
	    !number(words[3], UINT16_MAX, &port) || !number(words[4], 1 << 20, &mtu) ||
	    !way_parse(words[5], token) || !number(words[6], 0xffffff, &vni) ||
	    !ip_parse(words[7], &token->to))
		return fail(err, EINVAL,
			    "\"%s\" is not a token that `cnibox path` prints on the node before",
			    text);
	parcel->port = (uint16_t)port;
	token->mtu = (int)mtu;
	token->vni = (uint32_t)vni;
	return 0;
}
