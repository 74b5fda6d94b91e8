/* Token buckets as numbers, and queueing disciplines as messages; what the kernel sends, recorded by hand. */
#include "fake_kernel.h"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>

#include "kernel/qdisc.h"

TEST(tbf_numbers_are_the_references_where_they_fit)
{
	static const struct {
		uint64_t rate, burst;
		unsigned latency;
		uint32_t limit, buffer;
	} rows[] = {
		{ 125000, 20000, 25, 23125, 2500000 },
		{ 1000000, 268435455, 25, 268460455, 4194303984 }, /* 2^31 - 1 bits */
		{ 1543209, 956790, 25, 995370, 9687500 + 46 },     /* with rest: whole us */
		{ 125000, 20000, 100, 32500, 2500000 },
		{ 125, 1500, 25, 1503, 187500000 },
		{ 12345679012, 154320986, 25, 462962961, 195296 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tbf tbf = tbf_make(rows[i].rate, rows[i].burst, rows[i].latency);

		check_int(tbf.rate, rows[i].rate);
		check_int(tbf.limit, rows[i].limit);
		if (i != 2)
			check_int(tbf.buffer, rows[i].buffer);
		check_int(tbf.buffer,
			  (uint32_t)((uint32_t)(rows[i].burst * 1000000 / rows[i].rate) * 15.625));
	}
}

TEST(tbf_numbers_that_do_not_fit_become_the_most_that_does)
{
	static const uint64_t bursts[] = { 268435456, 536870911, 536870912, 4294967294 };
	struct tbf tbf;

	for (size_t i = 0; i < ARRAY_SIZE(bursts); i++) {
		tbf = tbf_make(125000, bursts[i], 25);
		check_int(tbf.limit, 34359738 + 3125);
		check(tbf.buffer > 0xfffffff0u - 10000);
		check_int(tbf.burst, 0);
	}
	tbf = tbf_make(UINT64_MAX / 8, 4294967294, 25);
	check_int(tbf.limit, UINT32_MAX);
	check_int(tbf.burst, 4294967294);
	check_int(tbf_make(100000000000, 4294967294, 10000).limit, UINT32_MAX);
}

/* The kernel makes a burst of a buffer's first 4.3 s only. */
TEST(tbf_burst_is_told_when_a_frame_could_not_pass_otherwise)
{
	check_int(tbf_make(125, 1500, 25).burst, 1500);
	check_int(tbf_make(1000, 268435456, 25).burst, 274877);
	check_int(tbf_make(15000, 268435456, 25).burst, 4123168);
	check_int(tbf_make(16000, 268435456, 25).burst, 0);
	check_int(tbf_make(125000, 1600, 25).burst, 0);
	check_int(tbf_make(12500000000, 10000, 25).burst, 10000); /* less than a microsecond */
}

TEST(tbf_equal_up_to_rounding)
{
	const struct tbf tbf = tbf_make(125000, 20000, 25);
	struct tbf other = tbf;

	check(tbf_equal(&tbf, &other));
	other.burst = 7;
	other.buffer += 32;
	check(tbf_equal(&tbf, &other) && tbf_equal(&other, &tbf));
	other.buffer++;
	check(!tbf_equal(&tbf, &other) && !tbf_equal(&other, &tbf));
	other = tbf;
	other.limit++;
	check(!tbf_equal(&tbf, &other));
	other = tbf;
	other.rate++;
	check(!tbf_equal(&tbf, &other));
}

/* The header and the attributes of message n. */
static struct tcmsg read_back(struct fake *fake, size_t n, int type, int flags,
			      struct nlattr **attrs)
{
	const struct nlmsghdr *message = netlink_queued(fake->nl, n);
	struct tcmsg header;

	check_int(message->nlmsg_type, type);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | flags);
	check_ok(netlink_parse(message, sizeof(header), attrs, TCA_MAX, &fake->err), fake->err);
	memcpy(&header, NLMSG_DATA(message), sizeof(header));
	return header;
}

TEST(qdisc_tbf_message)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_TBF_MAX + 1];
	struct tc_tbf_qopt parameters;
	struct tbf tbf = { .rate = 125000, .limit = 23125, .buffer = 2500000 };
	struct tcmsg header;

	qdisc_queue_tbf(fake.nl, 7, &tbf, "veth1");
	header = read_back(&fake, 0, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, attrs);
	check_int(header.tcm_ifindex, 7);
	check_int(header.tcm_parent, TC_H_ROOT);
	check_int(header.tcm_handle, 0x10000);
	check_str(nla_get_string(attrs[TCA_KIND]), "tbf");
	netlink_parse_nested(attrs[TCA_OPTIONS], options, TCA_TBF_MAX);
	memcpy(&parameters, nla_data(options[TCA_TBF_PARMS]), sizeof(parameters));
	check_int(parameters.rate.rate, 125000);
	check_int(parameters.limit, 23125);
	check_int(parameters.buffer, 2500000);
	check(!options[TCA_TBF_RATE64] && !options[TCA_TBF_BURST]);
	check_str(netlink_label(fake.nl, 0), "create qdisc: limit the rate of veth1");

	tbf = (struct tbf){ .rate = 10000000000, .burst = 1500 };
	qdisc_queue_tbf(fake.nl, 7, &tbf, "veth1");
	read_back(&fake, 1, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, attrs);
	netlink_parse_nested(attrs[TCA_OPTIONS], options, TCA_TBF_MAX);
	memcpy(&parameters, nla_data(options[TCA_TBF_PARMS]), sizeof(parameters));
	check_int(parameters.rate.rate, UINT32_MAX);
	check_int(nla_get_u64(options[TCA_TBF_RATE64]), 10000000000);
	check_int(attr_u32(options[TCA_TBF_BURST], 0), 1500);
}

