/*
 * Commit: send the queue, read until the ack of its last message, give each reply to whom it belongs. The kernel
 * works through all of a datagram before sendmsg returns and has then queued every reply, so that reading never
 * waits in practice; the time-out is for the day it does.
 *
 * A commit above CHUNK_SIZE bytes or CHUNK_COST replies goes out in several sends, because the replies must fit
 * into the socket's receive buffer (212992 bytes by default). A batch of nftables is never divided.
 */
#include "kernel/netlink_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "base/log.h"

#define CHUNK_SIZE 65536
#define CHUNK_COST 128 /* small replies; one that carries an object counts REPLY_COST */
#define REPLY_COST 4

/* One send and its replies. */
struct exchange {
	struct netlink *nl;
	size_t first, last;  /* requests first..last-1 are sent */
	uint32_t batch_seq;  /* of the nfnetlink batch, 0 = none */
	bool all_or_nothing; /* more than one change in an nfnetlink batch: nothing is tolerated */
	bool done;           /* the last ack is here */
	bool stopped;        /* a reply function failed: it sees no more */
	int result;          /* first refusal */
};

/* An error or ack within an exchange. One for the batch's own header is the refusal of everything in it. */
static int exchange_error(struct exchange *ex, const struct nlmsghdr *reply, size_t n, bool batch,
			  struct error *err)
{
	char words[256];
	int errnum, r = netlink_read_error(reply, &errnum, words, sizeof(words), err);

	if (r < 0)
		return r;
	if (batch ? errnum : n + 1 == ex->last)
		ex->done = true;
	if (!errnum)
		return 0;
	r = netlink_refuse(ex->nl, netlink_request(ex->nl, batch ? ex->first : n), errnum, words,
			   !ex->all_or_nothing, ex->result ? NULL : err);
	if (r < 0 && !ex->result)
		ex->result = -errnum;
	return 0;
}

static int exchange_reply(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct exchange *ex = arg;
	size_t n = reply->nlmsg_seq - ex->nl->first_seq; /* wraps to something large when foreign */
	bool batch = ex->batch_seq && reply->nlmsg_seq == ex->batch_seq;
	const struct request *req;
	int r;

	if (reply->nlmsg_type == NLMSG_OVERRUN)
		return netlink_broken(err, "data lost");
	if ((!batch && (n < ex->first || n >= ex->last)) ||
	    (ex->nl->port && reply->nlmsg_pid != ex->nl->port))
		return 0;
	if (reply->nlmsg_type == NLMSG_ERROR)
		return exchange_error(ex, reply, n, batch, err);
	if (reply->nlmsg_type < NLMSG_MIN_TYPE || batch || ex->stopped)
		return 0;
	req = netlink_request(ex->nl, n);
	r = req->fn ? req->fn(reply, req->arg, ex->result ? NULL : err) : 0;
	ex->stopped = r < 0; /* and go on reading until the last ack */
	if (!ex->result)
		ex->result = r < 0 ? r : 0;
	return 0;
}

/* Send the exchange's messages, inside a batch when they change nftables: BEGIN and END name the subsystem. */
static int exchange_send(struct exchange *ex, bool batch, struct error *err)
{
	struct netlink *nl = ex->nl;
	struct {
		struct nlmsghdr header;
		struct nfgenmsg body;
		struct nlattr attr;
		uint32_t generation;
	} begin = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(begin.body)),
			    .nlmsg_type = NFNL_MSG_BATCH_BEGIN, .nlmsg_flags = NLM_F_REQUEST },
		.body   = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
			    .res_id = htons(NFNL_SUBSYS_NFTABLES) },
		.attr   = { .nla_len = NLA_HDRLEN + sizeof(begin.generation),
			    .nla_type = NFNL_BATCH_GENID },
		.generation = htonl(nl->generation),
	}, end = begin;
	size_t start = netlink_start(nl, ex->first), size = netlink_start(nl, ex->last) - start;
	struct iovec iov[] = {
		{ .iov_base = &begin, .iov_len = begin.header.nlmsg_len },
		{ .iov_base = nl->messages.data + start, .iov_len = size },
		{ .iov_base = &end, .iov_len = end.header.nlmsg_len },
	};

	for (size_t n = ex->first; n < ex->last; n++)
		log_debug("netlink: %s", nl->labels.data + netlink_request(nl, n)->label);
	netlink_message(nl, ex->last - 1)->nlmsg_flags |= NLM_F_ACK;
	if (!batch)
		return netlink_send(nl, &iov[1], 1, err);
	if (nl->generation)
		iov[0].iov_len = begin.header.nlmsg_len = sizeof(begin);
	begin.header.nlmsg_seq = ex->batch_seq = ++nl->seq;
	end.header.nlmsg_type = NFNL_MSG_BATCH_END;
	end.header.nlmsg_seq = ++nl->seq;
	if (size > CHUNK_SIZE) /* without the right to do so it stays as it is, and sendmsg tells */
		(void)setsockopt(nl->fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ (int)size * 2 },
				 sizeof(int));
	return netlink_send(nl, iov, 3, err);
}

