// SPDX-License-Identifier: GPL-2.0-or-later
/* The mounts and checks of polmount.h. */
#include "polmount.h"
#include "harness.h"

#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

struct rf *mount_conf(struct rf_conf *conf)
{
	rf_make_tree();
	return rf_mount(NULL, conf);
}

struct rf *mount_tree(void)
{
	struct rf_conf conf = RF_DEFAULT;

	return mount_conf(&conf);
}

struct rf *mount_caching(void)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.valid = 3600;
	return mount_conf(&conf);
}

void expect_same_stat(const char *a, const char *b)
{
	struct stat x = stat_of(a), y = stat_of(b);

	EQ(x.st_ino, y.st_ino);
	EQ(x.st_mode, y.st_mode);
	EQ(x.st_size, y.st_size);
	EQ(x.st_nlink, y.st_nlink);
	EQ(x.st_uid, y.st_uid);
	EQ(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
}

int lookup(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

struct rule *rule_ops(struct pol *p, const char *name, uint64_t ops)
{
	struct rule *r = pol_rule(p, name, FUSEPASS_PASS);

	r->set = RULE_SET_OPS;
	r->ops = ops;
	return r;
}

struct rule *rule_cookie(struct pol *p, const char *name, uint64_t cookie)
{
	struct rule *r = pol_rule(p, name, FUSEPASS_PASS);

	r->set = RULE_SET_COOKIE;
	r->cookie = cookie;
	return r;
}

void expect_attach_works(struct rf *rf)
{
	char name[32];
	struct pol *p;

	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "none"));
	p = pol_attach(rf, 0);
	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "rules"));
	pol_detach(p);
}

void use_tree(void)
{
	struct statfs sf;
	char buf[64];

	expect_same_stat("m/f", "b/f");
	expect_same_stat("m/d/x/y", "b/d/x/y");
	expect_same_stat("m/l", "b/l");
	expect_same_stat("m/p", "b/p");
	CHECK(file_is("m/f", "file f\n"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(dir_count("m"), dir_count("b"));
	CHECK(dir_has("m/d", "x"));
	EQ(readlink("m/l", buf, sizeof(buf)), 11);
	ERR(getxattr("m/f", "user.none", buf, sizeof(buf)), ENODATA);
	EQ(listxattr("m/f", buf, sizeof(buf)), 0);
	OK(access("m/f", R_OK));
	OK(statfs("m", &sf));
	ERR(lookup("m/none"), ENOENT);
	ERR(lookup("m/d/x/none"), ENOENT);
}

void expect_object(const struct rules_call *c, const struct stat *st)
{
	EQ(c->ino, st->st_ino);
	EQ(c->size, st->st_size);
	EQ(c->mode, st->st_mode);
	EQ(c->uid, st->st_uid);
	EQ(c->gid, st->st_gid);
	EQ(c->nlink, st->st_nlink);
	EQ(c->mtime, st->st_mtim.tv_sec);
	EQ(c->mtime_nsec, st->st_mtim.tv_nsec);
	EQ(c->ctime, st->st_ctim.tv_sec);
	EQ(c->ctime_nsec, st->st_ctim.tv_nsec);
}

struct rule *rule_backing(struct pol *p, const char *name, int id,
				 const char *path)
{
	struct rule *r = pol_rule(p, name, FUSEPASS_PASS);

	r->set = RULE_SET_BACKING;
	r->backing = id;
	snprintf(r->path, sizeof(r->path), "%s", path);
	return r;
}

void expect_backing_fallback(struct rf *rf)
{
	long before = rf_policy_number(rf, "fallback backing");

	CHECK(before >= 0);
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	CHECK(rf_policy_number(rf, "fallback backing") > before);
}

bool policy_is(struct rf *rf, const char *name)
{
	char have[32];

	CHECK(rf_policy_line(rf, "policy", have, sizeof(have)));
	return !strcmp(have, name);
}
