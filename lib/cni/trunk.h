/* The vlanTrunk key: VLANs and ranges of VLANs, folded into a bit map. */
#ifndef CNI_TRUNK_H
#define CNI_TRUNK_H

#include "base/error.h"
#include "describe/field.h"

enum { VLAN_MAX = 4094, VLAN_MAP_SIZE = 4096 / 8 };

struct trunk {
	bool has_id, has_min, has_max;
	int id, min_id, max_id;
};
typedef LIST(struct trunk) trunks_t;

extern const struct field trunk_fields[];

/* 0, or code 7 with the reference's text. */
int trunk_map(const trunks_t *trunks, uint8_t map[VLAN_MAP_SIZE], struct error *err) must_check;

#endif
