/* What the unit tests know of netns_list.c beyond netns.h. */
#ifndef KERNEL_NETNS_INTERNAL_H
#define KERNEL_NETNS_INTERNAL_H

#define NETNS_CONTAINER_ID_MAX 64

/* The innermost container id in the text of /proc/PID/cgroup, "" when there is none. Changes the text. */
void netns_cgroup_id(char *text, char id[NETNS_CONTAINER_ID_MAX + 1]);

#endif
