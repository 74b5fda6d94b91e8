/* bpf(2), and the assembler: labels become distances when a program is loaded. */
#include "kernel/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/arena.h"
#include "base/file.h"
#include "kernel/bpf_line.h"

enum { LINES_MAX = 512, LOG_SIZE = 1 << 18 };

/* The kernel lends some functions (bpf_fib_lookup) only to programs that say so of themselves. */
static const char license[] = "Dual MIT/GPL";

struct bpf_code {
	struct bpf_line lines[LINES_MAX];
	size_t n;
};

static long call(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* ---- maps ---- */

/* Kernels before 5.11 count maps as locked memory. */
static bool raise_limit(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &none) == 0;
}

static union bpf_attr map_attr(const struct bpf_map_spec *spec)
{
	union bpf_attr attr = { 0 };

	attr.key_size = spec->key_size;
	attr.value_size = spec->value_size;
	attr.max_entries = spec->n;
	attr.map_type = BPF_MAP_TYPE_LPM_TRIE;
	attr.map_flags = BPF_F_NO_PREALLOC;
	if (spec->form == BPF_MAP_FORM_TABLE) {
		attr.map_type = BPF_MAP_TYPE_ARRAY;
		attr.map_flags = BPF_F_MMAPABLE;
	}
	snprintf(attr.map_name, sizeof(attr.map_name), "%s", spec->name);
	return attr;
}

int bpf_map_make(const struct bpf_map_spec *spec, int *fd, struct error *err)
{
	union bpf_attr attr = map_attr(spec);
	long made = call(BPF_MAP_CREATE, &attr);

	if (made < 0 && errno == EPERM && raise_limit())
		made = call(BPF_MAP_CREATE, &attr);
	if (made < 0)
		return fail_errno(err, errno, "make the kernel's map %s%s", spec->name,
				  errno == EPERM ? " (it needs CAP_BPF on the machine)" : "");
	*fd = (int)made;
	return 0;
}

int bpf_map_put(int fd, const void *key, const void *value, struct error *err)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd,
				.key = (uintptr_t)key,
				.value = (uintptr_t)value };

	return call(BPF_MAP_UPDATE_ELEM, &attr) < 0
		       ? fail_errno(err, errno, "add to a kernel's map")
		       : 0;
}

int bpf_map_get(int fd, const void *key, void *value, struct error *err)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd,
				.key = (uintptr_t)key,
				.value = (uintptr_t)value };

	return call(BPF_MAP_LOOKUP_ELEM, &attr) < 0
		       ? fail_errno(err, errno, "look at a kernel's map")
		       : 0;
}

int bpf_map_remove(int fd, const void *key, struct error *err)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd, .key = (uintptr_t)key };

	if (call(BPF_MAP_DELETE_ELEM, &attr) < 0 && errno != ENOENT)
		return fail_errno(err, errno, "remove from a kernel's map");
	return 0;
}

void *bpf_map_memory(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* ---- programs ---- */

struct bpf_code *bpf_code_new(void)
{
	struct bpf_code *code = xrealloc(NULL, sizeof(*code));

	code->n = 0;
	return code;
}

void bpf_code_free(struct bpf_code *code)
{
	free(code);
}

void bpf_code_freep(struct bpf_code **code)
{
	bpf_code_free(*code);
}

/* What is too much is left out, and counted: the program will not be loaded. */
void bpf_code_add(struct bpf_code *code, const struct bpf_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++, code->n++)
		if (code->n < LINES_MAX)
			code->lines[code->n] = lines[i];
}

/* Lines to instructions: how many. */
static size_t assemble(const struct bpf_code *code, struct bpf_insn insns[LINES_MAX])
{
	size_t places[BPF_LABELS_MAX] = { 0 }, n = 0;

	for (size_t i = 0; i < code->n; i++) {
		if (code->lines[i].label)
			places[code->lines[i].label] = n;
		else
			n++;
	}
	n = 0;
	for (size_t i = 0; i < code->n; i++) {
		const struct bpf_line *line = &code->lines[i];

		if (line->label)
			continue;
		insns[n] = line->insn;
		if (line->target)
			insns[n].off = (int16_t)(places[line->target] - n - 1);
		n++;
	}
	return n;
}

