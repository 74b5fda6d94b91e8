/* Keys and values of leases. */
#include "lease/subnet.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "describe/duration.h"
#include "describe/json.h"
#include "lease/kv.h"

/* The value, and a VTEP in it, as JSON has them. */
struct value {
	struct ip public_ip, public_ip6;
	const char *type;
	struct json *data, *data6;
};

#define VALUE(member) offsetof(struct value, member)

static const struct field value_fields[] = { { "PublicIP", FIELD_IP, VALUE(public_ip) },
					     { "PublicIPv6", FIELD_IP, VALUE(public_ip6) },
					     { "BackendType", FIELD_STRING, VALUE(type) },
					     { "BackendData", FIELD_JSON, VALUE(data) },
					     { "BackendV6Data", FIELD_JSON, VALUE(data6) },
					     FIELDS_END };

static const struct field vtep_fields[] = {
	{ "VNI", FIELD_UINT32, offsetof(struct subnet_vtep, vni) },
	{ "VtepMAC", FIELD_MAC, offsetof(struct subnet_vtep, mac) },
	FIELDS_END
};

const char *subnet_key(const struct subnet_lease *lease, char key[SUBNET_KEY_SIZE])
{
	char v4[IP_TEXT_SIZE] = "0.0.0.0", v6[IP_TEXT_SIZE];
	int len;

	if (lease->subnet.ip.family)
		ip_format(&lease->subnet.ip, v4);
	len = snprintf(key, SUBNET_KEY_SIZE, "%s-%u", v4, lease->subnet.prefix);
	if (lease->subnet6.ip.family)
		snprintf(key + len, SUBNET_KEY_SIZE - (size_t)len, "&%s-%u",
			 ip_format(&lease->subnet6.ip, v6), lease->subnet6.prefix);
	return key;
}

/* `ADDRESS-LENGTH`, the length below that of a single address. */
static bool parse_half(const char *text, size_t len, int family, struct cidr *subnet)
{
	const char *dash = memchr(text, '-', len);
	char word[CIDR_TEXT_SIZE];

	if (!dash || len >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s/%.*s", (int)(dash - text), text,
		 (int)(len - (size_t)(dash - text) - 1), dash + 1);
	return cidr_parse(word, subnet) && subnet->ip.family == family &&
	       subnet->prefix < ip_bits(&subnet->ip);
}

int subnet_key_parse(const char *key, struct subnet_lease *lease)
{
	size_t len = strcspn(key, "&");
	struct cidr v4 = { 0 }, v6 = { 0 };

	if (!parse_half(key, len, AF_INET, &v4))
		return -EINVAL;
	if (key[len] && !parse_half(key + len + 1, strlen(key + len + 1), AF_INET6, &v6))
		return -EINVAL;
	lease->subnet = lease->subnet6 = (struct cidr){ 0 };
	v4 = cidr_network(&v4);
	if (!ip_is_unspecified(&v4.ip))
		lease->subnet = v4;
	else if (v4.prefix || !v6.ip.family)
		return -EINVAL;
	if (v6.ip.family)
		lease->subnet6 = cidr_network(&v6);
	return 0;
}

static struct json *vtep_json(const struct subnet_vtep *vtep)
{
	struct json *object = json_new_object();
	char mac[MAC_TEXT_SIZE];

	json_set(object, "VNI", json_new_int(vtep->vni));
	json_set(object, "VtepMAC", json_new_string(mac_format(&vtep->mac, mac)));
	return object;
}

static void set_ip(struct json *object, const char *key, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	json_set(object, key, ip->family ? json_new_string(ip_format(ip, text)) : json_new_null());
}

const char *subnet_value(const struct subnet_lease *lease, struct arena *arena)
{
	auto_json struct json *object = json_new_object();

	/* flannel's reader takes null for the other family only: in this one it is an error, and costs it all its peers (D1). */
	if (lease->public_ip.family)
		set_ip(object, "PublicIP", &lease->public_ip);
	set_ip(object, "PublicIPv6", &lease->public_ip6);
	if (lease->type && *lease->type)
		json_set(object, "BackendType", json_new_string(lease->type));
	if (lease->vtep.set)
		json_set(object, "BackendData", vtep_json(&lease->vtep));
	if (lease->vtep6.set)
		json_set(object, "BackendV6Data", vtep_json(&lease->vtep6));
	return json_text(object, JSON_STYLE_COMPACT, arena);
}

/* One's own: not all zeros, and not of a group, as that of broadcasts is. */
static bool is_of_device(const struct mac *mac)
{
	static const struct mac none = { .set = true };

	return !mac_equal(mac, &none) && !(mac->bytes[0] & 1);
}

