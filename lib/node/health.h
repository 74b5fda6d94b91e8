/*
 * Health: what is wrong on this node, from what is there now. Each check adds ailments, with a command against each; those
 * that are safe to mend (what is left of something that is provably gone, and sysctls that a plugin itself sets) can be
 * mended by the code that the plugins' own DEL and GC use.
 */
#ifndef NODE_HEALTH_H
#define NODE_HEALTH_H

#include "cni/delegate.h"
#include "describe/field.h"

#include <stdio.h>

enum ailment_state { AILMENT_FOUND, AILMENT_MENDED, AILMENT_FAILED };

struct health;
struct lease_place;
struct ailment {
	const char *check, *text, *why, *remedy; /* why, remedy: NULL = nothing to say */
	const char *look; /* a command that tells more, where none mends it */
	bool safe;        /* it has a mend() */
	int state;
	const char *failure; /* of mending */
	int (*mend)(struct health *health, const struct ailment *ailment, struct error *err);
	const void *arg;
};
typedef LIST(struct ailment) ailments_t;

struct health_query {
	const char *conf_dir, *plugin_path, *cache_dir, *data_dir;
	const char *version;             /* of this program */
	int64_t older_than_ms;           /* of what is younger an ADD may still be at work */
	const struct lease_place *place; /* of other nodes' leases; NULL = nobody asks */
	cni_find_fn *find_plugin;
	/* The same folders and store as words for other commands, where they are not the usual: " --cache-dir /x", or "". */
	const char *cni_options, *cache_option, *data_option, *lease_options, *own_options;
	bool fix;
};

struct health_report {
	int version; /* of this form: HEALTH_VERSION */
	ailments_t ailments;
};
enum { HEALTH_VERSION = 1 };
extern const struct field health_fields[];

/* Every check is made, whatever another one finds; one that cannot be made is an ailment, too. */
int health_look(const struct health_query *query, struct arena *arena, struct health_report *report,
		struct error *err) must_check;
size_t health_left(const struct health_report *report); /* not mended */
void health_print(FILE *out, const struct health_report *report, bool fixed, bool colour);

#endif
