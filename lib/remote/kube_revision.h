/*
 * Where in an API server's history something is: metadata.resourceVersion of an object, a list or a bookmark. A word to be handed
 * back, says the API; but all servers count. Pure.
 */
#ifndef REMOTE_KUBE_REVISION_H
#define REMOTE_KUBE_REVISION_H

#include "describe/json.h"

enum { KUBE_REVISION_SIZE = 32 };

/* NULL = none, or one that is too long to be kept. */
const char *kube_revision(const struct json *object);
/* 0 = none */
uint64_t kube_revision_number(const struct json *object);
/* From there on; nothing is changed by an object that has none. */
void kube_revision_keep(char revision[KUBE_REVISION_SIZE], const struct json *object);
/* What is asked for before a watch is resumed tells a time before it: a cluster that was restored from a backup, where a watch
 * would be silent until there are as many revisions again. */
bool kube_revision_is_back(const char *revision, const struct json *page);

#endif
