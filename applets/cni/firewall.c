/*
 * firewall: lets the node forward what a container sends and receives (cni-plugins.md, section 2.14). Chained behind a
 * main plugin: the addresses are those of prevResult, which is passed on as it came. DEL needs no prevResult: what
 * iptables and firewalld cannot tell of the owner is remembered under /run/cni/firewall.
 */
#include "base/undo.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "firewall/forward.h"

#include <errno.h>

struct firewall_conf {
	const char *backend;
	const char *admin_chain;
	const char *zone;
	const char *policy_name;
	/* settled by validate: */
	enum forward_policy policy;
};

#define CONF(member) offsetof(struct firewall_conf, member)

static const struct field fields[] = {
	{ "backend", FIELD_STRING, CONF(backend),
	  .help = "iptables, nftables or firewalld; anything else: firewalld where it runs, then"
		  " iptables where it is usable, then nftables" },
	{ "iptablesAdminChainName", FIELD_STRING, CONF(admin_chain),
	  .help = "iptables chain for rules of your own, asked before the containers' rules" },
	{ "firewalldZone", FIELD_STRING, CONF(zone),
	  .help = "firewalld zone that the addresses become sources of" },
	{ "ingressPolicy", FIELD_STRING, CONF(policy_name),
	  .help = "whom the container talks to: open = anybody, same-bridge = no other bridge that has"
		  " a policy, isolated = nor anybody on its own bridge" },
	FIELDS_END
};

static const struct field del_fields[] = { { "backend", FIELD_STRING, CONF(backend) },
					   { "firewalldZone", FIELD_STRING, CONF(zone) },
					   FIELDS_END };

static const struct firewall_conf defaults = {
	.backend = "",
	.admin_chain = "CNI-ADMIN",
	.zone = "trusted",
	.policy_name = "open",
};

static const char *const policies[] = {
	[FORWARD_OPEN] = "open",
	[FORWARD_SAME_BRIDGE] = "same-bridge",
	[FORWARD_ISOLATED] = "isolated",
};

/* ---- validation: pure ---- */

/* An empty word is an absent one. */
static void settle(const char **value, const char *standard)
{
	if (!*value || !**value)
		*value = standard;
}

static int settle_policy(struct firewall_conf *conf, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		conf->policy = (enum forward_policy)i;
		if (streq(conf->policy_name, policies[i]))
			return 0;
	}
	cni_fail(err, CNI_INVALID_CONFIG, "ingressPolicy: there are open, same-bridge and isolated",
		 "unknown ingress policy: \"%s\"", conf->policy_name);
	return error_at(err, "ingressPolicy");
}

static int firewall_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct firewall_conf *conf = data;

	settle(&conf->backend, defaults.backend);
	settle(&conf->admin_chain, defaults.admin_chain);
	settle(&conf->zone, defaults.zone);
	settle(&conf->policy_name, defaults.policy_name);
	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (forward_check_chain(conf->admin_chain, err))
		return wrap(err, "iptablesAdminChainName"), error_at(err, "iptablesAdminChainName");
	return settle_policy(conf, err);
}

/* ---- what prevResult says ---- */

static const char unchained[] = "missing prevResult from earlier plugin";

static int read_prev(const struct cni_request *request, struct cni_result *prev, struct error *err)
{
	if (!request->common.prev_result)
		return request_unchained(unchained, err);
	return request_prev_result(request, prev, err);
}

/* The policy is about the bridge, which its plugin names first. */
static int settle_bridge(const struct firewall_conf *conf, const struct cni_result *prev,
			 struct forward *forward, struct error *err)
{
	if (conf->policy == FORWARD_OPEN)
		return 0;
	if (!prev->interfaces.n)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "interface needs to be set for ingress policy \"%s\", make sure to"
				 " chain \"firewall\" plugin with \"bridge\"",
				 conf->policy_name);
	forward->bridge = prev->interfaces.items[0].name;
	if (!forward->bridge || !*forward->bridge)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "got empty bridge name");
	if (!field_valid_ifname(forward->bridge))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "\"%s\" is not a name of an interface", forward->bridge);
	return 0;
}

/* One address may be listed more than once. */
static void add_address(struct arena *arena, cidrs_t *addresses, const struct ip *ip)
{
	list_each(address, addresses)
		if (ip_equal(&address->ip, ip))
			return;
	*list_add(arena, addresses) = cidr_host(ip);
}

