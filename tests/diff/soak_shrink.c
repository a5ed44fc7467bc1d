// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shortest sequence that still differs: first the shortest end of it, then
 * what is left when pieces are taken out, large ones first. What counts as the
 * same difference is the kind of the operation and what of it differs.
 */
#include "soak.h"

#include <stdlib.h>
#include <string.h>

struct shrinking {
	struct sequence now;
	struct outcome want;
	unsigned int runs;
};

static void add_range(struct sequence *to, const struct sequence *from,
		      size_t begin, size_t end)
{
	struct op op;

	for (size_t i = begin; i < end; i++) {
		sequence_get(from, i, &op);
		sequence_add(to, &op);
	}
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Does it still differ? Then it is cut off behind the difference and kept. */
static bool still_differs(struct shrinking *s, struct sequence *try)
{
	struct outcome o = run_ops(try, NULL, true);
	struct sequence cut = { 0 };

	s->runs++;
	if (o.same || o.kind != s->want.kind || !same_string(o.what, s->want.what))
		return false;
	add_range(&cut, try, 0, o.done);
	sequence_free(&s->now);
	s->now = cut;
	return true;
}

static bool try_end(struct shrinking *s, const struct sequence *all, size_t n)
{
	struct sequence end = { 0 };
	bool good;

	add_range(&end, all, all->n - n, all->n);
	good = still_differs(s, &end);
	sequence_free(&end);
	return good;
}

static bool find_end(struct shrinking *s, const struct sequence *all)
{
	for (size_t n = 16; n < all->n; n *= 8)
		if (try_end(s, all, n))
			return true;
	return try_end(s, all, all->n);
}

static bool try_without(struct shrinking *s, size_t begin, size_t end)
{
	struct sequence rest = { 0 };
	bool good;

	add_range(&rest, &s->now, 0, begin);
	add_range(&rest, &s->now, end, s->now.n);
	good = rest.n && still_differs(s, &rest);
	sequence_free(&rest);
	return good;
}

/* Backwards: what comes late depends on what comes early. True if it got shorter. */
static bool remove_pieces(struct shrinking *s, size_t size)
{
	bool shorter = false;
	size_t end = s->now.n;

	while (end > 0) {
		size_t begin = end > size ? end - size : 0;

		if (try_without(s, begin, end))
			shorter = true;
		end = begin < s->now.n ? begin : s->now.n;
	}
	return shorter;
}

static void remove_all(struct shrinking *s)
{
	size_t size = s->now.n / 2;

	while (size > 1) {
		remove_pieces(s, size);
		size = size / 2 < s->now.n / 2 ? size / 2 : s->now.n / 2;
	}
	while (remove_pieces(s, 1))
		;
}

/* Numbers that do not matter become 0, which makes the rest easier to read. */
static bool try_zero(struct shrinking *s, size_t i, size_t member)
{
	struct sequence try = { 0 };
	struct op op;
	bool good = false;

	sequence_get(&s->now, i, &op);
	if (*(int64_t *)((char *)&op + member)) {
		*(int64_t *)((char *)&op + member) = 0;
		add_range(&try, &s->now, 0, i);
		sequence_add(&try, &op);
		add_range(&try, &s->now, i + 1, s->now.n);
		good = still_differs(s, &try);
	}
	sequence_free(&try);
	return good;
}

static void simplify(struct shrinking *s)
{
	static const size_t members[] = {
		offsetof(struct op, actor), offsetof(struct op, how),
		offsetof(struct op, off), offsetof(struct op, off2),
		offsetof(struct op, len), offsetof(struct op, val),
		offsetof(struct op, flags), offsetof(struct op, dir),
	};

	for (size_t i = 0; i < s->now.n; i++)
		for (size_t m = 0; m < ARRAY_SIZE(members); m++)
			if (i < s->now.n)
				try_zero(s, i, members[m]);
}

static void show(const struct shrinking *s)
{
	struct outcome o;

	say("shrunk to %zu operations in %u runs:", s->now.n, s->runs);
	printf("%.*s", (int)s->now.len, s->now.text);
	fflush(stdout);
	o = run_ops(&s->now, NULL, false);
	if (o.same)
		say("which did not differ when done once more");
}

void shrink(const struct sequence *from, const struct outcome *first)
{
	struct shrinking s = { .want = *first };

	if (!find_end(&s, from)) {
		say("done again, the sequence does not give this difference, but:");
		run_ops(from, NULL, false);
		return;
	}
	remove_all(&s);
	simplify(&s);
	remove_all(&s);
	if (options.small && !sequence_save(&s.now, options.small))
		say("cannot write %s", options.small);
	show(&s);
	sequence_free(&s.now);
}
