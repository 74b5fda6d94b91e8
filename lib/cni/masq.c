/* Masquerading is asked for by address; who asks is known by network, container and interface (firewall.h). */
#include "cni/masq.h"

#include "cni/attachment.h"

#include <errno.h>

static bool wanted(const struct masq_conf *conf, const struct cni_request *request)
{
	return conf->enabled && request_has_ipam(request);
}

static cidrs_t addresses(const struct cni_request *request, const struct cni_result *result)
{
	cidrs_t list = { 0 };

	list_each(ip, &result->ips)
		if (attachment_owns(result, ip, request->ifname))
			*list_add(request->arena, &list) = ip->address;
	return list;
}

static int undo_masquerade(void *arg, struct error *err)
{
	struct owner owner = request_owner(arg);

	return masquerade_del(&owner, err);
}

int masq_validate(struct masq_conf *conf, struct error *err)
{
	return conf->enabled ? firewall_choose(conf->backend_name, &conf->backend, err) : 0;
}

int masq_add(const struct masq_conf *conf, struct cni_request *request,
	     const struct cni_result *result, struct undo *undo, struct error *err)
{
	struct owner owner = request_owner(request);
	cidrs_t list = addresses(request, result);

	if (!wanted(conf, request))
		return 0;
	undo_push(undo, undo_masquerade, request, "remove the masquerade rules");
	return masquerade_add(conf->backend, &owner, list.items, list.n, err);
}

void masq_explain(const struct masq_conf *conf, const struct cni_request *request,
		  struct advice *advice)
{
	if (conf->enabled && !request_has_ipam(request))
		advice_warn(advice, "ipMasq", "has no effect without ipam");
	else if (conf->enabled)
		advice_say(advice, "what leaves the subnet is masqueraded, by %s",
			   conf->backend == FIREWALL_NFTABLES ? "nftables" : "iptables");
}

int masq_check(const struct masq_conf *conf, const struct cni_request *request,
	       const struct cni_result *prev, struct error *err)
{
	struct owner owner = request_owner(request);
	cidrs_t list = addresses(request, prev);

	return wanted(conf, request) ? masquerade_check(&owner, list.items, list.n, err) : 0;
}

/* Only when something is missing: the rules may be in the form of the other back end. */
int masq_restore(const struct masq_conf *conf, const struct cni_request *request, struct error *err)
{
	struct owner owner = request_owner(request);
	struct cni_result prev = { 0 };
	cidrs_t list;
	int r;

	if (!wanted(conf, request))
		return 0;
	r = request_prev_result(request, &prev, err);
	if (r < 0)
		return r == -ENOENT ? fail_code(err, CNI_INVALID_CONFIG, EINVAL,
						"Required prevResult missing")
				    : r;
	list = addresses(request, &prev);
	r = masquerade_check(&owner, list.items, list.n, err);
	if (r != -ENOENT)
		return r;
	*err = (struct error){ 0 };
	return masquerade_add(conf->backend, &owner, list.items, list.n, err);
}

int masq_del(const struct masq_conf *conf, const struct cni_request *request, struct error *err)
{
	struct owner owner = request_owner(request);

	return conf->enabled ? masquerade_del(&owner, err) : 0;
}

int masq_gc(const struct masq_conf *conf, const struct cni_request *request, struct error *err)
{
	return conf->enabled
		       ? masquerade_gc(request->common.name, &request->common.attachments, err)
		       : 0;
}
