// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Observing an object, and comparing what was seen.
 *
 * Between two file systems, times cannot be equal. What is compared instead: a
 * time that was set explicitly is far from now and has to be equal, any other
 * one is "now"; and of the same object before and after an operation, which
 * times it has changed.
 */
#include "soak.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct exactness exactness;

enum {
	/* Everything, the flag for an extension excepted. */
	ALL_FIELDS = 0x3ffff,
	MOUNT_FIELDS = 0x1000 | 0x4000,		/* the id, in two forms */
	MOUNT_ROOT = 0x2000,			/* an attribute */
};

void look_at(int dirfd, const char *path, int flags, struct look *look)
{
	memset(look, 0, sizeof(*look));
	look->changed = -1;
	if (syscall(SYS_statx, dirfd, path, flags, ALL_FIELDS, &look->x))
		look->err = errno;
}

static bool later(const struct stx_time *a, const struct stx_time *b)
{
	return a->sec != b->sec || a->nsec != b->nsec;
}

int look_changes(const struct look *before, const struct look *after)
{
	if (before->err || after->err || before->x.ino != after->x.ino)
		return -1;
	return later(&before->x.mtime, &after->x.mtime) * CHANGED_MTIME |
	       later(&before->x.ctime, &after->x.ctime) * CHANGED_CTIME |
	       later(&before->x.btime, &after->x.btime) * CHANGED_BTIME;
}

enum { NOW_BEGINS = 1500000000, NOW_ENDS = 3000000000U };

static int64_t time_value(const struct stx_time *t)
{
	return t->sec * 1000000000 + t->nsec;
}

static int64_t time_class(const struct stx_time *t)
{
	if (t->sec > NOW_BEGINS && t->sec < NOW_ENDS)
		return INT64_MAX;
	return time_value(t);
}

/*
 * Members, and whether two file systems have to agree on them. Those that the
 * FUSE protocol has no room for (flags, the alignment of direct io, ids of
 * subvolumes) are compared only where the server is never asked.
 */
enum field_use { SAME, EXACTLY, BLOCKS, TIME, ATIME, TIME_EXACTLY, NOT_SERVED };

