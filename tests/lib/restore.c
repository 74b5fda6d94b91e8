/*
 * The verb restore of one plugin, as a runtime would ask for it: environment and configuration (with prevResult) as for
 * CHECK. `restore PLUGIN <CONF`
 */
#include "base/file.h"
#include "cni/plugin.h"
#include "describe/applet.h"

#include <stdio.h>

#define APPLET(kind, symbol, name) extern const struct applet applet_##symbol;
#include "applets.inc"
#undef APPLET

#define APPLET(kind, symbol, name) { name, 0, &applet_##symbol },
static const struct applet_entry applets[] = {
#include "applets.inc"
};
#undef APPLET

static const struct cni_plugin *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
		if (streq(applets[i].name, name))
			return applets[i].applet->plugin;
	return NULL;
}

static int restore(const struct cni_plugin *plugin, struct cni_request *request, struct error *err)
{
	bool unset;
	char *text;
	int r = request_from_environment(request, &unset, err);

	if (r == 0)
		r = fd_read_all(STDIN_FILENO, 1 << 20, request->arena, &text, &request->config_size,
				err);
	if (r < 0)
		return r;
	request->config_text = text;
	r = request_decode(request, err);
	return r < 0 ? r : plugin_restore(plugin, request, err);
}

int main(int argc, char **argv)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request = { .arena = &arena, .find_plugin = find };
	const struct cni_plugin *plugin = argc == 2 ? find(argv[1]) : NULL;
	struct error err = { 0 };
	int r;

	if (!plugin)
		return 2;
	r = restore(plugin, &request, &err);
	if (r < 0)
		printf("%s\n", err.message);
	request_release(&request);
	return r < 0;
}
