/* What has been given out, to look at: no lock is taken and nothing is written, so that it may be old by a moment. */
#ifndef IPAM_SURVEY_H
#define IPAM_SURVEY_H

#include "ipam/lease.h"

struct survey {
	const char *network; /* its folder's name */
	ips_t ips;           /* ascending */
};
typedef LIST(struct survey) surveys_t;

/* All networks of data_dir, by name. What cannot be read is left out: who may not see leases sees none. */
void survey_read(const char *data_dir, struct arena *arena, surveys_t *surveys);

#endif
