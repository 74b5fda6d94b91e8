/* What all checks share: how they tell what they find, and whether anybody needs what they found. */
#include "node/health_internal.h"

#include "base/clock.h"
#include "cni/result.h"
#include "firewall/names.h"

struct ailment *health_add(struct health *health, const char *check, const char *text,
			   const char *why, const char *remedy)
{
	struct ailment *ailment = list_add(health->arena, &health->report->ailments);

	*ailment = (struct ailment){ .check = check, .text = text, .why = why, .remedy = remedy };
	return ailment;
}

/* Comments may be cut, but their beginning is the hash of the whole. */
bool health_remembers(const struct health *health, const struct owner *owner)
{
	list_each(cached, &health->scene.attachments) {
		char hash[OWNER_HASH_SIZE];

		if (!owner->hash && streq(cached->network, owner->network) &&
		    streq(cached->container, owner->container))
			return true;
		owner_hash(&(struct owner){ cached->network, cached->container, cached->ifname },
			   hash);
		if (owner->hash && streq(hash, owner->hash))
			return true;
	}
	return false;
}

static void read_remembered(struct health *health)
{
	list_each(cached, &health->scene.attachments) {
		struct cni_result result = { 0 };

		if (cached->result &&
		    result_decode(cached->result, NULL, false, health->arena, &result, NULL) >= 0)
			list_each(ip, &result.ips)
				*list_add(health->arena, &health->remembered) = ip->address.ip;
	}
	health->has_remembered = true;
}

bool health_needs(struct health *health, const struct ip *ip)
{
	spots_t spots = { 0 };

	list_each(holding, &health->holdings)
		if (ip_equal(&holding->ip, ip))
			return true;
	scene_holders(&health->scene, ip, &spots);
	if (spots.n)
		return true;
	if (!health->has_remembered)
		read_remembered(health);
	list_each(remembered, &health->remembered)
		if (ip_equal(remembered, ip))
			return true;
	return false;
}

const struct link *health_blind_spot(struct health *health)
{
	struct place *here = health->scene.here;
	struct spot other;

	list_each(link, &here->links)
		if (streq(link->kind, "veth") && link->peer_netns >= 0 &&
		    !scene_other_end(&health->scene, here, link, &other))
			return link;
	return NULL;
}

void health_add_left(struct health *health, const char *check, const char *text, const char *why,
		     health_mend_fn *mend, const void *arg)
{
	const struct link *blind = health_blind_spot(health);
	struct ailment *ailment;

	if (blind)
		why = health_text(health,
				  "%s; but %s leads to a namespace that is not seen from here", why,
				  blind->name);
	ailment = health_add(health, check, text, why, blind ? NULL : health_fix(health));
	ailment->arg = arg;
	ailment->mend = blind ? NULL : mend;
}

bool health_is_young(const struct health *health, int64_t since_ms)
{
	return since_ms > clock_wall_ms() - health->query->older_than_ms;
}

const char *health_ip(const struct health *health, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	return arena_strdup(health->arena, ip_format(ip, text));
}
