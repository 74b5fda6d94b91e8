/* Derived names; see names.h. */
#include "firewall/names.h"

#include <stdio.h>

#include "base/text.h"

#define CHAIN_PREFIX    "CNI-"
#define CHAIN_DIGITS    24
#define NFT_COMMENT_LEN 128

void masquerade_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE])
{
	memcpy(name, CHAIN_PREFIX, sizeof(CHAIN_PREFIX));
	sha512_hex(name + strlen(CHAIN_PREFIX), CHAIN_DIGITS, owner->network, owner->container,
		   NULL);
}

/* Other plugins' chains, such as portmap's CNI-DN-..., have no hexadecimal digits there. */
bool masquerade_chain_like(const char *name)
{
	return has_prefix(name, CHAIN_PREFIX) && strlen(name) == CHAIN_NAME_SIZE - 1 &&
	       strspn(name + strlen(CHAIN_PREFIX), "0123456789abcdef") == CHAIN_DIGITS;
}

/* As Go's %q does for what a network's name and a container's id may hold (section 1.1 allows no odd byte). */
static const char *quote(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 2 * strlen(text) + 3), *p = out;

	*p++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text;
	}
	*p++ = '"';
	return out;
}

const char *masquerade_xt_prefix(struct arena *arena, const char *network)
{
	return arena_printf(arena, "name: %s id: \"", quote(arena, network));
}

const char *masquerade_xt_comment(struct arena *arena, const struct owner *owner)
{
	char *comment = arena_printf(arena, "name: %s id: %s", quote(arena, owner->network),
				     quote(arena, owner->container));

	if (strlen(comment) > XT_COMMENT_MAX)
		comment[XT_COMMENT_MAX] = '\0';
	return comment;
}

void owner_hash(const struct owner *owner, char hash[OWNER_HASH_SIZE])
{
	if (owner->hash) {
		snprintf(hash, OWNER_HASH_SIZE, "%s", owner->hash);
		return;
	}
	sha512_hex(hash, NETWORK_HASH_LEN, owner->network, NULL);
	hash[NETWORK_HASH_LEN] = '-';
	sha512_hex(hash + NETWORK_HASH_LEN + 1, OWNER_HASH_SIZE - NETWORK_HASH_LEN - 2,
		   owner->ifname, ":", owner->container, NULL);
}

const char *masquerade_nft_comment(struct arena *arena, const struct owner *owner)
{
	char hash[OWNER_HASH_SIZE], *comment, *to;

	owner_hash(owner, hash);
	comment = arena_printf(arena, "%s, net: %s, if: %s, id: %s", hash, owner->network,
			       owner->ifname, owner->container);
	to = comment;
	for (const char *from = comment; *from; from++)
		if (*from != '"')
			*to++ = *from;
	*to = '\0';
	if (to - comment > NFT_COMMENT_LEN)
		comment[NFT_COMMENT_LEN] = '\0';
	return comment;
}

/* The text behind a key up to the end character, which may be the text's. */
static const char *value_of(const char *text, const char *key, const char *end, struct arena *arena)
{
	const char *at = strstr(text, key);

	if (!at)
		return NULL;
	at += strlen(key);
	return arena_printf(arena, "%.*s", (int)strcspn(at, end), at);
}

bool comment_owner(const char *comment, struct arena *arena, struct owner *owner)
{
	bool nft = strstr(comment, ", net: ") != NULL;

	*owner = (struct owner){
		.network = value_of(comment, nft ? ", net: " : "name: \"", nft ? "," : "\"", arena),
		.container = value_of(comment, nft ? ", id: " : "id: \"", nft ? "," : "\"", arena),
		.ifname = nft ? value_of(comment, ", if: ", ",", arena) : "eth0",
		.hash = nft ? arena_printf(arena, "%.*s", OWNER_HASH_SIZE - 1, comment) : NULL,
	};
	return owner->network && owner->container && owner->ifname;
}

static void port_chain(const struct owner *owner, const char *prefix, char name[CHAIN_NAME_SIZE])
{
	char *hash = stpcpy(name, prefix);

	sha512_hex(hash, (size_t)(name + CHAIN_NAME_SIZE - 1 - hash), owner->network,
		   owner->container, NULL);
}

void portmap_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE])
{
	port_chain(owner, PORTMAP_CHAIN_PREFIX, name);
}

void portmap_old_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE])
{
	port_chain(owner, "CNI-SN-", name);
}

const char *portmap_xt_comment(struct arena *arena, const struct owner *owner)
{
	char *comment = arena_printf(arena, "dnat name: \"%s\" id: \"%s\"", owner->network,
				     owner->container);

	/* The reference puts "..." behind 253 characters, of which iptables drops the last. */
	if (strlen(comment) > XT_COMMENT_MAX)
		memcpy(comment + XT_COMMENT_MAX - 2, "..", 3);
	return comment;
}

const char *portmap_xt_prefix(struct arena *arena, const char *network)
{
	return arena_printf(arena, "dnat name: \"%s\" id: \"", network);
}

const char *spoof_chain_name(struct arena *arena, const struct owner *owner)
{
	return arena_printf(arena, SPOOF_CHAIN_PREFIX "%s-%s", owner->container, owner->ifname);
}

const char *spoof_comment(struct arena *arena, const struct owner *owner)
{
	char *comment = arena_printf(arena, "macspoofchk-%s-%s", owner->container, owner->ifname);

	if (strlen(comment) > NFT_COMMENT_LEN)
		comment[NFT_COMMENT_LEN] = '\0';
	return comment;
}