static struct forward describe(const struct cni_request *request, const struct firewall_conf *conf,
			       const struct cni_result *prev)
{
	struct forward forward = {
		.owner = request_owner(request),
		.backend = conf->backend,
		.zone = conf->zone,
		.admin_chain = conf->admin_chain,
		.policy = conf->policy,
	};

	list_each(ip, &prev->ips)
		add_address(request->arena, &forward.addresses, &ip->address.ip);
	return forward;
}

/* ---- the verbs ---- */

static int undo_add(void *arg, struct error *err)
{
	return forward_del(arg, err);
}

static int firewall_add(struct cni_request *request, void *conf, struct cni_result *result,
			struct error *err)
{
	struct undo undo auto_undo = { 0 };
	struct forward forward;

	if (request_prev_result(request, result, err))
		return -err->errnum;
	forward = describe(request, conf, result);
	if (settle_bridge(conf, result, &forward, err))
		return -err->errnum;
	undo_push(&undo, undo_add, &forward, "remove the rules");
	if (forward_add(&forward, err))
		return -err->errnum;
	undo_clear(&undo);
	return 0;
}

/* prevResult may be missing or damaged, and need not be right: it only adds to what is remembered. */
static int firewall_del(struct cni_request *request, void *conf, struct error *err)
{
	struct cni_result prev = { 0 };
	struct forward forward;

	if (request_prev_result(request, &prev, NULL))
		prev = (struct cni_result){ 0 };
	forward = describe(request, conf, &prev);
	return forward_del(&forward, err);
}

static int firewall_check(struct cni_request *request, void *conf, struct error *err)
{
	struct cni_result prev = { 0 };
	struct forward forward;

	if (read_prev(request, &prev, err))
		return -err->errnum;
	forward = describe(request, conf, &prev);
	return settle_bridge(conf, &prev, &forward, err) ? -err->errnum
							 : forward_check(&forward, err);
}

static int firewall_restore(struct cni_request *request, void *conf, struct error *err)
{
	struct cni_result prev = { 0 };
	struct forward forward;

	if (read_prev(request, &prev, err))
		return -err->errnum;
	forward = describe(request, conf, &prev);
	forward.again = true;
	return settle_bridge(conf, &prev, &forward, err) ? -err->errnum
							 : forward_add(&forward, err);
}

static int firewall_gc(struct cni_request *request, void *conf unused, struct error *err)
{
	return forward_gc(request->common.name, &request->common.attachments, err);
}

static int firewall_status(struct cni_request *request, void *conf, struct error *err)
{
	struct cni_result none = { 0 };
	struct forward forward = describe(request, conf, &none);

	return forward_status(&forward, err) < 0 ? error_code(err, CNI_NOT_AVAILABLE) : 0;
}

static void firewall_explain(const struct cni_request *request unused, const void *data,
			     struct advice *advice)
{
	const struct firewall_conf *conf = data;

	advice_say(advice, "the node forwards what the container sends and receives%s",
		   conf->policy == FORWARD_ISOLATED      ? ", but of no other container of a bridge"
		   : conf->policy == FORWARD_SAME_BRIDGE ? ", but of no other bridge"
							 : "");
}

static const struct cni_plugin plugin = {
	.oldest = "0.4.0",
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct firewall_conf),
	.defaults = &defaults,
	.load_context = "failed to load netconf",
	.chained = unchained,
	.validate = firewall_validate,
	.explain = firewall_explain,
	.add = firewall_add,
	.del = firewall_del,
	.check = firewall_check,
	.gc = firewall_gc,
	.status = firewall_status,
	.restore = firewall_restore,
};

const struct applet applet_firewall = {
	.summary = "let the node forward what a container sends and receives",
	.about =
		"CNI plugin, chained behind one that gives addresses. What comes from them, and the answers to it,"
		" is accepted when the node forwards it; an ingressPolicy keeps bridges, or the containers of one,"
		" apart.\n\n"
		"iptables: the chains CNI-FORWARD, CNI-ADMIN (yours) and CNI-ISOLATION-STAGE-1 and -2 in table filter."
		" They are asked before the rest of FORWARD, so that a policy of DROP there does not concern"
		" containers.\n\n"
		"nftables: the table cni_firewall, with the chain admin for rules of yours, which come first. An accept"
		" in one table of nftables does not overrule a drop in another: where the FORWARD chain of iptables, or"
		" firewalld, drops what it does not know, use that back end.\n\n"
		"firewalld: addresses become sources of a zone. `firewall-cmd --reload` forgets them;"
		" `cnibox cni restore` puts them back.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"plugins\": [\n"
		   "  { \"type\": \"bridge\", \"isDefaultGateway\": true,\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } },\n"
		   "  { \"type\": \"firewall\", \"ingressPolicy\": \"same-bridge\" } ] }",
	.plugin = &plugin,
};
