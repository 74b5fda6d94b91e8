/*
 * Addresses of a main plugin, by the IPAM plugin that its configuration names. Without one (`ipam` absent, or of no
 * type) every verb succeeds and does nothing, so that callers need not ask.
 */
#ifndef CNI_IPAM_H
#define CNI_IPAM_H

#include "base/undo.h"
#include "cni/request.h"

/* Whether the plugin talks over the container's link (struct cni_plugin, needs_link): then the link must be there when
 * it reserves, and still be there when it releases. A foreign plugin may, so the answer is yes. */
bool ipam_needs_link(const struct cni_request *request);

/* ADD: *result is what the plugin said, without its interfaces. The release is pushed before the plugin is called, since
 * one that fails may have reserved something; request must outlive the stack. No address at all: `IPAM plugin returned
 * missing IP config`. */
int ipam_reserve(struct cni_request *request, struct undo *undo, struct cni_result *result,
		 struct error *err) must_check;
int ipam_release(const struct cni_request *request, struct error *err) must_check;
int ipam_check(const struct cni_request *request, struct error *err) must_check;
int ipam_gc(const struct cni_request *request, struct error *err) must_check;
int ipam_status(const struct cni_request *request, struct error *err) must_check;

#endif
