// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass policy new, build, verify: from nothing to a policy of one's own.
 *
 * `new` writes a folder from a template, `build` compiles what is in it and asks the
 * kernel, if it may, whether it takes the policy; `verify` only asks.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "kit.h"

struct kit_args {
	const char *template;
	const char *output;
	struct cmd_knobs knobs;
	const char *arg;
	bool done;		/* --help, or a mistake that was shown */
};

static int parse_option(int c, struct kit_args *a, char **argv)
{
	switch (c) {
	case 'T':
		a->template = optarg;
		return CMD_OK;
	case 'O':
		a->output = optarg;
		return CMD_OK;
	case 'k':
		return cmd_knob_add(&a->knobs, optarg);
	case 'R':
		a->knobs.rules = optarg;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* @what: the one word behind the options. */
static int parse(int argc, char **argv, const char *shorts,
		 const struct option *options, const char *what,
		 struct kit_args *a)
{
	int c, ret;

	a->done = true;
	while ((c = getopt_long(argc, argv, shorts, options, NULL)) != -1) {
		ret = parse_option(c, a, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind != 1)
		return cmd_usage("policy %s: %s is expected", argv[0], what);
	a->arg = argv[optind];
	a->done = false;
	return CMD_OK;
}

/* new ------------------------------------------------------------------------ */

/* It becomes part of names in C, and the policy's name. */
static bool good_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return strlen(name) < FUSEPASS_NAME_SIZE;
}

/* "caller, cgroup, ...", for the message that there is no other. */
static void list_templates(char *list, size_t size)
{
	char path[PATH_MAX];
	struct dirent **e;
	int nr = 0;

	*list = '\0';
	if (!kit_template("Makefile", path)) {
		*strrchr(path, '/') = '\0';
		nr = scandir(path, &e, NULL, alphasort);
	}
	for (int i = 0; i < nr; i++) {
		char *dot = strstr(e[i]->d_name, ".bpf.c");
		size_t len = strlen(list);

		if (dot)
			snprintf(list + len, size - len, "%s%.*s", len ? ", " : "",
				 (int)(dot - e[i]->d_name), e[i]->d_name);
		free(e[i]);
	}
	if (nr > 0)
		free(e);
}

/* What stands for @NAME@ and @FUSEPASS@. */
struct fill {
	const char *name;
	char program[PATH_MAX];
};

static void write_filled(FILE *out, const char *text, const struct fill *f)
{
	static const char name[] = "@NAME@", program[] = "@FUSEPASS@";

	while (*text) {
		if (!strncmp(text, name, strlen(name))) {
			fputs(f->name, out);
			text += strlen(name);
		} else if (!strncmp(text, program, strlen(program))) {
			fputs(f->program, out);
			text += strlen(program);
		} else {
			fputc(*text++, out);
		}
	}
}

static int write_file(const char *template, const char *path,
		      const struct fill *f)
{
	_cleanup_free_ char *text = NULL;
	char from[PATH_MAX];
	FILE *out;
	int ret = kit_template(template, from);

	if (!ret)
		ret = util_file_read(from, &text);
	if (ret)
		return ret;
	out = fopen(path, "wxe");
	if (!out)
		return -errno;
	write_filled(out, text, f);
	return fclose(out) ? -errno : 0;
}

static int write_folder(const char *dir, const char *template,
			const struct fill *f)
{
	char from[NAME_MAX], path[PATH_MAX];
	int ret;

	snprintf(from, sizeof(from), "%s.bpf.c", template);
	if (mkdir(dir, 0777))
		return -errno;
	if (snprintf(path, sizeof(path), "%s/%s.bpf.c", dir, f->name) >= PATH_MAX)
		return -ENAMETOOLONG;
	ret = write_file(from, path, f);
	if (ret)
		return ret;
	if (snprintf(path, sizeof(path), "%s/Makefile", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	return write_file("Makefile", path, f);
}

static void report_new(const struct kit_args *a, const char *name)
{
	struct json j;

	if (!cmd_json) {
		printf("%s/%s.bpf.c: from the template %s; 'make -C %s' compiles it\n",
		       a->arg, name, a->template, a->arg);
		return;
	}
	cmd_json_begin(&j);
	json_string(&j, "policy", name);
	json_string(&j, "folder", a->arg);
	json_string(&j, "template", a->template);
	cmd_json_end(&j);
}

static int no_template(const char *name)
{
	char list[512], cause[600];

	list_templates(list, sizeof(list));
	if (*list)
		snprintf(cause, sizeof(cause), "there are %s", list);
	else
		snprintf(cause, sizeof(cause), "no templates are installed");
	return cmd_fail_cause(ENOENT, cause, "template %s", name);
}

int cmd_policy_new(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "template", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	struct kit_args a = { .template = "count" };
	char path[PATH_MAX], file[NAME_MAX];
	struct fill f;
	int ret = parse(argc, argv, CMD_COMMON_SHORT "T:", options, "NAME", &a);

	if (a.done)
		return ret;
	f.name = strrchr(a.arg, '/') ? strrchr(a.arg, '/') + 1 : a.arg;
	if (!good_name(f.name))
		return cmd_usage("policy new: '%s' is no name: letters, digits and _, up to %d",
				 f.name, FUSEPASS_NAME_SIZE - 1);
	snprintf(file, sizeof(file), "%s.bpf.c", a.template);
	if (strchr(a.template, '/') || kit_template(file, path))
		return no_template(a.template);
	ret = kit_program(f.program);
	if (!ret)
		ret = write_folder(a.arg, a.template, &f);
	if (ret)
		return cmd_fail_cause(ret, NULL, "make policy %s", a.arg);
	report_new(&a, f.name);
	return CMD_OK;
}

/* Asking the kernel ---------------------------------------------------------- */

struct verdict {
	const char *name;	/* of the policy */
	int err;
	const char *error;
	struct fusepass_refusal why;
};

/* Only what the kernel has said about the policy counts as refused. */
static bool not_asked(const struct verdict *v)
{
	return v->err == -ENOTSUP || v->err == -EPERM;
}

static void show_text(const char *object, const struct verdict *v)
{
	if (!v->err)
		printf("%s: policy %s, accepted by this kernel\n", object, v->name);
	else
		printf("%s: policy %s, not tried: %s\n", object, v->name, v->error);
}

static void show_refusal(const char *object, const struct fusepass_refusal *r)
{
	if (r->line)
		fprintf(stderr, "%s:%u: ", r->file, r->line);
	else
		fprintf(stderr, "%s: ", object);
	fprintf(stderr, "the kernel refuses %s%s\n",
		r->program[0] ? "program " : "the policy", r->program);
	if (r->source[0])
		fprintf(stderr, "  source:    %s\n", r->source);
	if (r->reg[0])
		fprintf(stderr, "  register:  %s\n", r->reg);
	if (r->meaning[0])
		fprintf(stderr, "  reason:    %s\n  change:    %s\n", r->meaning,
			r->change);
	fprintf(stderr, "  it says:   %s\n", r->verifier);
}

static void json_refusal(struct json *j, const struct fusepass_refusal *r)
{
	json_object_begin(j, "refused");
	json_string(j, "program", r->program);
	json_string(j, "file", r->file);
	json_u64(j, "line", r->line);
	json_string(j, "source", r->source);
	json_string(j, "register", r->reg);
	json_string(j, "reason", r->meaning);
	json_string(j, "change", r->change);
	json_string(j, "verifier", r->verifier);
	json_object_end(j);
}

static int show_verdict(const char *object, const struct verdict *v)
{
	bool refused = v->err && !not_asked(v);
	struct json j;

	if (!cmd_json) {
		if (refused)
			show_refusal(object, &v->why);
		else
			show_text(object, v);
		return refused ? CMD_FAILED : CMD_OK;
	}
	cmd_json_begin(&j);
	if (refused) {
		json_string(&j, "error", v->error);
		if (util_errno_name(-v->err))
			json_string(&j, "errno", util_errno_name(-v->err));
		json_u64(&j, "status", CMD_FAILED);
	}
	json_string(&j, "object", object);
	json_string(&j, "policy", v->name);
	json_bool(&j, "accepted", !v->err);
	if (refused)
		json_refusal(&j, &v->why);
	else if (v->err)
		json_string(&j, "not_tried", v->error);
	cmd_json_end(&j);
	return refused ? CMD_FAILED : CMD_OK;
}

/* Without the kernel's say it was not verified: a failure of verify, not of build. */
static int ask(const char *object, const struct kit_args *a, bool must)
{
	struct fusepass_policy *p = NULL;
	struct verdict v = { .err = 0 };
	int ret = cmd_policy_open(object, &a->knobs, &p);

	if (ret)
		return ret;
	v.name = fusepass_policy_name(p);
	v.err = fusepass_policy_check(p, &v.why);
	v.error = fusepass_error();
	if (v.err && (must || !not_asked(&v)) && !v.why.verifier[0])
		ret = cmd_fail(v.err, "verify policy %s", object);
	else
		ret = show_verdict(object, &v);
	fusepass_policy_close(p);
	return ret;
}

int cmd_policy_verify(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "knob", required_argument, NULL, 'k' },
		{ "rules", required_argument, NULL, 'R' },
		{ NULL, 0, NULL, 0 },
	};
	struct kit_args a = { .done = false };
	int ret = parse(argc, argv, CMD_COMMON_SHORT "k:R:", options, "POLICY", &a);

	return a.done ? ret : ask(a.arg, &a, true);
}

/* build ---------------------------------------------------------------------- */

/* NAME.bpf.o in the same directory, and as a path: else it was looked for by name. */
static int output_name(const struct kit_args *a, char *path)
{
	const char *name = a->output ?: a->arg;
	int len;

	len = snprintf(path, PATH_MAX, "%s%s", strchr(name, '/') ? "" : "./", name);
	if (len >= PATH_MAX)
		return cmd_usage("policy build: the name is too long");
	if (!a->output)
		path[len - 1] = 'o';
	return CMD_OK;
}

/* Its messages as they are; in JSON the first error. */
static int compiler_failed(const char *source, int status, FILE *said)
{
	char line[1024] = "", cause[1100];

	if (!cmd_json)
		while (fgets(line, sizeof(line), said))
			fputs(line, stderr);
	else
		while (fgets(line, sizeof(line), said) && !strstr(line, "error:"))
			;
	line[strcspn(line, "\n")] = '\0';
	if (cmd_json && *line)
		snprintf(cause, sizeof(cause), "%s", line);
	else
		snprintf(cause, sizeof(cause), "the compiler ends with status %d",
			 status);
	return cmd_fail_cause(EINVAL, cause, "compile %s", source);
}

static int compile(const char *source, const char *object)
{
	_cleanup_file_ FILE *said = NULL;
	char line[1024];
	int ret = access(source, R_OK) ? -errno : 0;

	if (ret)
		return cmd_fail_cause(ret, NULL, "compile %s", source);
	ret = kit_compile(source, object, &said);
	if (ret == -ENOENT)
		return cmd_fail_cause(ret, said ? "clang is not installed" :
				      "the headers of fusepass are not installed",
				      "compile %s", source);
	if (ret < 0)
		return cmd_fail_cause(ret, NULL, "compile %s", source);
	if (ret)
		return compiler_failed(source, ret, said);
	while (!cmd_json && fgets(line, sizeof(line), said))
		fputs(line, stderr);
	return CMD_OK;
}

int cmd_policy_build(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "output", required_argument, NULL, 'O' },
		{ NULL, 0, NULL, 0 },
	};
	struct kit_args a = { .done = false };
	char object[PATH_MAX];
	size_t len;
	int ret = parse(argc, argv, CMD_COMMON_SHORT "O:", options, "FILE", &a);

	if (a.done)
		return ret;
	len = strlen(a.arg);
	if (len < 7 || strcmp(a.arg + len - 6, ".bpf.c"))
		return cmd_usage("policy build: a file NAME.bpf.c is expected, not '%s'",
				 a.arg);
	ret = output_name(&a, object);
	if (!ret)
		ret = compile(a.arg, object);
	return ret ?: ask(object, &a, false);
}
