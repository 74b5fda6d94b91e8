/* Sysctls as networks write them, and as the kernel has them. */
#ifndef CNI_SETTINGS_H
#define CNI_SETTINGS_H

#include "cni/request.h"

struct setting {
	const char *key;  /* as written */
	const char *path; /* below /proc/sys */
	const char *value;
	const char *old; /* NULL = cannot be read */
};
typedef LIST(struct setting) settings_t;

/*
 * The members of a JSON object, in its order. Every dot of a name is a slash, and its first IFNAME the container's
 * interface; what is not below net. is refused: `invalid net sysctl key: "x"`. One that is there already is replaced
 * in its place, or an error: `duplicated sysctl keys are not allowed`.
 */
int settings_add(settings_t *settings, const struct cni_request *request, const struct json *sysctl,
		 bool replace, struct error *err) must_check;
/* Write the values of an object whose keys are paths, the last one first, in the caller's namespace. Best effort. */
void settings_restore(const struct json *sysctl, struct arena *arena);

#endif
