/* Queueing disciplines as rtnetlink messages; the filter that redirects is in redirect.c. */
#include "kernel/qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	qdiscs_t *qdiscs;
};

static struct nl_msg *start(struct netlink *nl, int type, int flags, const struct tcmsg *header,
			    const char *kind, const char *label, const char *link)
{
	struct nl_msg *msg =
		netlink_queue(nl, type, flags, header, sizeof(*header), "%s %s", label, link);

	if (kind)
		nla_put_string(msg, TCA_KIND, kind);
	return msg;
}

static struct tcmsg root_of(int index)
{
	return (struct tcmsg){ .tcm_family = AF_UNSPEC,
			       .tcm_ifindex = index,
			       .tcm_parent = TC_H_ROOT,
			       .tcm_handle = QDISC_TBF_HANDLE };
}

static struct tcmsg ingress_of(int index)
{
	return (struct tcmsg){ .tcm_family = AF_UNSPEC,
			       .tcm_ifindex = index,
			       .tcm_parent = TC_H_INGRESS,
			       .tcm_handle = TC_H_MAJ(TC_H_INGRESS) };
}

/* A rate beyond the old field's 32 bits (34 Gbit/s) travels in an attribute of its own. */
static void put_tbf(struct nl_msg *msg, const struct tbf *tbf)
{
	struct tc_tbf_qopt options = {
		.rate.rate = tbf->rate > UINT32_MAX ? UINT32_MAX : (uint32_t)tbf->rate,
		.limit = tbf->limit,
		.buffer = tbf->buffer,
	};
	struct nlattr *nest = nla_nest_start(msg, TCA_OPTIONS);

	nla_put(msg, TCA_TBF_PARMS, sizeof(options), &options);
	if (tbf->rate > UINT32_MAX)
		nla_put_u64(msg, TCA_TBF_RATE64, tbf->rate);
	if (tbf->burst)
		nla_put_u32(msg, TCA_TBF_BURST, tbf->burst);
	nla_nest_end(msg, nest);
}

void qdisc_queue_tbf(struct netlink *nl, int index, const struct tbf *tbf, const char *link)
{
	struct tcmsg header = root_of(index);

	put_tbf(start(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, "tbf",
		      "create qdisc: limit the rate of", link),
		tbf);
}

void qdisc_queue_ingress(struct netlink *nl, int index, const char *link)
{
	struct tcmsg header = ingress_of(index);

	start(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, "ingress",
	      "create ingress qdisc: take what enters", link);
	netlink_tolerate(nl, EEXIST);
}

/* Handle and kind must both be right, else the kernel says that the request is invalid. */
static void tolerate_absence(struct netlink *nl)
{
	netlink_tolerate(nl, ENOENT);
	netlink_tolerate(nl, EINVAL);
	netlink_tolerate(nl, ENODEV);
}

void qdisc_queue_del_tbf(struct netlink *nl, int index)
{
	struct tcmsg header = root_of(index);

	start(nl, RTM_DELQDISC, 0, &header, "tbf", "delete qdisc: no limit for", "the link");
	tolerate_absence(nl);
}

void qdisc_queue_del_ingress(struct netlink *nl, int index)
{
	struct tcmsg header = ingress_of(index);

	start(nl, RTM_DELQDISC, 0, &header, "ingress", "delete ingress qdisc of", "the link");
	tolerate_absence(nl);
}

/* ---- reading ---- */

static void read_tbf(const struct nlattr *nest, struct tbf *tbf)
{
	struct nlattr *attrs[TCA_TBF_MAX + 1];
	struct tc_tbf_qopt options;

	netlink_parse_nested(nest, attrs, TCA_TBF_MAX);
	if (!attrs[TCA_TBF_PARMS] || nla_len(attrs[TCA_TBF_PARMS]) < (int)sizeof(options))
		return;
	memcpy(&options, nla_data(attrs[TCA_TBF_PARMS]), sizeof(options));
	tbf->rate = options.rate.rate;
	tbf->limit = options.limit;
	tbf->buffer = options.buffer;
	if (attrs[TCA_TBF_RATE64] && nla_len(attrs[TCA_TBF_RATE64]) >= (int)sizeof(tbf->rate))
		tbf->rate = nla_get_u64(attrs[TCA_TBF_RATE64]);
}

static int qdisc_parse(const struct nlmsghdr *reply, struct qdisc *qdisc, struct error *err)
{
	const struct tcmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[TCA_MAX + 1];
	int r = netlink_parse(reply, sizeof(*header), attrs, TCA_MAX, err);

	if (r < 0)
		return r;
	*qdisc = (struct qdisc){
		.index = header->tcm_ifindex,
		.handle = header->tcm_handle,
		.is_root = header->tcm_parent == TC_H_ROOT,
	};
	attr_text(attrs[TCA_KIND], qdisc->kind, sizeof(qdisc->kind));
	if (streq(qdisc->kind, "tbf"))
		read_tbf(attrs[TCA_OPTIONS], &qdisc->tbf);
	return 0;
}

/* Handle 0: the kernel's own choice, such as noqueue. */
static int read_qdisc(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct qdisc qdisc;
	int r;

	if (reply->nlmsg_type != RTM_NEWQDISC)
		return 0;
	r = qdisc_parse(reply, &qdisc, err);
	if (r == 0 && qdisc.handle)
		*(struct qdisc *)arg = qdisc;
	return r;
}

static int read_listed(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	struct qdisc qdisc = { 0 };
	int r = read_qdisc(reply, &qdisc, err);

	if (r == 0 && qdisc.index)
		*list_add(listing->arena, listing->qdiscs) = qdisc;
	return r;
}

/* The answer is a notification: kernels before 6.8 send it to who asks only with NLM_F_ECHO. */
static void queue_get(struct netlink *nl, struct tcmsg header, struct qdisc *qdisc)
{
	header.tcm_handle = 0;
	*qdisc = (struct qdisc){ 0 };
	start(nl, RTM_GETQDISC, NLM_F_ECHO, &header, NULL, "look up the qdisc of", "the link");
	tolerate_absence(nl);
	netlink_expect(nl, read_qdisc, qdisc);
}

void qdisc_queue_get_root(struct netlink *nl, int index, struct qdisc *qdisc)
{
	queue_get(nl, root_of(index), qdisc);
}

void qdisc_queue_get_ingress(struct netlink *nl, int index, struct qdisc *qdisc)
{
	queue_get(nl, ingress_of(index), qdisc);
}

int qdisc_list(struct netlink *nl, struct arena *arena, qdiscs_t *qdiscs, struct error *err)
{
	struct tcmsg header = { .tcm_family = AF_UNSPEC };
	struct listing listing = { arena, qdiscs };

	netlink_queue(nl, RTM_GETQDISC, 0, &header, sizeof(header), "list qdiscs");
	return netlink_dump(nl, read_listed, &listing, err);
}

/* For lo, which is everywhere, without numbers: refused by the kind when there is one. */
int qdisc_tbf_probe(struct netlink *nl, struct error *err)
{
	struct tcmsg header = root_of(1);
	struct error why = { 0 };
	int r;

	start(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, "tbf", "create qdisc on", "lo");
	r = netlink_commit(nl, &why);
	if (r == -ENOENT)
		return fail(err, EOPNOTSUPP,
			    "this kernel has no token bucket filter (try: modprobe sch_tbf)");
	return r == -EPERM ? fail(err, EPERM, "%s", why.message) : 0;
}
