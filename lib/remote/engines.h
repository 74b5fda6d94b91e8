/* The engines of cnibox-store; see lease/kv.h for what an engine does, lease/place.h for the options. */
#ifndef REMOTE_ENGINES_H
#define REMOTE_ENGINES_H

#include "lease/kv.h"
#include "lease/place.h"

/* place is borrowed for the engine's life. They connect at first use: opening fails only for what cannot be right. */
int kv_etcd_open(struct kv **kv, const struct lease_place *place, struct error *err) must_check;
int kv_kubernetes_open(struct kv **kv, const struct lease_place *place,
		       struct error *err) must_check;

#endif
