/* A resolver configuration file as the dns of a result. */
#ifndef CNI_RESOLV_H
#define CNI_RESOLV_H

#include "cni/result.h"

/* nameserver, domain, search and options of the file are added to dns; strings live in the arena. */
int resolv_read(const char *path, struct arena *arena, struct cni_dns *dns,
		struct error *err) must_check;

#endif
