// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * soak [OPTION...] NATIVE MOUNT [BACKING]: random operations in lockstep.
 *
 * NATIVE is an empty directory, MOUNT a mount of the directory BACKING (or, to
 * test this test, simply another directory). Ends with 0 when no difference was
 * found, with 1 at the first one; see --help. The parts are listed in soak.h.
 */
#include "soak.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options options = {
	.ops = 10000, .check_every = 5000, .patience = 60, .procs = 1,
};
bool say_quiet;

void say(const char *fmt, ...)
{
	char line[8192];
	va_list ap;
	int n;

	if (say_quiet)
		return;
	n = options.procs > 1 ? sprintf(line, "# [%u] ", options.process)
			      : sprintf(line, "# ");
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	fwrite(line, 1, n, stdout);
	fflush(stdout);
}

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "soak: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(2);
}

bool in_list(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (list && *list) {
		if (!strncmp(list, word, len) && (!list[len] || list[len] == ','))
			return true;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return false;
}

static const char help[] =
"usage: soak [OPTION...] NATIVE MOUNT [BACKING]\n"
"  --seed N         first number of all that is random (default: the time)\n"
"  --ops N          operations (10000)\n"
"  --check N        compare the whole trees after every N operations (5000)\n"
"  --save FILE      write the sequence there when a difference was found\n"
"  --replay FILE    do this sequence\n"
"  --shrink[=FILE]  find the shortest sequence that differs; write it to FILE\n"
"  --procs N        N processes, each in a directory of its own, and all of them\n"
"                   in one that is shared, where the mount has to agree with the\n"
"                   backing tree at the end\n"
"  --plant N        leave out a change on the mount, the first one from\n"
"                   operation N on: a difference that has to be found\n"
"  --blocks         the number of blocks of files has to be the same\n"
"  --files          and so has the number of free inodes\n"
"  --times          and so has which times an operation changes (not on tmpfs,\n"
"                   where a directory takes over the time of what was in it)\n"
"  --drop-caches    now and then drop the system's caches of names\n"
"  --served         some objects are the server's: what the protocol cannot carry\n"
"                   is not compared\n"
"  --without LIST   no operations of these kinds\n"
"  --ignore LIST    go on after these differences, each KIND:WHAT\n"
"  --patience N     seconds that one operation may take (60)\n";

enum { OPT_BLOCKS = 256, OPT_FILES, OPT_TIMES, OPT_DROP, OPT_SERVED, OPT_IGNORE, OPT_WITHOUT };

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'n' },
	{ "check", required_argument, NULL, 'c' },
	{ "save", required_argument, NULL, 'o' },
	{ "replay", required_argument, NULL, 'r' },
	{ "shrink", optional_argument, NULL, 'm' },
	{ "procs", required_argument, NULL, 'j' },
	{ "plant", required_argument, NULL, 'p' },
	{ "patience", required_argument, NULL, 'w' },
	{ "blocks", no_argument, NULL, OPT_BLOCKS },
	{ "files", no_argument, NULL, OPT_FILES },
	{ "times", no_argument, NULL, OPT_TIMES },
	{ "drop-caches", no_argument, NULL, OPT_DROP },
	{ "served", no_argument, NULL, OPT_SERVED },
	{ "ignore", required_argument, NULL, OPT_IGNORE },
	{ "without", required_argument, NULL, OPT_WITHOUT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (!*text || *end)
		die("not a number: %s", text);
	return n;
}

static void take_option(int c, const char *arg)
{
	switch (c) {
	case 's':
		options.seed = number(arg);
		break;
	case 'n':
		options.ops = number(arg);
		break;
	case 'c':
		options.check_every = number(arg) ?: 1;
		break;
	case 'o':
		options.save = arg;
		break;
	case 'r':
		options.replay = arg;
		break;
	case 'm':
		options.shrink = true;
		options.small = arg;
		break;
	case 'j':
		options.procs = number(arg) ?: 1;
		break;
	case 'p':
		options.plant = number(arg);
		break;
	case 'w':
		options.patience = number(arg);
		break;
	case OPT_BLOCKS:
		exactness.blocks = true;
		break;
	case OPT_FILES:
		exactness.files = true;
		break;
	case OPT_TIMES:
		exactness.times = true;
		break;
	case OPT_DROP:
		exactness.drop_caches = true;
		break;
	case OPT_SERVED:
		exactness.served = true;
		break;
	case OPT_IGNORE:
		options.ignore = arg;
		break;
	case OPT_WITHOUT:
		options.without = arg;
		break;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	int c;

	options.seed = time(NULL);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		take_option(c, optarg);
	if (argc - optind < 2 || argc - optind > 3) {
		fprintf(stderr, "soak: two or three directories are needed\n"
			"Try 'soak --help'.\n");
		exit(2);
	}
	for (int s = 0; s < SIDES; s++)
		options.dir[s] = argv[optind + s] ?: argv[optind + MOUNT];
	if (geteuid())
		die("the operations are done as several users: be root");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void report_same(const struct outcome *o, double seconds)
{
	say("seed %llu: %llu operations, %.0f a second, no difference",
	    (long long)options.seed, (long long)o->done, o->done / seconds);
}

static void report_different(const struct sequence *log, const struct outcome *o)
{
	if (options.save && !sequence_save(log, options.save))
		say("cannot write %s", options.save);
	say("seed %llu: a difference after %llu operations",
	    (long long)options.seed, (long long)o->done);
	if (options.shrink)
		shrink(log, o);
}

/* One process of the test: its exit status. */
static int run_one(void)
{
	struct sequence list = { 0 }, log = { 0 };
	struct outcome o;
	double start;

	if (options.replay && !sequence_load(&list, options.replay))
		die("cannot read %s", options.replay);
	say("seed %llu", (long long)options.seed);
	start = now();
	o = run_ops(options.replay ? &list : NULL, &log, false);
	if (o.same)
		report_same(&o, now() - start);
	else
		report_different(&log, &o);
	sequence_free(&list);
	sequence_free(&log);
	return !o.same;
}

/* Several processes ------------------------------------------------------------- */

static void make_shared(void)
{
	int parent = open(options.dir[BACKING], O_RDONLY | O_DIRECTORY);

	tree_wipe(parent, "shared");
	if (parent < 0 || mkdirat(parent, "shared", 0777) ||
	    fchmodat(parent, "shared", 0777, 0))
		die("mkdir shared: %s", strerrorname_np(errno));
	close(parent);
}

/* All are at rest now: what the mount shows is what there is. */
static bool shared_is_coherent(void)
{
	int mount = open(options.dir[MOUNT], O_RDONLY | O_DIRECTORY);
	int backing = open(options.dir[BACKING], O_RDONLY | O_DIRECTORY);
	int a = openat(mount, "shared", O_RDONLY | O_DIRECTORY);
	int b = openat(backing, "shared", O_RDONLY | O_DIRECTORY);
	bool good = a >= 0 && b >= 0 && trees_equal_exactly(a, b);

	close(a);
	close(b);
	tree_wipe(backing, "shared");
	close(mount);
	close(backing);
	return good;
}

static int run_several(void)
{
	int status, bad = 0;

	make_shared();
	for (unsigned int i = 0; i < options.procs; i++) {
		fflush(stdout);
		options.process = i;
		if (fork() == 0) {
			options.seed += i;
			exit(run_one());
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	options.process = options.procs;
	if (!shared_is_coherent()) {
		say("the shared tree differs from its backing tree");
		bad = 1;
	}
	return bad != 0;
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	umask(022);
	return options.procs > 1 ? run_several() : run_one();
}
