/* A container's namespace, open and locked, for plugins that change what another plugin made. */
#include "cni/inside.h"

#include "base/file.h"
#include "kernel/netns.h"

#include <errno.h>

enum { LOCK_TIMEOUT_MS = 30000 };

static int lock(const struct inside *inside, const struct cni_request *request, struct error *err)
{
	int r = lock_hold(inside->netns, LOCK_TIMEOUT_MS);

	if (r == -ETIMEDOUT)
		return fail_code(err, CNI_TRY_AGAIN_LATER, ETIMEDOUT,
				 "netns \"%s\" is still locked by another process after %d s",
				 request->netns, LOCK_TIMEOUT_MS / 1000);
	return r < 0 ? fail_errno(err, -r, "lock netns \"%s\"", request->netns) : 0;
}

/* Not there, or a plain file that was left where it was mounted. */
static bool is_gone(const struct cni_request *request, int r)
{
	return request->command == CNI_DEL && (r == -ENOENT || r == -ENOTDIR || r == -EINVAL);
}

int inside_open(struct inside *inside, const struct cni_request *request, struct error *err)
{
	struct error why = { 0 };
	int r;

	*inside = (struct inside){ .netns = -1 };
	if (request->command == CNI_DEL && !request->netns[0])
		return 0;
	r = netns_open(request->netns, &inside->netns, &why);
	if (is_gone(request, r))
		return 0;
	if (r < 0)
		return fail_code(err, CNI_INVALID_NETNS, -r, "failed to open netns \"%s\": %s",
				 request->netns, why.message);
	if (lock(inside, request, err))
		return -err->errnum;
	if (netlink_open(&inside->nl, NETLINK_SESSION_ROUTE, inside->netns, err))
		return wrap(err, "open a netlink session");
	return 0;
}

void inside_close(struct inside *inside)
{
	netlink_closep(&inside->nl);
	close_fd(&inside->netns);
	inside->netns = -1;
}
