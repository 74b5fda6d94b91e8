/* vlanTrunk of the bridge plugin (cni-plugins.md, section 2.1): validation in the reference's words. */
#include "cni/trunk.h"

#include <errno.h>

const struct field trunk_fields[] = {
	{ "id", FIELD_INT, offsetof(struct trunk, id), .seen = FIELD_SEEN(struct trunk, has_id),
	  .help = "a single VLAN" },
	{ "minID", FIELD_INT, offsetof(struct trunk, min_id),
	  .seen = FIELD_SEEN(struct trunk, has_min), .help = "first VLAN of a range" },
	{ "maxID", FIELD_INT, offsetof(struct trunk, max_id),
	  .seen = FIELD_SEEN(struct trunk, has_max), .help = "last VLAN of a range" },
	FIELDS_END
};

static bool valid(int id)
{
	return id >= 1 && id <= VLAN_MAX;
}

static const char *mistake(const struct trunk *trunk)
{
	if (trunk->has_min && !valid(trunk->min_id))
		return "incorrect trunk minID parameter";
	if (trunk->has_max && !valid(trunk->max_id))
		return "incorrect trunk maxID parameter";
	if (trunk->has_min && !trunk->has_max)
		return "minID and maxID should be configured simultaneously, maxID is missing";
	if (trunk->has_max && !trunk->has_min)
		return "minID and maxID should be configured simultaneously, minID is missing";
	if (trunk->has_min && trunk->min_id > trunk->max_id)
		return "minID is greater than maxID in trunk parameter";
	if (trunk->has_id && !valid(trunk->id))
		return "incorrect trunk id parameter";
	return NULL;
}

int trunk_map(const trunks_t *trunks, uint8_t map[VLAN_MAP_SIZE], struct error *err)
{
	size_t i = 0;

	list_each(trunk, trunks) {
		const char *text = mistake(trunk);

		if (text)
			return fail_key(err, "", "%s", text), error_at(err, "vlanTrunk[%zu]", i);
		i++;
		for (int id = trunk->min_id; trunk->has_min && id <= trunk->max_id; id++)
			map[id / 8] |= 1u << (id % 8);
		if (trunk->has_id)
			map[trunk->id / 8] |= 1u << (trunk->id % 8);
	}
	return 0;
}
