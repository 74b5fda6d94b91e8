/* See hold.h. Who the pod is stands in CNI_ARGS, as kubelet's runtimes give them. */
#include "cni/hold.h"

#include <errno.h>

#include "base/log.h"

static const char *const verdicts[] = { "deny", "allow", NULL };

#define CONF(member) offsetof(struct hold_conf, member)

const struct field hold_fields[] = {
	{ "socket", FIELD_PATH, CONF(socket), .help = "where the agent listens" },
	{ "timeout", FIELD_DURATION, CONF(timeout), .min = 100, .max = 600000,
	  .help = "how long ADD waits" },
	{ "onTimeout", FIELD_ENUM, CONF(on_timeout), .names = verdicts,
	  .help = "what ADD does when they are not in force by then: fail, or go on" },
	FIELDS_END,
};

struct pod_args {
	const char *space, *name, *uid;
};

static const struct field args_fields[] = {
	{ "K8S_POD_NAMESPACE", FIELD_STRING, offsetof(struct pod_args, space) },
	{ "K8S_POD_NAME", FIELD_STRING, offsetof(struct pod_args, name) },
	{ "K8S_POD_UID", FIELD_STRING, offsetof(struct pod_args, uid) },
	FIELDS_END,
};

/* Other arguments are for others to judge. */
static int pod_of(const struct cni_request *request, struct pod_args *args, struct error *err)
{
	*args = (struct pod_args){ .space = "", .name = "", .uid = "" };
	(void)!request_args(request, args_fields, args, NULL);
	if (*args->space && *args->name)
		return 0;
	return cni_fail(err, CNI_INVALID_ENVIRONMENT, "",
			"policy: which pod? CNI_ARGS has no K8S_POD_NAMESPACE and K8S_POD_NAME");
}

int hold_add(const struct hold_conf *conf, const struct cni_request *request,
	     const struct cni_result *result, struct error *err)
{
	struct gate_question question = { .container = request->container,
					  .timeout_ms = conf->timeout };
	struct error why = { 0 };
	struct pod_args args;
	int r;

	if (!conf->enabled)
		return 0;
	r = pod_of(request, &args, err);
	if (r < 0)
		return r;
	question.space = args.space;
	question.name = args.name;
	question.uid = args.uid;
	list_each(ip, &result->ips)
		*list_add(request->arena, &question.ips) = ip->address.ip;
	if (gate_ask(conf->socket, &question, &why) == 0)
		return 0;
	if (conf->on_timeout == HOLD_ALLOW) {
		log_warning("policies of pod %s/%s may not be in force yet: %s", args.space,
			    args.name, why.message);
		return 0;
	}
	return fail_code(err, CNI_TRY_AGAIN_LATER, ETIMEDOUT,
			 "policies of pod %s/%s are not in force: %s", args.space, args.name,
			 why.message);
}