static const struct field {
	const char *name;
	size_t off, size;
	enum field_use use;
} fields[] = {
#define F(m, use) \
	{ #m, offsetof(struct stx, m), sizeof(((struct stx *)0)->m), use }
	F(mask, NOT_SERVED), F(mode, SAME), F(nlink, SAME), F(uid, SAME), F(gid, SAME),
	F(size, SAME), F(rdev_major, SAME), F(rdev_minor, SAME),
	F(attributes, NOT_SERVED), F(attributes_mask, NOT_SERVED), F(blksize, SAME),
	F(blocks, BLOCKS), F(atime, ATIME), F(mtime, TIME), F(btime, TIME_EXACTLY),
	F(ctime, TIME_EXACTLY), F(ino, EXACTLY), F(dio_mem_align, NOT_SERVED),
	F(dio_offset_align, NOT_SERVED), F(dio_read_align, NOT_SERVED), F(subvol, NOT_SERVED),
	F(atomic_min, NOT_SERVED), F(atomic_max, NOT_SERVED), F(atomic_segments, NOT_SERVED),
#undef F
};

/*
 * Of setgid where no group may execute the file, a request that changes the content
 * says nothing, so the server leaves it; later chmod() or an ACL may make it count.
 */
static bool may_keep_setgid(uint64_t mode)
{
	return exactness.served && S_ISREG(mode);
}

static int64_t field_value(const struct look *look, const struct field *f,
			   bool exact)
{
	const void *p = (const char *)&look->x + f->off;
	uint64_t v = 0;

	if (f->use == TIME || f->use == ATIME || f->use == TIME_EXACTLY)
		return exact ? time_value(p) : time_class(p);
	memcpy(&v, p, f->size);
	if (f->off == offsetof(struct stx, mode) && may_keep_setgid(v))
		v &= ~S_ISGID;
	if (f->off == offsetof(struct stx, mask))
		v &= ~MOUNT_FIELDS;
	if (f->off == offsetof(struct stx, attributes) ||
	    f->off == offsetof(struct stx, attributes_mask))
		v &= ~MOUNT_ROOT;
	return v;
}

static bool field_counts(const struct field *f, bool exact)
{
	switch (f->use) {
	case BLOCKS:
		return exact || exactness.blocks;
	case EXACTLY:
	case TIME_EXACTLY:
		return exact;
	case NOT_SERVED:
		return !exactness.served;
	/* Cached data of the mount is read without an access beneath. */
	case ATIME:
		return exact || !exactness.served;
	default:
		return true;
	}
}

static const char *differs(const struct look *a, const struct look *b,
			   bool exact)
{
	if (a->err != b->err)
		return "stat";
	if (a->err)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (field_counts(&fields[i], exact) &&
		    field_value(a, &fields[i], exact) !=
		    field_value(b, &fields[i], exact))
			return fields[i].name;
	if (!exact && exactness.times && a->changed >= 0 && b->changed >= 0 &&
	    a->changed != b->changed)
		return "changed_times";
	return NULL;
}

const char *look_differs(const struct look *a, const struct look *b)
{
	return differs(a, b, false);
}

const char *look_differs_exactly(const struct look *a, const struct look *b)
{
	return differs(a, b, true);
}

void look_print(const char *what, const struct look *l)
{
	const struct stx *x = &l->x;

	if (l->err)
		return say("  %s: %s", what, strerrorname_np(l->err));
	say("  %s: mask %x mode %o nlink %u uid %u gid %u size %llu blocks %llu/%u rdev %u:%u attributes %llx/%llx ino %llu",
	    what, x->mask, x->mode, x->nlink, x->uid, x->gid,
	    (long long)x->size, (long long)x->blocks, x->blksize, x->rdev_major,
	    x->rdev_minor, (long long)x->attributes,
	    (long long)x->attributes_mask, (long long)x->ino);
	say("  %s: atime %lld.%09u mtime %lld.%09u ctime %lld.%09u btime %lld.%09u%s%s%s%s dio %u/%u/%u subvol %lld",
	    what, (long long)x->atime.sec, x->atime.nsec,
	    (long long)x->mtime.sec, x->mtime.nsec, (long long)x->ctime.sec,
	    x->ctime.nsec, (long long)x->btime.sec, x->btime.nsec,
	    l->changed > 0 ? ", changed:" : "",
	    l->changed > 0 && l->changed & CHANGED_MTIME ? " mtime" : "",
	    l->changed > 0 && l->changed & CHANGED_CTIME ? " ctime" : "",
	    l->changed > 0 && l->changed & CHANGED_BTIME ? " btime" : "",
	    x->dio_mem_align, x->dio_offset_align, x->dio_read_align,
	    (long long)x->subvol);
}

/* Results ------------------------------------------------------------------ */

/* Before privileges are cleared for a write, its size is checked. */
static bool value_differs(int64_t a, int64_t b)
{
	return a != b && !(a == -EPERM && b == -EFBIG);
}

const char *result_differs(const struct result *a, const struct result *b)
{
	const char *what;

	for (int i = 0; i < a->values && i < b->values; i++)
		if (a->value[i].label != b->value[i].label ||
		    value_differs(a->value[i].v, b->value[i].v))
			return a->value[i].label;
	if (a->values != b->values || a->looks != b->looks)
		return "number of results";
	for (int i = 0; i < a->looks; i++) {
		what = look_differs(&a->look[i], &b->look[i]);
		if (what)
			return what;
	}
	return NULL;
}

static void value_text(const struct result *r, int i, char text[40])
{
	int64_t v = i < r->values ? r->value[i].v : 0;

	if (i >= r->values)
		strcpy(text, "-");
	else if (v < 0 && v > -4096 && strerrorname_np(-v))
		snprintf(text, 40, "%s", strerrorname_np(-v));
	else if (v > -100000000 && v < 100000000)
		snprintf(text, 40, "%lld", (long long)v);
	else
		snprintf(text, 40, "%llx", (long long)v);
}

void result_print(const struct result *a, const struct result *b)
{
	char one[40], two[40];

	for (int i = 0; i < a->values || i < b->values; i++) {
		value_text(a, i, one);
		value_text(b, i, two);
		say("  %-12s native %s, mount %s%s",
		    i < a->values ? a->value[i].label : b->value[i].label, one,
		    two, strcmp(one, two) ? "   <--" : "");
	}
	for (int i = 0; i < a->looks && i < b->looks; i++)
		if (look_differs(&a->look[i], &b->look[i])) {
			say("  object %d, %s:", i,
			    look_differs(&a->look[i], &b->look[i]));
			look_print("native", &a->look[i]);
			look_print("mount ", &b->look[i]);
		}
}