/* Data of a type that we do not have may be anything. */
static int parse_vtep(const char *name, const char *type, const struct json *data,
		      struct arena *arena, struct subnet_vtep *vtep, struct error *err)
{
	char mac[MAC_TEXT_SIZE];

	*vtep = (struct subnet_vtep){ 0 };
	if (json_is_null(data) || !data || !streq(type, "vxlan"))
		return 0;
	if (json_decode(data, vtep_fields, vtep, arena, err))
		return wrap(err, "%s", name);
	if (!vtep->mac.set)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s.VtepMAC: missing", name);
	if (!is_of_device(&vtep->mac))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "%s.VtepMAC: %s is no device's address", name,
				 mac_format(&vtep->mac, mac));
	vtep->set = true;
	return 0;
}

/* None (0.0.0.0 is what flannel writes for none), or one that packets for a node can be sent to. */
static bool is_of_node(const struct ip *ip)
{
	static const struct ip broadcast = { AF_INET, { 255, 255, 255, 255 } };

	return !ip->family ||
	       (!ip_is_multicast(ip) && !ip_is_loopback(ip) && !ip_equal(ip, &broadcast));
}

int subnet_value_parse(const char *text, size_t size, struct arena *arena,
		       struct subnet_lease *lease, struct error *err)
{
	auto_json struct json *json = NULL;
	struct value value = { .type = "" };
	struct error unasked = { 0 };
	char ip[IP_TEXT_SIZE];

	if (!err)
		err = &unasked;
	json = json_parse(text, size, err);
	if (!json || json_decode(json, value_fields, &value, arena, err) ||
	    parse_vtep("BackendData", value.type, value.data, arena, &lease->vtep, err) ||
	    parse_vtep("BackendV6Data", value.type, value.data6, arena, &lease->vtep6, err))
		return -err->errnum;
	if (value.public_ip.family == AF_INET6 || value.public_ip6.family == AF_INET)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "PublicIP and PublicIPv6: an address of the other family");
	if (!is_of_node(&value.public_ip) || !is_of_node(&value.public_ip6))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "PublicIP and PublicIPv6: %s is no node's address",
				 ip_format(is_of_node(&value.public_ip) ? &value.public_ip6
									: &value.public_ip,
					   ip));
	lease->public_ip = value.public_ip;
	lease->public_ip6 = value.public_ip6;
	lease->type = arena_strdup(arena, value.type);
	return 0;
}

static bool same_address(const struct ip *a, const struct ip *b)
{
	return a->family && !ip_is_unspecified(a) && ip_equal(a, b);
}

/* To the minute: seconds would differ with every look. */
const char *subnet_life_text(const struct subnet_lease *lease, struct arena *arena)
{
	char text[DURATION_TEXT_SIZE];
	const int64_t minute = 60000;

	if (lease->left_ms < 0)
		return "reserved";
	if (lease->left_ms == KV_LASTING)
		return "as its node";
	if (lease->left_ms == KV_LEFT_UNKNOWN)
		return "";
	return arena_strdup(arena,
			    duration_format((lease->left_ms + minute - 1) / minute * minute, text));
}

const struct ip *subnet_node(const struct subnet_lease *lease)
{
	return lease->public_ip.family ? &lease->public_ip : &lease->public_ip6;
}

bool subnet_same_node(const struct subnet_lease *a, const struct subnet_lease *b)
{
	return same_address(&a->public_ip, &b->public_ip) ||
	       same_address(&a->public_ip6, &b->public_ip6);
}

static bool same_cidr(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family == b->ip.family && (!a->ip.family || cidr_equal(a, b));
}

bool subnet_same(const struct subnet_lease *a, const struct subnet_lease *b)
{
	return same_cidr(&a->subnet, &b->subnet) && same_cidr(&a->subnet6, &b->subnet6);
}

struct subnet_lease subnet_copy(const struct subnet_lease *lease, struct arena *arena)
{
	struct subnet_lease copy = *lease;

	copy.type = arena_strdup(arena, lease->type);
	return copy;
}

const struct subnet_lease *subnet_find(const subnet_leases_t *leases,
				       const struct subnet_lease *wanted)
{
	list_each(lease, leases)
		if (subnet_same(lease, wanted))
			return lease;
	return NULL;
}

static bool same_vtep(const struct subnet_vtep *a, const struct subnet_vtep *b)
{
	return a->set == b->set && (!a->set || (a->vni == b->vni && mac_equal(&a->mac, &b->mac)));
}

bool subnet_lease_equal(const struct subnet_lease *a, const struct subnet_lease *b)
{
	return subnet_same(a, b) && ip_equal(&a->public_ip, &b->public_ip) &&
	       ip_equal(&a->public_ip6, &b->public_ip6) && streq(a->type, b->type) &&
	       same_vtep(&a->vtep, &b->vtep) && same_vtep(&a->vtep6, &b->vtep6);
}
