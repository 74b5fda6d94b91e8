/* Width of terminals and of text: see terminal.h. */
#include "base/terminal.h"

#include <string.h>
#include <sys/ioctl.h>

size_t terminal_columns(FILE *out)
{
	struct winsize size;

	return fileno(out) < 0 || ioctl(fileno(out), TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

size_t text_columns(const char *text, size_t size)
{
	size_t columns = 0;

	for (size_t i = 0; i < size; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

size_t text_line(const char **text, size_t columns)
{
	const char *start = *text, *next = start;
	size_t size = 0;

	do {
		size_t end = (size_t)(next - start) + strcspn(next, " ");

		if (size && text_columns(start, end) > columns)
			break;
		size = end;
		next = start + end + strspn(start + end, " ");
	} while (*next);
	*text = next;
	return size;
}