const char *bpf_last_words(char *log)
{
	char *end = strstr(log, "\nprocessed ");
	char *line;

	if (end)
		*end = '\0';
	for (end = log + strlen(log); end > log && end[-1] == '\n'; end--)
		end[-1] = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

/* Once more, for its words: "" = it has none. */
static void ask_why(union bpf_attr *attr, char log[LOG_SIZE])
{
	long again;

	memset(log, 0, LOG_SIZE);
	attr->log_level = 1;
	attr->log_buf = (uintptr_t)log;
	attr->log_size = LOG_SIZE;
	again = call(BPF_PROG_LOAD, attr);
	if (again >= 0)
		close((int)again);
}

static int refuse(union bpf_attr *attr, const char *name, struct error *err)
{
	char *log auto_free = xrealloc(NULL, LOG_SIZE);
	int errnum = errno;
	const char *words;

	ask_why(attr, log);
	words = bpf_last_words(log);
	return fail_errno(err, errnum, "load program %s into the kernel%s%s%s", name,
			  *words ? " (" : "", words, *words ? ")" : "");
}

int bpf_code_load(const struct bpf_code *code, const char *name, int *fd, struct error *err)
{
	struct bpf_insn insns[LINES_MAX];
	union bpf_attr attr = { 0 };
	long loaded;

	if (code->n > LINES_MAX)
		return fail(err, E2BIG, "program %s has %zu lines", name, code->n);
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insn_cnt = (uint32_t)assemble(code, insns);
	attr.insns = (uintptr_t)insns;
	attr.license = (uintptr_t)license;
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	loaded = call(BPF_PROG_LOAD, &attr);
	if (loaded < 0)
		return refuse(&attr, name, err);
	*fd = (int)loaded;
	return 0;
}

uint32_t bpf_program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd,
					  .info_len = sizeof(info),
					  .info = (uintptr_t)&info } };

	return call(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? 0 : info.id;
}

/* ---- those of others ---- */

enum { MAPS_MAX = 8 }; /* of one program, that are looked at */

static int open_by_id(int command, uint32_t id, struct error *err)
{
	union bpf_attr attr = { .prog_id = id };
	long fd;

	if (command == BPF_MAP_GET_FD_BY_ID)
		attr.open_flags = BPF_F_RDONLY;
	fd = call(command, &attr);
	if (fd < 0)
		return fail_errno(err, errno, "open what the kernel's programs have%s",
				  errno == EPERM ? " (it needs CAP_SYS_ADMIN on the machine)" : "");
	return (int)fd;
}

static int ask_about(int fd, void *info, uint32_t size, struct error *err)
{
	union bpf_attr attr = {
		.info = { .bpf_fd = (uint32_t)fd, .info_len = size, .info = (uintptr_t)info }
	};

	return call(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0
		       ? fail_errno(err, errno, "ask about a kernel's program")
		       : 0;
}

/* Its descriptor, or -ENOENT when it has another name. */
static int open_named(uint32_t id, const char *name, struct bpf_map_spec *spec, struct error *err)
{
	struct bpf_map_info info = { 0 };
	int fd = open_by_id(BPF_MAP_GET_FD_BY_ID, id, err);
	int r = fd < 0 ? fd : ask_about(fd, &info, sizeof(info), err);

	if (r == 0 && !streq(info.name, name))
		r = fail(err, ENOENT, "another map");
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	*spec = (struct bpf_map_spec){ .name = name,
				       .key_size = info.key_size,
				       .value_size = info.value_size,
				       .n = info.max_entries };
	return fd;
}

int bpf_map_by_id(uint32_t id, const char *name, struct bpf_map_spec *spec, int *fd,
		  struct error *err)
{
	int r = open_named(id, name, spec, err);

	if (r >= 0)
		*fd = r;
	return r < 0 ? r : 0;
}

int bpf_program_map(uint32_t id, const char *name, struct bpf_map_spec *spec, int *fd,
		    struct error *err)
{
	uint32_t ids[MAPS_MAX] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids };
	int program auto_close = open_by_id(BPF_PROG_GET_FD_BY_ID, id, err);
	int r = program < 0 ? program : ask_about(program, &info, sizeof(info), err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		r = open_named(ids[i], name, spec, err);
		if (r >= 0)
			*fd = r;
		if (r != -ENOENT)
			return r < 0 ? r : 0;
	}
	return fail(err, ENOENT, "the program has no map %s", name);
}