/* Send and read until the ack of the last message. A refusal is in ex->result, a broken exchange is returned. */
static int exchange_run(struct exchange *ex, bool batch, struct error *err)
{
	char data[NETLINK_RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	const char *label = ex->nl->labels.data + netlink_request(ex->nl, ex->first)->label;
	int r = exchange_send(ex, batch, err);

	while (r >= 0 && !ex->done) {
		ssize_t n = netlink_receive(ex->nl->fd, data, sizeof(data), 0, err);

		r = n < 0 ? (int)n : netlink_each(data, (size_t)n, exchange_reply, ex, err);
	}
	if (r < 0)
		wrap(err, "%s", label);
	return r < 0 ? r : 0;
}

/* Only changes of nftables travel in a batch; look-ups are refused inside one. */
static bool is_nft_change(const struct netlink *nl, size_t n)
{
	unsigned type = netlink_message(nl, n)->nlmsg_type;

	if (nl->protocol != NETLINK_NETFILTER || type >> 8 != NFNL_SUBSYS_NFTABLES)
		return false;
	switch (type & 0xff) {
	case NFT_MSG_GETTABLE:
	case NFT_MSG_GETCHAIN:
	case NFT_MSG_GETRULE:
	case NFT_MSG_GETSET:
	case NFT_MSG_GETSETELEM:
	case NFT_MSG_GETGEN:
	case NFT_MSG_GETOBJ:
	case NFT_MSG_GETOBJ_RESET:
	case NFT_MSG_GETFLOWTABLE: return false;
	}
	return true;
}

/* How far one send reaches: all changes of nftables together, else up to the chunk's limits. */
static size_t chunk_end(const struct netlink *nl, size_t first)
{
	bool batch = is_nft_change(nl, first);
	size_t n = first, cost = 0, start = netlink_start(nl, first);

	for (; n < netlink_pending(nl) && is_nft_change(nl, n) == batch; n++) {
		cost += netlink_request(nl, n)->fn ? REPLY_COST : 1;
		if (!batch && n > first &&
		    (cost > CHUNK_COST || netlink_start(nl, n + 1) - start > CHUNK_SIZE))
			break;
	}
	return n;
}

/* All chunks, also those behind a refusal, as the kernel does within one. */
static int commit_chunks(struct netlink *nl, struct error *err)
{
	int result = 0;

	for (size_t first = 0, last; first < netlink_pending(nl); first = last) {
		struct exchange ex = { .nl = nl, .first = first };
		bool batch = is_nft_change(nl, first);
		int r;

		last = chunk_end(nl, first);
		ex.last = last;
		ex.all_or_nothing = batch && last - first > 1;
		r = exchange_run(&ex, batch, result ? NULL : err);
		if (!result)
			result = r < 0 ? r : ex.result;
		if (r < 0)
			break;
	}
	return result;
}

int netlink_commit(struct netlink *nl, struct error *err)
{
	int r = netlink_ready(nl, err);

	if (r == 0)
		r = commit_chunks(nl, err);
	netlink_discard(nl);
	return r;
}
