// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and buffers, for the parts of soak and for conc. */
#include "soak.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

uint64_t random_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Any difference has to show; nobody attacks it. */
uint64_t hash(const void *data, size_t len, uint64_t start)
{
	const unsigned char *p = data;
	uint64_t h = start ^ len, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	for (; len; len--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

char *buf_get(void)
{
	static char *buf;

	if (!buf)
		buf = aligned_alloc(PAGE, BUF_SIZE);
	if (!buf)
		die("out of memory");
	return buf;
}

/* One in four is all zeros, which file systems may treat in their own way. */
char *buf_filled(size_t len, uint64_t seed)
{
	char *buf = buf_get();
	uint64_t word = random_mix(seed);

	for (size_t i = 0; i < len; i += sizeof(word)) {
		if (seed % 4 == 0)
			word = 0;
		else
			word = word * 0x9e3779b97f4a7c15 + 1;
		memcpy(buf + i, &word, sizeof(word));
	}
	return buf;
}
