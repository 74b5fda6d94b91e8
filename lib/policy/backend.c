/* Which back end. Everything that makes rules on a node should use one variant of iptables: Kubernetes is followed. */
#include "policy/backend.h"

#include <errno.h>
#include <stdio.h>

#include "firewall/kubelet.h"

const struct backend *const backends[] = { &backend_iptables_nft, &backend_iptables_legacy,
					   &backend_nftables, NULL };

static const char *automatic(void)
{
	static const char *const names[] = {
		[KUBELET_NONE] = "nftables",
		[KUBELET_NFT] = "iptables-nft",
		[KUBELET_LEGACY] = "iptables-legacy",
	};

	return names[kubelet_variant()];
}

static const char *known_names(char *text, size_t size)
{
	size_t at = (size_t)snprintf(text, size, "auto");

	for (size_t i = 0; backends[i] && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, ", %s", backends[i]->name);
	return text;
}

int backend_find(const char *name, const struct backend **backend, struct error *err)
{
	const char *wanted = streq(name, "auto") ? automatic() : name;
	char text[128];

	for (size_t i = 0; backends[i]; i++)
		if (streq(backends[i]->name, wanted)) {
			*backend = backends[i];
			return 0;
		}
	return fail(err, EINVAL, "no back end \"%s\": %s", wanted, known_names(text, sizeof(text)));
}
