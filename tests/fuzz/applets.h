/* All applets by name, for the harnesses that walk their tables. */
#ifndef FUZZ_APPLETS_H
#define FUZZ_APPLETS_H

#include "fuzz.h"

#define APPLET(kind, symbol, name) extern const struct applet applet_##symbol;
#include "applets.inc"
#undef APPLET

#define KIND_cni                   APPLET_CNI
#define KIND_node                  APPLET_NODE
#define KIND_tool                  APPLET_TOOL
#define APPLET(kind, symbol, name) { name, KIND_##kind, &applet_##symbol },
static const struct applet_entry fuzz_applets[] = {
#include "applets.inc"
};
#undef APPLET

static inline const struct applet_entry *fuzz_applet(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fuzz_applets); i++)
		if (streq(fuzz_applets[i].name, name))
			return &fuzz_applets[i];
	return NULL;
}

#endif
