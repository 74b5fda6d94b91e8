/* The store's messages. Strangers' words are inside, but both ends are ours. */
#include "lease/store_message.h"

#include <errno.h>
#include <sys/socket.h>

#include "lease/store.h"

#define WORDS(member)   offsetof(struct lease_words, member)
#define LEASE(member)   offsetof(struct subnet_lease, member)
#define MESSAGE(member) offsetof(struct lease_store_message, member)

static const struct field words_fields[] = { { "key", FIELD_STRING, WORDS(key) },
					     { "value", FIELD_STRING, WORDS(value) },
					     { "leftMs", FIELD_INT64, WORDS(left_ms) },
					     FIELDS_END };

/* Of thousands: each member by itself, so that nothing has to be parsed twice. */
static const struct field lease_fields[] = {
	{ "subnet", FIELD_CIDR, LEASE(subnet) },       { "subnet6", FIELD_CIDR, LEASE(subnet6) },
	{ "ip", FIELD_IP, LEASE(public_ip) },          { "ip6", FIELD_IP, LEASE(public_ip6) },
	{ "type", FIELD_STRING, LEASE(type) },         { "vni", FIELD_UINT32, LEASE(vtep.vni) },
	{ "mac", FIELD_MAC, LEASE(vtep.mac) },         { "vni6", FIELD_UINT32, LEASE(vtep6.vni) },
	{ "mac6", FIELD_MAC, LEASE(vtep6.mac) },       { "leftMs", FIELD_INT64, LEASE(left_ms) },
	{ "revision", FIELD_UINT64, LEASE(revision) }, FIELDS_END,
};

#define NODE(member) offsetof(struct node_words, member)

static const struct field node_fields[] = {
	{ "publicIp", FIELD_IP, NODE(public_ip) }, { "publicIpv6", FIELD_IP, NODE(public_ip6) },
	{ "told", FIELD_IP, NODE(told) },          { "told6", FIELD_IP, NODE(told6) },
	{ "value", FIELD_STRING, NODE(value) },    FIELDS_END
};

static const struct field fields[] = {
	{ "network", FIELD_STRING, MESSAGE(network) },
	{ "own", FIELD_OBJECT, MESSAGE(own), .fields = words_fields },
	{ "leases", FIELD_LIST, MESSAGE(leases), .element = FIELD_OBJECT,
	  .size = sizeof(struct subnet_lease), .fields = lease_fields },
	{ "changes", FIELD_BOOL, MESSAGE(changes) },
	{ "gone", FIELD_LIST, MESSAGE(gone), .element = FIELD_OBJECT,
	  .size = sizeof(struct subnet_lease), .fields = lease_fields },
	{ "hasLeases", FIELD_BOOL, MESSAGE(has_leases) },
	{ "bad", FIELD_UINT32, MESSAGE(n_bad) },
	{ "lost", FIELD_STRING, MESSAGE(lost) },
	{ "hasTrouble", FIELD_BOOL, MESSAGE(has_trouble) },
	{ "trouble", FIELD_STRING, MESSAGE(trouble) },
	{ "released", FIELD_BOOL, MESSAGE(released) },
	{ "pong", FIELD_BOOL, MESSAGE(pong) },
	{ "want", FIELD_OBJECT, MESSAGE(want), .fields = words_fields },
	{ "written", FIELD_STRING, MESSAGE(written) },
	{ "held", FIELD_BOOL, MESSAGE(held) },
	{ "release", FIELD_BOOL, MESSAGE(release) },
	{ "ping", FIELD_BOOL, MESSAGE(ping) },
	{ "ready", FIELD_BOOL, MESSAGE(ready) },
	{ "hasNode", FIELD_BOOL, MESSAGE(has_node) },
	{ "node", FIELD_OBJECT, MESSAGE(node), .fields = node_fields },
	FIELDS_END
};

const char *lease_store_message_text(const struct lease_store_message *message, struct arena *arena)
{
	auto_json struct json *json = json_encode(fields, message);

	return json_text(json, JSON_STYLE_COMPACT, arena);
}

int lease_store_message_parse(const char *text, size_t size, struct arena *arena,
			      struct lease_store_message *message, struct error *err)
{
	auto_json struct json *json = json_parse(text, size, err);

	*message = (struct lease_store_message){ 0 };
	if (!json || json_decode(json, fields, message, arena, err))
		return -err->errnum;
	list_each(lease, &message->leases) {
		lease->type = lease->type ? lease->type : "";
		lease->vtep.set = lease->vtep.mac.set;
		lease->vtep6.set = lease->vtep6.mac.set;
	}
	return 0;
}

struct lease_words lease_words_of(const struct subnet_lease *lease, struct arena *arena)
{
	char key[SUBNET_KEY_SIZE];
	bool any = lease->subnet.ip.family || lease->subnet6.ip.family;

	return (struct lease_words){
		.key = any ? arena_strdup(arena, subnet_key(lease, key)) : "",
		.value = subnet_value(lease, arena),
		.left_ms = lease->left_ms,
	};
}

int lease_words_read(const struct lease_words *words, struct arena *arena,
		     struct subnet_lease *lease, struct error *err)
{
	*lease = (struct subnet_lease){ .left_ms = words->left_ms };
	if (words->key && *words->key && subnet_key_parse(words->key, lease))
		return fail(err, EPROTO, "\"%s\" is no key of a lease", words->key);
	if (!words->value)
		return fail(err, EPROTO, "a lease without a value");
	return subnet_value_parse(words->value, strlen(words->value), arena, lease, err);
}
