// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one line that the library makes of a verifier's log, of older and newer kernels, and
 * that the log is kept.
 */
#include <stdarg.h>
#include <string.h>

#include "lib.h"
#include "tap.h"

/* As libbpf hands its messages over. */
static void message(const char *fmt, ...)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	va_list ap;

	libbpf_set_print(print);
	va_start(ap, fmt);
	print(LIBBPF_WARN, fmt, ap);
	va_end(ap);
}

static void refuse(const char *log)
{
	lib_error_clear();
	lib_bpf_quiet();
	message("libbpf: prog '%s': BPF program load failed: %s\n", "x_lookup", "Invalid argument");
	message("libbpf: prog '%s': -- BEGIN PROG LOAD LOG --\n%s-- END PROG LOAD LOG --\n",
		"x_lookup", log);
	lib_error_from_bpf("refused");
}

static void says(const char *name, const char *log, const char *wanted)
{
	_cleanup_free_ char *kept = NULL;

	refuse(log);
	tap(!strcmp(fusepass_error(), wanted), name, "%s", fusepass_error());
	kept = lib_error_take_log();
	tap(kept && strstr(kept, log), "its_log_is_kept", "%s", name);
}

int main(void)
{
	says("older_verifier",
	     "0: R1=ctx() R10=fp0\n"
	     "; return *stray; @ x.bpf.c:9\n"
	     "5: (61) r0 = *(u32 *)(r1 +0)\n"
	     "R1 invalid mem access 'scalar'\n"
	     "processed 6 insns (limit 1000000) max_states_per_insn 0\n",
	     "refused: program x_lookup, at return *stray; @ x.bpf.c:9: "
	     "R1 invalid mem access 'scalar'");
	says("states_behind_the_reason",
	     "; for (;;) @ x.bpf.c:3\n"
	     "infinite loop detected at insn 2\n"
	     "cur state: R1_w=scalar() R10=fp0\n"
	     "old state: R1_w=scalar() R10=fp0\n"
	     "processed 3 insns\n",
	     "refused: program x_lookup, at for (;;) @ x.bpf.c:3: infinite loop detected at insn 2");
	says("newer_verifier",
	     "; return *stray; @ x.bpf.c:9\n"
	     "5: (61) r0 = *(u32 *)(r1 +0)\n"
	     "\nVerification failed: Register Type Safety: invalid dereference\n"
	     "\nReason:\n  R1 is an integer scalar here,\n  not a pointer.\n"
	     "\nAt:\n  x.bpf.c:9\n"
	     "\nSuggestion:\n  Reload it.\n\nprocessed 6 insns\n",
	     "refused: program x_lookup, at return *stray; @ x.bpf.c:9: "
	     "R1 is an integer scalar here, not a pointer.");
	says("no_source", "func#0 @0\nunknown opcode 2e\nprocessed 0 insns\n",
	     "refused: program x_lookup: unknown opcode 2e");
	lib_error_clear();
	tap(!*fusepass_error() && !lib_error_take_log(), "cleared_errors_are_gone", NULL);
	return tap_done();
}
