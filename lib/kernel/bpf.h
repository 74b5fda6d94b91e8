/*
 * Programs and maps of the kernel's virtual machine: bpf(2) by hand. A program is a table of lines, written with the macros of
 * bpf_line.h, so that neither a compiler nor a library is needed. What is made lives as long as a descriptor, or
 * a hook (hook.h), holds it.
 */
#ifndef KERNEL_BPF_H
#define KERNEL_BPF_H

#include "base/error.h"

enum bpf_map_form {
	BPF_MAP_FORM_PREFIXES, /* the longest prefix that fits: a key is the length in bits (uint32_t), then the address */
	BPF_MAP_FORM_TABLE, /* an array of zeros, keyed by uint32_t, that processes can have in their memory */
};

struct bpf_map_spec {
	const char *name; /* at most 15 characters */
	enum bpf_map_form form;
	uint32_t key_size, value_size, n; /* n: places */
};

int bpf_map_make(const struct bpf_map_spec *spec, int *fd, struct error *err) must_check;
int bpf_map_put(int fd, const void *key, const void *value, struct error *err) must_check;
/* value: as many bytes as the map's are, rounded up to 8. */
int bpf_map_get(int fd, const void *key, void *value, struct error *err) must_check;
/* It is fine when there is no such key. */
int bpf_map_remove(int fd, const void *key, struct error *err) must_check;
/* A BPF_MAP_FORM_TABLE as memory, n * value_size bytes (value_size is a multiple of 8); NULL with errno. */
void *bpf_map_memory(int fd, size_t size);

/* A program under construction: pieces are added, then it is loaded. */
struct bpf_line;
struct bpf_code;
struct bpf_code *bpf_code_new(void);
void bpf_code_free(struct bpf_code *code);
void bpf_code_freep(struct bpf_code **code);
#define auto_bpf_code on_leave(bpf_code_freep)
void bpf_code_add(struct bpf_code *code, const struct bpf_line *lines, size_t n);
/* For a hook of a link. The error has the last words of the kernel's verifier. */
int bpf_code_load(const struct bpf_code *code, const char *name, int *fd,
		  struct error *err) must_check;
/* By which the kernel knows a program; 0 = it does not say. */
uint32_t bpf_program_id(int fd);
/* A map that somebody has, by which the kernel knows it; the rest as below. */
int bpf_map_by_id(uint32_t id, const char *name, struct bpf_map_spec *spec, int *fd,
		  struct error *err) must_check;
/* A program's map of that name, to be read, and its sizes (not its form). -ENOENT: there is no such program or map. */
int bpf_program_map(uint32_t id, const char *name, struct bpf_map_spec *spec, int *fd,
		    struct error *err) must_check;

#endif
