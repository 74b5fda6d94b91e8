/* The keys ipMasq and ipMasqBackend of main plugins. Where the configuration does not ask, every verb succeeds and does
 * nothing. */
#ifndef CNI_MASQ_H
#define CNI_MASQ_H

#include "base/undo.h"
#include "cni/advice.h"
#include "cni/request.h"
#include "firewall/firewall.h"

struct masq_conf {
	bool enabled;
	const char *backend_name;
	enum firewall_backend backend; /* settled by masq_validate() */
};

/* Rows of a plugin's field table whose configuration has a struct masq_conf as that member; the second is what DEL and GC
 * need. */
#define MASQ_FIELDS(type, member)                                                          \
	{ "ipMasq", FIELD_BOOL, offsetof(type, member.enabled),                            \
	  .help = "masquerade what leaves the container's subnet" },                       \
	{                                                                                  \
		"ipMasqBackend", FIELD_STRING, offsetof(type, member.backend_name),        \
			.help = "iptables or nftables; unset: iptables where it is usable" \
	}
#define MASQ_DEL_FIELDS(type, member)                                \
	{                                                            \
		"ipMasq", FIELD_BOOL, offsetof(type, member.enabled) \
	}

int masq_validate(struct masq_conf *conf, struct error *err) must_check;
/* The addresses of the result; the removal is pushed, for which request must outlive the stack. */
int masq_add(const struct masq_conf *conf, struct cni_request *request,
	     const struct cni_result *result, struct undo *undo, struct error *err) must_check;
/* The addresses that CNI_IFNAME has in prevResult. */
int masq_check(const struct masq_conf *conf, const struct cni_request *request,
	       const struct cni_result *prev, struct error *err) must_check;
int masq_restore(const struct masq_conf *conf, const struct cni_request *request,
		 struct error *err) must_check;
void masq_explain(const struct masq_conf *conf, const struct cni_request *request,
		  struct advice *advice);
int masq_del(const struct masq_conf *conf, const struct cni_request *request,
	     struct error *err) must_check;
int masq_gc(const struct masq_conf *conf, const struct cni_request *request,
	    struct error *err) must_check;

#endif
