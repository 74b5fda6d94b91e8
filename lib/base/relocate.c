/*
 * Packed relocations (RELR) with a libc that does not know them: musl does since 1.2.4. `make musl` leads the first call of
 * a program, __libc_start_main(), through here. Nothing is relocated before: what is used has its place relative to the
 * code. Where libc has done it already nothing is left to do.
 */
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

typedef int main_function(int argc, char **argv, char **envp);
typedef void unused_function(void);

enum { RELR_SIZE = 35, RELR_PLACE = 36 }; /* DT_RELRSZ, DT_RELR */

extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern const ElfW(Dyn) dynamic[] __asm__("_DYNAMIC") __attribute__((visibility("hidden")));
main_function main;

/* libc's own, and what the linker calls in its place. */
int __real___libc_start_main(main_function *begin, int argc, char **argv, unused_function *init,
			     unused_function *end, unused_function *loaded);
int __wrap___libc_start_main(main_function *begin, int argc, char **argv, unused_function *init,
			     unused_function *end, unused_function *loaded);

/* It points to itself once it is relocated. */
static const void *const volatile relocated = (const void *)&relocated;

/* The word that many bytes into the program. */
static uintptr_t *word_at(size_t offset)
{
	return (uintptr_t *)(void *)(__ehdr_start + offset);
}

/* An even entry is the place of an address; an odd one has a bit for each of the places behind the last. */
static void relocate(const uintptr_t *entries, size_t n)
{
	const uintptr_t base = (uintptr_t)__ehdr_start;
	size_t place = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(entries[i] & 1)) {
			place = entries[i];
			*word_at(place) += base;
			place += sizeof(base);
			continue;
		}
		for (uintptr_t bits = entries[i] >> 1, at = place; bits;
		     bits >>= 1, at += sizeof(base)) {
			if (bits & 1)
				*word_at(at) += base;
		}
		place += (sizeof(base) * CHAR_BIT - 1) * sizeof(base);
	}
}

int __wrap___libc_start_main(main_function *begin, int argc, char **argv, unused_function *init,
			     unused_function *end, unused_function *loaded)
{
	size_t place = 0, size = 0;

	(void)begin; /* maybe not relocated */
	for (const ElfW(Dyn) *entry = dynamic; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == RELR_PLACE)
			place = entry->d_un.d_ptr;
		else if (entry->d_tag == RELR_SIZE)
			size = entry->d_un.d_val;
	}
	if (relocated != &relocated)
		relocate(word_at(place), size / sizeof(uintptr_t));
	return __real___libc_start_main(main, argc, argv, init, end, loaded);
}
