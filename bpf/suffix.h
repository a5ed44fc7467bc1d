/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule of the suffix policy: does a file name end in one of a list?
 *
 * Compiles on the host too, where tests/host/decide_test.c runs it from a table; the BPF
 * side is suffix.bpf.c. The list is text, ".txt,.h": suffixes are separated by
 * commas, compared byte by byte, and an empty one matches nothing.
 */
#ifndef FUSEPASS_SUFFIX_H
#define FUSEPASS_SUFFIX_H

/* Size of the list with its NUL. Powers of two: the verifier likes masks. */
#define SUFFIX_LIST_SIZE	128
/* How much of the end of a name is looked at; a longer suffix never matches. */
#define SUFFIX_TAIL_SIZE	32

/*
 * @tail holds the last @len bytes of the name, @len <= SUFFIX_TAIL_SIZE. One
 * walk over the list from its end, comparing backwards, so that the work is
 * bounded by the list alone. Written without branches on the name's bytes:
 * the verifier then follows one path, not one for each combination.
 */
static inline int suffix_match(const char *tail, unsigned int len,
			       const volatile char *list)
{
	unsigned int same = 1, done = 0, found = 0;
	int i;

	for (i = SUFFIX_LIST_SIZE - 1; i >= 0; i--) {
		char c = list[i];

		if (c == '\0') {
			/* Behind the end of the list: nothing compared yet. */
			continue;
		}
		if (c == ',') {
			found |= same & (done > 0);
			same = 1;
			done = 0;
			continue;
		}
		same &= done < len;
		same &= tail[(len - 1 - done) & (SUFFIX_TAIL_SIZE - 1)] == c;
		done++;
	}
	return found | (same & (done > 0));
}

/*
 * Directories always pass, else no name beneath them would be judged. All else
 * goes by its name, whether it exists or not: a name that does not exist and
 * matches becomes a negative entry that the server is not asked for.
 */
static inline int suffix_verdict(unsigned int mode, int match)
{
	int is_dir = (mode & 0170000) == 0040000;

	return is_dir || match ? FUSEPASS_PASS : FUSEPASS_SERVER;
}

#endif
