/* The verbs of a request, handed on to the IPAM plugin of its configuration. */
#include "cni/ipam.h"

#include "cni/delegate.h"

#include <errno.h>

static int call(const struct cni_request *request, enum cni_command command,
		struct cni_result *result, struct error *err)
{
	if (!request_has_ipam(request))
		return 0;
	return delegate_call(request, command, request->common.ipam.type, result, err);
}

static int undo_reserve(void *request, struct error *err)
{
	return ipam_release(request, err);
}

bool ipam_needs_link(const struct cni_request *request)
{
	struct delegate delegate;

	if (!request_has_ipam(request) ||
	    delegate_locate(request, request->common.ipam.type, &delegate, NULL) < 0)
		return false;
	return !delegate.plugin || delegate.plugin->needs_link;
}

int ipam_reserve(struct cni_request *request, struct undo *undo, struct cni_result *result,
		 struct error *err)
{
	if (!request_has_ipam(request))
		return 0;
	undo_push(undo, undo_reserve, request, "release the addresses");
	if (call(request, CNI_ADD, result, err) < 0)
		return -err->errnum;
	if (result->ips.n == 0)
		return fail(err, ENODATA, "IPAM plugin returned missing IP config");
	result->interfaces.n = 0;
	return 0;
}

int ipam_release(const struct cni_request *request, struct error *err)
{
	return call(request, CNI_DEL, NULL, err);
}

int ipam_check(const struct cni_request *request, struct error *err)
{
	return call(request, CNI_CHECK, NULL, err);
}

int ipam_gc(const struct cni_request *request, struct error *err)
{
	return call(request, CNI_GC, NULL, err);
}

int ipam_status(const struct cni_request *request, struct error *err)
{
	return call(request, CNI_STATUS, NULL, err);
}
