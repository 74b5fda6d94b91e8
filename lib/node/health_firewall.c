/* What the firewall plugin and the bridge's macspoofchk left of attachments that are gone. */
#include "node/health_internal.h"

#include "firewall/firewall.h"
#include "firewall/forward.h"

static int remove_admission(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct forward forward = { .owner = *(const struct owner *)ailment->arg };

	(void)health;
	return forward_del(&forward, err);
}

static int remove_rules(struct health *health, const struct ailment *ailment, struct error *err)
{
	(void)health;
	return forward_del(ailment->arg, err);
}

/* Rules that tell of no owner: those of the reference, or of ours after /run was lost. */
static void judge_rules(struct health *health, const struct ip *ip)
{
	struct forward *forward = arena_alloc(health->arena, sizeof(*forward));

	if (health_needs(health, ip))
		return;
	*forward = (struct forward){ .owner = { "", "", "" }, .backend = "iptables" };
	*list_add(health->arena, &forward->addresses) = cidr_host(ip);
	health_add_left(health, "firewall",
			health_text(health, "rules that let %s pass", health_ip(health, ip)),
			"no namespace and no lease has the address", remove_rules, forward);
}

int health_check_firewall(struct health *health, struct error *err)
{
	forward_admitted_t admitted = { 0 };
	int r = forward_list(health->arena, &admitted, err);

	list_each(one, &admitted)
		if (one->owner.network && one->owner.container && one->owner.ifname)
			health_judge(health, "firewall", "what lets pass", &one->ip, &one->owner,
				     remove_admission);
		else
			judge_rules(health, &one->ip);
	return r;
}

/* ---- macspoofchk ---- */

/* Those that a runtime remembers are valid, whatever has become of them. */
static void remembered(struct health *health, owners_t *owners)
{
	list_each(cached, &health->scene.attachments)
		*list_add(health->arena, owners) =
			(struct owner){ cached->network, cached->container, cached->ifname };
}

static int remove_spoof_checks(struct health *health, const struct ailment *ailment,
			       struct error *err)
{
	owners_t valid = { 0 };

	(void)ailment;
	remembered(health, &valid);
	return spoof_check_gc(&valid, err);
}

int health_check_spoof_checks(struct health *health, struct error *err)
{
	owners_t valid = { 0 };
	words_t ports = { 0 };
	int r;

	remembered(health, &valid);
	r = spoof_check_stale(&valid, health->arena, &ports, err);
	list_each(port, &ports)
		health_add(health, "spoof check",
			   health_text(health, "macspoofchk rules of port %s", *port),
			   "there is no such link, and no runtime remembers the attachment",
			   health_fix(health))
			->mend = remove_spoof_checks;
	return r;
}
