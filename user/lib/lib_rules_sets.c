// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sets of numbers, each kept once: states, classes and lists of rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ruleset.h"
#include "util.h"

static int grow(void **v, size_t *room, size_t need, size_t size)
{
	size_t n = *room ? *room : 64;
	void *p;

	if (need <= *room)
		return 0;
	while (n < need)
		n *= 2;
	p = reallocarray(*v, n, size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*room = n;
	return 0;
}

int numbers_add(struct numbers *n, uint32_t v)
{
	int ret = grow((void **)&n->v, &n->room, n->nr + 1, sizeof(*n->v));

	if (!ret)
		n->v[n->nr++] = v;
	return ret;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Most are nearly in order, since they were made from a set that was. */
static bool insert_all(uint32_t *v, size_t nr)
{
	size_t i, k, budget = 8 * nr;
	uint32_t x;

	for (i = 1; i < nr; i++) {
		x = v[i];
		for (k = i; k && v[k - 1] > x && budget; k--, budget--)
			v[k] = v[k - 1];
		v[k] = x;
		if (!budget)
			return false;
	}
	return true;
}

void numbers_sort(struct numbers *n)
{
	size_t i, to = 0;

	if (!n->nr)
		return;
	if (!insert_all(n->v, n->nr))
		qsort(n->v, n->nr, sizeof(*n->v), by_value);
	for (i = 1; i < n->nr; i++)
		if (n->v[i] != n->v[to])
			n->v[++to] = n->v[i];
	n->nr = to + 1;
}

static uint32_t hash(const uint32_t *v, size_t nr)
{
	uint64_t h = 0x9e3779b97f4a7c15ull + nr;
	size_t i;

	for (i = 0; i < nr; i++) {
		h ^= v[i];
		h *= 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

/* Where in the index it is or would be. */
static size_t slot(const struct sets *s, const uint32_t *v, size_t nr,
		   uint32_t h)
{
	size_t i = h & (s->index_size - 1);

	for (; s->index[i]; i = (i + 1) & (s->index_size - 1)) {
		const struct sets_entry *e = &s->entries[s->index[i] - 1];

		if (e->hash == h && e->nr == nr && (!nr ||
		    !memcmp(s->pool + e->at, v, nr * sizeof(*v))))
			break;
	}
	return i;
}

static int index_grow(struct sets *s)
{
	size_t size = s->index_size ? s->index_size * 2 : 64, i, at;
	uint32_t *index;

	if (s->nr * 2 < s->index_size)
		return 0;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (i = 0; i < s->nr; i++) {
		at = s->entries[i].hash & (size - 1);
		while (index[at])
			at = (at + 1) & (size - 1);
		index[at] = i + 1;
	}
	free(s->index);
	s->index = index;
	s->index_size = size;
	return 0;
}

static int append(struct sets *s, const uint32_t *v, size_t nr, uint32_t h)
{
	if (grow((void **)&s->pool, &s->room, s->used + nr + 1,
		 sizeof(*s->pool)) ||
	    grow((void **)&s->entries, &s->entries_room, s->nr + 1,
		 sizeof(*s->entries)))
		return -ENOMEM;
	if (nr)
		memcpy(s->pool + s->used, v, nr * sizeof(*v));
	s->entries[s->nr] = (struct sets_entry){ s->used, nr, h };
	s->used += nr;
	return s->nr++;
}

int sets_add(struct sets *s, const uint32_t *v, size_t nr)
{
	uint32_t h = hash(v, nr);
	size_t at;
	int ret = index_grow(s);

	if (ret)
		return ret;
	at = slot(s, v, nr, h);
	if (s->index[at])
		return s->index[at] - 1;
	ret = append(s, v, nr, h);
	if (ret >= 0)
		s->index[at] = ret + 1;
	return ret;
}

const uint32_t *sets_get(const struct sets *s, size_t i, size_t *nr)
{
	*nr = s->entries[i].nr;
	return s->pool + s->entries[i].at;
}

void sets_clear(struct sets *s)
{
	free(s->pool);
	free(s->entries);
	free(s->index);
	memset(s, 0, sizeof(*s));
}
