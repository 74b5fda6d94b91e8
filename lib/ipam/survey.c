/* See survey.h. */
#include "ipam/survey.h"

#include <dirent.h>
#include <fcntl.h>

static void add_network(int data_dir, const char *name, struct arena *arena, surveys_t *surveys)
{
	auto_close int dir = openat(data_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ips_t ips = { 0 };

	if (*name != '.' && dir >= 0 && leases_addresses(dir, arena, &ips, NULL) >= 0 && ips.n)
		*list_add(arena, surveys) = (struct survey){ arena_strdup(arena, name), ips };
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct survey *)a)->network, ((const struct survey *)b)->network);
}

void survey_read(const char *data_dir, struct arena *arena, surveys_t *surveys)
{
	DIR *dir = opendir(data_dir);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		add_network(dirfd(dir), entry->d_name, arena, surveys);
	if (dir)
		closedir(dir);
	if (surveys->n)
		qsort(surveys->items, surveys->n, sizeof(*surveys->items), compare_names);
}
