/* A child process: given stdin, collected stdout, a deadline. No shell, ever. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/arena.h"
#include "base/error.h"

struct process {
	const char *path;        /* looked up in PATH when it has no '/' */
	const char *const *argv; /* NULL-terminated, argv[0] included */
	const char *const *envp; /* NULL = our environment */
	const void *input;       /* stdin of the child */
	size_t input_size;
	size_t output_max;   /* bytes of stdout and of stderr kept at most; 0 = 1 MiB */
	unsigned timeout_ms; /* 0 = none; past it the child is killed: -ETIMEDOUT */
	bool keep_stderr;    /* collect stderr instead of passing it through */
};

struct process_result {
	int status;   /* exit status 0..255, or 128 + signal */
	char *output; /* in the arena, NUL behind */
	size_t output_size;
	char *errors; /* with keep_stderr; else "" */
};

/* Run to the end. 0 whenever the child ran, whatever its status; -errno when it could not be run
 * (ENOENT: not found, ETXTBSY: being replaced). */
int process_run(const struct process *process, struct arena *arena, struct process_result *result,
		struct error *err) must_check;

/* Full path of a program in PATH (and the sbin folders, which a runtime's PATH may lack); false = none. */
bool process_find(const char *name, char *path, size_t size);

#endif