TEST(qdisc_ingress_and_redirect_messages)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_U32_MAX + 1], *actions[3];
	struct nlattr *action[TCA_ACT_MAX + 1], *mirred[TCA_MIRRED_MAX + 1];
	struct tc_mirred parameters;
	struct tc_u32_sel sel;
	struct tcmsg header;

	qdisc_queue_ingress(fake.nl, 7, "veth1");
	header = read_back(&fake, 0, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(header.tcm_parent, TC_H_INGRESS);
	check_int(header.tcm_handle, 0xffff0000);
	check_str(nla_get_string(attrs[TCA_KIND]), "ingress");

	qdisc_queue_redirect(fake.nl, 7, 9, "veth1");
	header = read_back(&fake, 1, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, attrs);
	check_int(header.tcm_parent, 0xffff0000);
	check_int(header.tcm_handle, 0x80000800);
	check_int(TC_H_MAJ(header.tcm_info) >> 16, 1);
	check_int(TC_H_MIN(header.tcm_info), __builtin_bswap16(ETH_P_ALL));
	check_str(nla_get_string(attrs[TCA_KIND]), "u32");
	netlink_parse_nested(attrs[TCA_OPTIONS], options, TCA_U32_MAX);
	check_int(attr_u32(options[TCA_U32_CLASSID], 0), 0x10001);
	check_int(nla_len(options[TCA_U32_SEL]), sizeof(sel) + sizeof(struct tc_u32_key));
	memcpy(&sel, nla_data(options[TCA_U32_SEL]), sizeof(sel));
	check_int(sel.flags, TC_U32_TERMINAL);
	check_int(sel.nkeys, 1);
	netlink_parse_nested(options[TCA_U32_ACT], actions, 2);
	check(actions[1] && !actions[2]);
	netlink_parse_nested(actions[1], action, TCA_ACT_MAX);
	check_str(nla_get_string(action[TCA_ACT_KIND]), "mirred");
	netlink_parse_nested(action[TCA_ACT_OPTIONS], mirred, TCA_MIRRED_MAX);
	memcpy(&parameters, nla_data(mirred[TCA_MIRRED_PARMS]), sizeof(parameters));
	check_int(parameters.action, TC_ACT_STOLEN);
	check_int(parameters.eaction, TCA_EGRESS_REDIR);
	check_int(parameters.ifindex, 9);

	qdisc_queue_del_tbf(fake.nl, 7);
	header = read_back(&fake, 2, RTM_DELQDISC, 0, attrs);
	check_int(header.tcm_handle, 0x10000);
	check_str(nla_get_string(attrs[TCA_KIND]), "tbf");
	qdisc_queue_del_ingress(fake.nl, 7);
	header = read_back(&fake, 3, RTM_DELQDISC, 0, attrs);
	check_int(header.tcm_parent, TC_H_INGRESS);
	check_str(nla_get_string(attrs[TCA_KIND]), "ingress");
}

/* A qdisc as the kernel tells it. */
static void reply_tbf(struct fake *fake, uint32_t seq, uint32_t handle, uint64_t rate64)
{
	struct tc_tbf_qopt parameters = { .rate.rate = 125000, .limit = 23125, .buffer = 99 };
	struct tcmsg header = { .tcm_ifindex = 7, .tcm_parent = TC_H_ROOT, .tcm_handle = handle };
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *nest;

	nlmsg_put(msg, 0, seq, RTM_NEWQDISC, sizeof(header), 0);
	memcpy(NLMSG_DATA(nlmsg_hdr(msg)), &header, sizeof(header));
	nla_put_string(msg, TCA_KIND, handle ? "tbf" : "noqueue");
	nest = nla_nest_start(msg, TCA_OPTIONS);
	nla_put(msg, TCA_TBF_PARMS, sizeof(parameters), &parameters);
	if (rate64)
		nla_put_u64(msg, TCA_TBF_RATE64, rate64);
	nla_nest_end(msg, nest);
	fake_raw(fake, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
}

TEST(qdisc_get_reads_what_somebody_put_there)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct qdisc root, fast, hook;

	reply_tbf(&fake, 1, 0x10000, 0);
	reply_tbf(&fake, 2, 0x50000, 10000000000);
	fake_error(&fake, 3, EINVAL, NULL);
	qdisc_queue_get_root(fake.nl, 7, &root);
	qdisc_queue_get_root(fake.nl, 8, &fast);
	qdisc_queue_get_ingress(fake.nl, 7, &hook);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(root.index, 7);
	check_str(root.kind, "tbf");
	check(root.is_root);
	check_int(root.handle, QDISC_TBF_HANDLE);
	check_int(root.tbf.rate, 125000);
	check_int(root.tbf.limit, 23125);
	check_int(root.tbf.buffer, 99);
	check_int(fast.tbf.rate, 10000000000);
	check_int(hook.index, 0);
}

TEST(qdisc_get_passes_over_the_kernels_own)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct qdisc root;

	reply_tbf(&fake, 1, 0, 0);
	fake_ack(&fake, 1);
	qdisc_queue_get_root(fake.nl, 7, &root);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(root.index, 0);
}

TEST(qdisc_probe_says_what_is_missing)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct error err;

	fake_error(&fake, 1, ENOENT, "Specified qdisc kind is unknown");
	check_fails(qdisc_tbf_probe(fake.nl, &err), err,
		    "this kernel has no token bucket filter (try: modprobe sch_tbf)");
	fake_error(&fake, 2, EINVAL, NULL);
	check_int(qdisc_tbf_probe(fake.nl, &err), 0);
}
