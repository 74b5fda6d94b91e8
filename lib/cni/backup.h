/*
 * What an interface and its namespace were like before they were tuned: a file for each attachment, which the
 * reference plugin reads and writes as well, <folder>/<container>_<ifname>.json. It knows neither network nor sysctl,
 * and passes over both.
 */
#ifndef CNI_BACKUP_H
#define CNI_BACKUP_H

#include "base/owner.h"
#include "describe/json.h"

#define BACKUP_FOLDER "/run/cni/tuning"

struct backup {
	struct mac mac; /* members that are not set were not changed */
	bool has_promisc, promisc;
	int mtu;
	bool has_allmulti, allmulti;
	bool has_txqlen;
	int txqlen;
	const char *network;
	struct json *
		sysctl; /* path below /proc/sys to value, in the order in which they were changed */
};

struct backup_file {
	char *path;
	char *text;           /* as it was found; NULL = there was none */
	struct json *content; /* its value, which the backup borrows from */
};

/* What the file holds; one that is not there or cannot be understood leaves *backup empty, without error. */
int backup_read(struct backup_file *file, const char *folder, const struct owner *owner,
		struct arena *arena, struct backup *backup, struct error *err) must_check;
void backup_close(struct backup_file *file);
/* In one step, readable for nobody else. */
int backup_write(const struct backup_file *file, const struct backup *backup, struct arena *arena,
		 struct error *err) must_check;
/* As it was found, or gone. */
int backup_revert(const struct backup_file *file, struct error *err) must_check;
/* With what a killed process may have left. */
int backup_remove(const struct backup_file *file, struct error *err) must_check;
/* Remove those of the network whose attachment is not valid. One that the reference wrote does not say which network
 * it is of, and stays. */
int backup_gc(const char *folder, const char *network, const owners_t *valid,
	      struct error *err) must_check;

#endif
