/* See parcel.h. */
#include "node/parcel.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum nft_family parcel_family(const struct parcel *parcel)
{
	return parcel->dst.family == AF_INET ? NFT_IP : NFT_IP6;
}

uint8_t parcel_protocol(const struct parcel *parcel)
{
	uint8_t ping = parcel->dst.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	return parcel->protocol ? parcel->protocol : ping;
}

unsigned filter_state(const struct filter_question *question)
{
	if (question->device && !question->egress)
		return NFT_STATE_INVALID; /* nobody has looked yet */
	return question->answer ? NFT_STATE_ESTABLISHED : NFT_STATE_NEW;
}
