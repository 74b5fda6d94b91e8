/* Where a guard has its objects from: files, and the Kubernetes API. Synced: all has been told once. */
#ifndef GUARD_SOURCE_H
#define GUARD_SOURCE_H

#include "guard/guard_internal.h"

int folder_open(struct folder **folder, struct guard *guard, struct error *err) must_check;
void folder_close(struct folder *folder);
void folder_read_again(struct folder *folder);
bool folder_synced(const struct folder *folder);
const char *folder_trouble(const struct folder *folder); /* NULL = none */

int cluster_open(struct cluster **cluster, struct guard *guard, struct error *err) must_check;
void cluster_close(struct cluster *cluster);
void cluster_ask_again(struct cluster *cluster);
void cluster_ping(struct cluster *cluster);
bool cluster_synced(const struct cluster *cluster);
const char *cluster_trouble(const struct cluster *cluster);
int64_t cluster_heard_ms(const struct cluster *cluster); /* 0 = never */
unsigned cluster_restarts(const struct cluster *cluster);

#endif
