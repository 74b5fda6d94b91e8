/* The qdisc clsact and its bpf filters, which act directly. Both families need filters, and priorities, of their own. */
#include "kernel/hook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "base/text.h"
#include "kernel/netlink_internal.h"
#include "kernel/qdisc.h"

enum { PRIORITY = 118, PRIORITY6 = 119, HANDLE = 1 };

struct look {
	struct arena *arena;
	hook_programs_t *programs;
	const char *prefix;
	unsigned n_others;
	bool egress;
};

static uint32_t parent_of(bool egress)
{
	return TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

static struct tcmsg filter_of(const struct hook *hook)
{
	return (struct tcmsg){
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = hook->index,
		.tcm_parent = parent_of(hook->egress),
		.tcm_handle = HANDLE,
		.tcm_info = TC_H_MAKE((hook->v6 ? (uint32_t)PRIORITY6 : PRIORITY) << 16,
				      htons(hook->v6 ? ETH_P_IPV6 : ETH_P_IP)),
	};
}

static void queue_clsact(struct netlink *nl, int index)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC,
				      .tcm_ifindex = index,
				      .tcm_parent = TC_H_CLSACT,
				      .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0) };
	struct nl_msg *msg = netlink_queue(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header,
					   sizeof(header), "make the hooks of link %d", index);

	nla_put_string(msg, TCA_KIND, "clsact");
	netlink_tolerate(nl, EEXIST);
}

int hook_attach(struct netlink *nl, const struct hook *hook, int program, const char *name,
		struct error *err)
{
	const struct tcmsg header = filter_of(hook);
	struct nlattr *options;
	struct nl_msg *msg;

	queue_clsact(nl, hook->index);
	msg = netlink_queue(nl, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, &header,
			    sizeof(header), "attach program %s to link %d", name, hook->index);
	nla_put_string(msg, TCA_KIND, "bpf");
	options = nla_nest_start(msg, TCA_OPTIONS);
	nla_put_u32(msg, TCA_BPF_FD, (uint32_t)program);
	nla_put_string(msg, TCA_BPF_NAME, name);
	nla_put_u32(msg, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	nla_nest_end(msg, options);
	return netlink_commit(nl, err);
}

/* ---- looking ---- */

/* Every filter is dumped twice: its priority alone (handle 0), and itself. */
static int read_filter(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct look *look = arg;
	const struct tcmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_BPF_MAX + 1];
	struct hook_program program = { 0 };
	char kind[16];
	int r;

	if (reply->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, TCA_MAX, err);
	if (r < 0 || !header->tcm_handle)
		return r;
	attr_text(attrs[TCA_KIND], kind, sizeof(kind));
	netlink_parse_nested(streq(kind, "bpf") ? attrs[TCA_OPTIONS] : NULL, options, TCA_BPF_MAX);
	attr_text(options[TCA_BPF_NAME], program.name, sizeof(program.name));
	if (!has_prefix(program.name, look->prefix)) {
		look->n_others++;
		return 0;
	}
	program.hook = (struct hook){
		.index = header->tcm_ifindex,
		.egress = look->egress,
		.v6 = TC_H_MIN(header->tcm_info) == htons(ETH_P_IPV6),
	};
	program.priority = (uint16_t)(TC_H_MAJ(header->tcm_info) >> 16);
	program.handle = header->tcm_handle;
	program.id = attr_u32(options[TCA_BPF_ID], 0);
	*list_add(look->arena, look->programs) = program;
	return 0;
}

static int look_at(struct netlink *nl, int index, struct look *look, struct error *err)
{
	for (int egress = 0; egress < 2; egress++) {
		const struct tcmsg header = { .tcm_family = AF_UNSPEC,
					      .tcm_ifindex = index,
					      .tcm_parent = parent_of(egress) };
		struct error why = { 0 };
		int r;

		look->egress = egress;
		netlink_queue(nl, RTM_GETTFILTER, 0, &header, sizeof(header), "list programs");
		r = netlink_dump(nl, read_filter, look, &why);
		if (r < 0 && r != -EINVAL && r != -ENOENT && r != -ENODEV)
			return fail(err, -r, "%s", why.message);
	}
	return 0;
}

int hook_list(struct netlink *nl, int index, const char *prefix, struct arena *arena,
	      hook_programs_t *programs, struct error *err)
{
	struct look look = { .arena = arena, .programs = programs, .prefix = prefix };

	return look_at(nl, index, &look, err);
}

bool hook_has(const hook_programs_t *programs, const struct hook *hook, uint32_t id)
{
	list_each(program, programs)
		if (program->hook.index == hook->index && program->hook.egress == hook->egress &&
		    program->hook.v6 == hook->v6 && program->id == id)
			return true;
	return false;
}

/* ---- removing ---- */

static void tolerate_absence(struct netlink *nl)
{
	netlink_tolerate(nl, ENOENT);
	netlink_tolerate(nl, EINVAL);
	netlink_tolerate(nl, ENODEV);
}

static void queue_remove(struct netlink *nl, const struct hook_program *program)
{
	struct tcmsg header = filter_of(&program->hook);
	struct nl_msg *msg;

	header.tcm_handle = program->handle;
	header.tcm_info = TC_H_MAKE((uint32_t)program->priority << 16, TC_H_MIN(header.tcm_info));
	msg = netlink_queue(nl, RTM_DELTFILTER, 0, &header, sizeof(header), "remove program %s",
			    program->name);
	nla_put_string(msg, TCA_KIND, "bpf");
	tolerate_absence(nl);
}

static void queue_remove_clsact(struct netlink *nl, int index)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC,
				      .tcm_ifindex = index,
				      .tcm_parent = TC_H_CLSACT,
				      .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0) };
	struct nl_msg *msg = netlink_queue(nl, RTM_DELQDISC, 0, &header, sizeof(header),
					   "remove the hooks of link %d", index);

	nla_put_string(msg, TCA_KIND, "clsact");
	tolerate_absence(nl);
}

static int remove_from(struct netlink *nl, int index, const char *prefix, unsigned *n_removed,
		       struct error *err)
{
	auto_arena struct arena arena = { 0 };
	hook_programs_t programs = { 0 };
	struct look look = { .arena = &arena, .programs = &programs, .prefix = prefix };
	int r = look_at(nl, index, &look, err);

	if (r < 0 || !programs.n)
		return r;
	list_each(program, &programs)
		queue_remove(nl, program);
	if (!look.n_others)
		queue_remove_clsact(nl, index);
	*n_removed += (unsigned)programs.n;
	return netlink_commit(nl, err);
}

int hook_remove_all(struct netlink *nl, const char *prefix, int keep, int keep_too,
		    unsigned *n_removed, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	qdiscs_t qdiscs = { 0 };
	int r = qdisc_list(nl, &arena, &qdiscs, err);

	*n_removed = 0;
	list_each(qdisc, &qdiscs)
		if (r == 0 && (streq(qdisc->kind, "clsact") || streq(qdisc->kind, "ingress")) &&
		    qdisc->index != keep && qdisc->index != keep_too)
			r = remove_from(nl, qdisc->index, prefix, n_removed, err);
	return r;
}
