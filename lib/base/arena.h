/*
 * Arena: memory that lives and dies together, such as a decoded configuration. Nothing allocated from
 * it is freed alone. Out of memory ends the process: out_of_memory() says so and never returns.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

/* A program defines it (main.c: words on stderr, a plugin's error on stdout, exit status 1); one that does not, aborts.
 * Nothing is undone: what the call made is cleaned by the DEL that follows, as after kill -9. */
_Noreturn void out_of_memory(void);

struct arena_block;
struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *arena, size_t size);       /* zeroed, aligned for any type */
char *arena_strdup(struct arena *arena, const char *text); /* NULL gives NULL */
char *arena_memdup(struct arena *arena, const void *data, size_t size); /* adds a NUL behind */
char *arena_printf(struct arena *arena, const char *format, ...) printf_like(2, 3);
void arena_free(struct arena *arena); /* also the cleanup; NULL-safe, reusable after */
/* After much was freed that is not needed soon: for processes that stay. */
void memory_give_back(void);

/* malloc and realloc that cannot fail, for what outgrows an arena (buffers). Release with free(). */
void *xrealloc(void *ptr, size_t size) must_check;

#define auto_arena on_leave(arena_free)

/* A growing array of any type; every LIST() has the layout of struct list. */
#define LIST(type)           \
	struct {             \
		type *items; \
		size_t n;    \
	}
struct list {
	void *items;
	size_t n;
};

void *list_grow(struct arena *arena, void *list, size_t item_size);
/* Append one zeroed item and return a pointer to it (valid until the next append). */
#define list_add(arena, list) \
	((typeof((list)->items))list_grow((arena), (list), sizeof(*(list)->items)))
#define list_each(item, list)                                \
	for (typeof((list)->items + 0) item = (list)->items; \
	     (list)->n && item < (list)->items + (list)->n; item++)

#endif
