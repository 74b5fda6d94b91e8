/* --peers: what the relay has counted for each peer, in words. */
#include "dump.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "describe/duration.h"

const struct field dump_loss_fields[] = {
	{ "reason", FIELD_STRING, offsetof(struct peer_loss, reason) },
	{ "packets", FIELD_UINT64, offsetof(struct peer_loss, packets) },
	FIELDS_END
};

#define PACKETS(member) offsetof(struct packets, of.member)

const struct field dump_packets_fields[] = {
	{ "sent", FIELD_UINT64, PACKETS(sent), FIELD_KEEP_EMPTY },
	{ "sentBytes", FIELD_UINT64, PACKETS(sent_bytes), FIELD_KEEP_EMPTY },
	{ "received", FIELD_UINT64, PACKETS(received), FIELD_KEEP_EMPTY },
	{ "receivedBytes", FIELD_UINT64, PACKETS(received_bytes), FIELD_KEEP_EMPTY },
	{ "heard", FIELD_STRING, offsetof(struct packets, heard) },
	{ "lost", FIELD_LIST, PACKETS(lost), .size = sizeof(struct peer_loss),
	  .element = FIELD_OBJECT, .fields = dump_loss_fields },
	FIELDS_END
};

void dump_read_packets(const struct dump *dump, int tun, peers_packets_t *packets)
{
	struct error why = { 0 };

	if (tun &&
	    peers_packets(dump->nl, dump->netns, tun, dump->call->arena, packets, &why) < 0 &&
	    why.errnum != ENOENT)
		log_warning("how many packets each peer had is not known: %s", why.message);
}

struct packets dump_packets(const struct dump *dump, const peers_packets_t *packets,
			    const struct cidr *subnet)
{
	const struct peer_packets *of = peer_packets_of(packets, subnet);
	char text[DURATION_TEXT_SIZE];

	if (!of)
		return (struct packets){ 0 };
	return (struct packets){
		.of = *of,
		.heard = of->heard ? arena_printf(dump->call->arena, "%s ago",
						  duration_format(of->heard_ms, text))
				   : "never",
	};
}

void dump_losses_text(FILE *out, const peer_losses_t *losses)
{
	list_each(loss, losses)
		fprintf(out, "%s%" PRIu64 " %s", loss == losses->items ? "" : ", ", loss->packets,
			loss->reason);
	fputc('\n', out);
}

void dump_packets_text(FILE *out, const struct packets *packets)
{
	const struct peer_packets *of = &packets->of;

	fprintf(out,
		"    packets    %" PRIu64 " sent (%" PRIu64 " bytes), %" PRIu64
		" received (%" PRIu64 " bytes), heard %s\n",
		of->sent, of->sent_bytes, of->received, of->received_bytes, packets->heard);
	if (!of->lost.n)
		return;
	fputs("    lost       ", out);
	dump_losses_text(out, &of->lost);
}
