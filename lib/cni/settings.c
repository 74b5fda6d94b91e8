/* Names and values of sysctls; see settings.h. */
#include "cni/settings.h"

#include <errno.h>

#include "base/text.h"
#include "kernel/sysctl.h"

/* Every dot of the name is a slash, whence there is no ".." in it; the first IFNAME becomes the interface, which may
 * have dots of its own. */
static const char *sysctl_path(const char *key, const char *ifname, struct arena *arena)
{
	char *path = arena_strdup(arena, key), *word, *out;

	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	word = strstr(path, "IFNAME");
	if (word)
		path = arena_printf(arena, "%.*s%s%s", (int)(word - path), path, ifname,
				    word + strlen("IFNAME"));
	out = path;
	for (const char *p = path; *p; p++)
		if (*p != '/' || (out > path && out[-1] != '/'))
			*out++ = *p;
	if (out > path && out[-1] == '/')
		out--;
	*out = '\0';
	return path;
}

static int add_setting(settings_t *settings, const struct cni_request *request, const char *key,
		       const struct json *value, bool replaces, struct error *err)
{
	struct setting setting = {
		.key = key,
		.path = sysctl_path(key, request->ifname ? request->ifname : "", request->arena),
		.value = json_string(value),
	};

	if (!setting.value)
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "sysctl.%s: expected a string (also a number stands in quotes)",
				 key),
		       error_at(err, "sysctl.%s", key);
	if (!has_prefix(setting.path, "net/"))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "invalid net sysctl key: \"%s\"",
				 key),
		       error_at(err, "sysctl.%s", key);
	list_each(other, settings) {
		if (!streq(other->path, setting.path))
			continue;
		if (!replaces)
			return fail_key(err, "sysctl", "duplicated sysctl keys are not allowed");
		*other = setting;
		return 0;
	}
	*list_add(request->arena, settings) = setting;
	return 0;
}

int settings_add(settings_t *settings, const struct cni_request *request, const struct json *sysctl,
		 bool replace, struct error *err)
{
	if (sysctl && !json_is_object(sysctl))
		return fail_code(
			err, CNI_DECODE_FAILURE, EINVAL,
			"sysctl: expected an object, such as {\"net.core.somaxconn\": \"500\"}");
	for (void *i = sysctl ? json_first(sysctl) : NULL; i; i = json_next(sysctl, i))
		if (add_setting(settings, request, json_iter_key(i), json_iter_value(i), replace,
				err))
			return -err->errnum;
	return 0;
}

void settings_restore(const struct json *sysctl, struct arena *arena)
{
	settings_t settings = { 0 };

	for (void *i = sysctl ? json_first(sysctl) : NULL; i; i = json_next(sysctl, i))
		*list_add(arena, &settings) = (struct setting){
			.path = json_iter_key(i),
			.old = json_string(json_iter_value(i)),
		};
	while (settings.n > 0) {
		const struct setting *setting = &settings.items[--settings.n];

		if (setting->old && has_prefix(setting->path, "net/"))
			sysctl_try(setting->path, setting->old);
	}
}
