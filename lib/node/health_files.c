/*
 * Files of attachments that are gone: what runtimes remember and cannot be read, what plugins keep until DEL, and what a
 * write left that was killed. Leases of the dhcp plugin are here, too: its daemon's, or files when none runs.
 */
#include "node/health_internal.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cni/backup.h"
#include "cni/saved.h"
#include "dhcp/call.h"

/* ---- files ---- */

/* Whom nobody knows: no runtime remembers the container, and no namespace has an address of its leases. */
static bool is_known(const struct health *health, const char *name, char end)
{
	list_each(cached, &health->scene.attachments)
		if (has_prefix(name, cached->container) && name[strlen(cached->container)] == end)
			return true;
	list_each(holding, &health->holdings)
		if (holding->state == HOLDING_USED && has_prefix(name, holding->container) &&
		    name[strlen(holding->container)] == end)
			return true;
	return false;
}

static int remove_file(struct health *health, const struct ailment *ailment, struct error *err)
{
	(void)health;
	return unlink(ailment->arg) < 0 ? fail_errno(err, errno, "remove it") : 0;
}

typedef void judge_fn(struct health *health, const char *name, const char *file);

/* Names that begin with a dot are those of writes that never came to their end. */
static void check_folder(struct health *health, const char *folder, judge_fn *judge)
{
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		const char *file = health_text(health, "%s/%s", folder, entry->d_name);
		struct ailment *ailment;
		struct stat st;

		if (lstat(file, &st) < 0 || !S_ISREG(st.st_mode) ||
		    health_is_young(health, (int64_t)st.st_mtime * 1000))
			continue;
		if (*entry->d_name != '.') {
			judge(health, entry->d_name, file);
			continue;
		}
		ailment = health_add(health, "file",
				     health_text(health, "%s was never finished", file),
				     "whoever wrote it was killed",
				     health_text(health, "rm %s", health_word(health, file)));
		ailment->arg = file;
		ailment->mend = remove_file;
	}
	if (dir)
		closedir(dir);
}

static void judge_result(struct health *health, const char *name, const char *file)
{
	struct cached cached auto_cached = { 0 };
	struct error err = { 0 };

	(void)name;
	if (cache_read_file(file, health->arena, &cached, &err) == -EBADMSG)
		health_add(health, "file", health_text(health, "%s", err.message),
			   "no runtime can call DEL by it, and GC takes nothing while it is there",
			   health_text(health, "rm %s", health_word(health, file)));
}

static void add_kept(struct health *health, const char *file)
{
	health_add(health, "file",
		   health_text(health, "%s is of a container whom nobody knows", file),
		   "it is kept until DEL, and nobody called it",
		   health_text(health, "rm %s", health_word(health, file)));
}

static void judge_backup(struct health *health, const char *name, const char *file)
{
	if (has_suffix(name, ".json") && !is_known(health, name, '_'))
		add_kept(health, file);
}

static void judge_saved(struct health *health, const char *name, const char *file)
{
	if (!is_known(health, name, '\0') && !is_known(health, name, ':'))
		add_kept(health, file);
}

/* ---- leases of the dhcp plugin ---- */

struct dhcp_held {
	struct owner owner;
	const char *netns;
	struct ip ip;
};
typedef LIST(struct dhcp_held) dhcp_held_t;

static int release(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct owner *owner = ailment->arg;
	const struct dhcp_call call = { .protocol = CALL_PROTOCOL,
					.verb = CALL_RELEASE,
					.network = owner->network,
					.container = owner->container,
					.ifname = owner->ifname };
	auto_close int fd = -1;
	struct dhcp_answer answer;

	if (call_dial(DHCP_SOCKET, &fd, NULL) >= 0)
		return call_ask(fd, &call, -1, health->arena, &answer, err);
	store_remove(store_folder(DHCP_SOCKET, health->arena), owner);
	return 0;
}

/* Those of the daemon that runs, else those that the next one would go on with. */
static int list_dhcp(struct health *health, dhcp_held_t *held, struct error *err)
{
	const struct dhcp_call call = { .protocol = CALL_PROTOCOL, .verb = CALL_LIST };
	struct arena *arena = health->arena;
	auto_close int fd = -1;
	struct dhcp_answer answer = { 0 };
	dhcp_records_t records = { 0 };
	int r;

	if (call_dial(DHCP_SOCKET, &fd, NULL) < 0) {
		r = store_read(store_folder(DHCP_SOCKET, arena), arena, &records, NULL, err);
		list_each(record, &records)
			*list_add(arena, held) = (struct dhcp_held){
				{ record->network, record->container, record->ifname },
				record->netns,
				record->lease.address.ip,
			};
		return r;
	}
	r = call_ask(fd, &call, -1, arena, &answer, err);
	if (r == -EPROTO) /* the reference's daemon */
		return 0;
	list_each(entry, &answer.leases)
		*list_add(arena, held) = (struct dhcp_held){
			{ entry->network, entry->container, entry->ifname },
			entry->netns,
			entry->address.ip,
		};
	return r;
}

int health_check_dhcp(struct health *health, struct error *err)
{
	dhcp_held_t held = { 0 };
	int r = list_dhcp(health, &held, err);

	list_each(one, &held) {
		struct ailment *ailment;

		if (!one->netns || !health_namespace_is_gone(one->netns) ||
		    health_remembers(health, &one->owner))
			continue;
		ailment = health_add(
			health, "lease",
			health_text(health,
				    "%s of network %s, by DHCP: the namespace of %s is no more",
				    health_ip(health, &one->ip), one->owner.network,
				    one->owner.container),
			health_text(health, "%s is gone, and nobody called DEL", one->netns),
			health_fix(health));
		ailment->arg = &one->owner;
		ailment->mend = release;
	}
	return r;
}

int health_check_files(struct health *health, struct error *err)
{
	(void)err;
	check_folder(health, health_text(health, "%s/results", health->query->cache_dir),
		     judge_result);
	check_folder(health, BACKUP_FOLDER, judge_backup);
	check_folder(health, SAVED_FOLDER, judge_saved);
	return 0;
}
