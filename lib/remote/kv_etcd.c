/* In the making. */
#include "remote/engines.h"

#include <errno.h>

int kv_etcd_open(struct kv **kv, const struct lease_place *place, struct error *err)
{
	*kv = NULL;
	return fail(err, ENOTSUP, "etcd (%s) is not there yet", place->etcd_endpoints);
}
