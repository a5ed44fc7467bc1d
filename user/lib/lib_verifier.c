// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why the kernel's verifier refuses a program, in plain words.
 *
 * Its log is made for who wrote the verifier. Here are taken from it the line of the
 * source, the register and the message, and by a table what that means and what
 * to change. A message that the table does not have is shown as it is.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "lib.h"

/* What can be said about a message; the first that matches counts. */
struct advice {
	const char *pattern;	/* for fnmatch() */
	const char *meaning;
	const char *change;
};

static const struct advice advices[] = {
	{ "*attach to unsupported member*",
	  "a program of this kind cannot be that member of struct fuse_policy_ops",
	  "write SEC(\"struct_ops/lookup\"), without \".s\": policies do not sleep" },
	{ "*only read is supported*",
	  "the argument of the program cannot be changed",
	  "decide by the return value and bpf_fuse_set_*(); keep your own numbers in variables" },
	{ "*access beyond struct*",
	  "the argument has no such member at this offset",
	  "read members by their names, as vmlinux.h has them" },
	{ "*access beyond the end of member*",
	  "the access is longer than the member is",
	  "read the member by its name, with its own type" },
	{ "*cannot write into*rdonly*",
	  "this memory can be read but not changed",
	  "copy it to a variable with bpf_probe_read_kernel_str() and change that" },
	{ "*Possibly NULL pointer passed*",
	  "the pointer may be NULL where it is handed on",
	  "hand on the program's own argument, or compare the pointer with NULL before" },
	{ "*invalid mem access '*_or_null'*",
	  "the pointer may be NULL where it is used",
	  "compare it with NULL first: if (!p) return FUSEPASS_SERVER" },
	{ "*pointer arithmetic on *_or_null prohibited*",
	  "the pointer may be NULL where it is reckoned with",
	  "compare it with NULL first: if (!p) return FUSEPASS_SERVER" },
	{ "*invalid mem access 'scalar'*",
	  "a number is used as a pointer",
	  "read through pointers that the kernel gave; other memory is read with bpf_probe_read_kernel()" },
	{ "*dereference of modified*",
	  "a pointer to a kernel object was moved before it was used",
	  "use the pointer as you got it, with the name of the member behind it" },
	{ "*!read_ok*",
	  "a value is used that was never set on this way through the program",
	  "set the variable before, also where an if is not taken" },
	{ "*invalid access to map value*",
	  "the access is outside of the value of the map",
	  "compare the index with the number of elements first, or mask it: i & (N - 1)" },
	{ "*is outside of the allowed memory range*",
	  "the access may be outside of the memory",
	  "compare the index with the number of elements first, or mask it: i & (N - 1)" },
	{ "*min value is negative*",
	  "the index or size may be negative",
	  "make it unsigned and compare it with the largest value that is allowed" },
	{ "*unbounded memory access*",
	  "nothing limits the index or size",
	  "compare it with a constant first, or mask it: i & (N - 1)" },
	{ "*invalid read from stack*",
	  "a variable is read that was not written as a whole",
	  "set all of it first, as with = {}" },
	{ "*invalid indirect read from stack*",
	  "a variable is read that was not written as a whole",
	  "set all of it first, as with = {}" },
	{ "*memory, len pair leads to invalid memory access*",
	  "the size that is handed on is more than the buffer has",
	  "hand on sizeof() of the buffer" },
	{ "*stack*size=*",
	  "the access is outside of the variable on the stack",
	  "compare the index with the number of elements first, or hand on the right size" },
	{ "*ombined stack size*oo large*",
	  "the functions together need more than 512 bytes of stack",
	  "keep large variables in a map of type BPF_MAP_TYPE_PERCPU_ARRAY" },
	{ "*stack size of subprog*",
	  "the function needs more than 512 bytes of stack",
	  "keep large variables in a map of type BPF_MAP_TYPE_PERCPU_ARRAY" },
	{ "*calling kernel function bpf_fuse_*is not allowed*",
	  "the functions that decide about names can be called from .lookup alone",
	  "take the call out; .open decides by its return value" },
	{ "*calling kernel function*is not allowed*",
	  "policies may not call this function of the kernel",
	  "take the call out" },
	{ "*program of this type cannot use helper*",
	  "policies may not call this helper",
	  "take the call out" },
	{ "*cannot call *GPL*",
	  "the program's license does not allow to call it",
	  "write: char _license[] SEC(\"license\") = \"GPL\"" },
	{ "*must have a GPL compatible license*",
	  "the kernel takes policies with a license compatible with the GPL alone",
	  "write: char _license[] SEC(\"license\") = \"GPL\"" },
	{ "*must be sleepable*",
	  "the function may sleep, and policies do not",
	  "take the call out" },
	{ "*sleepable helper*",
	  "the function may sleep, and policies do not",
	  "take the call out" },
	{ "*R[0-9]* is *expected *",
	  "the function is called with something else than it takes",
	  "hand on the program's own argument as it is" },
	{ "*type=*expected=*",
	  "the function is called with something else than it takes",
	  "hand on a pointer of the kind that the function takes" },
	{ "*expected pointer to*",
	  "the function is called with something else than it takes",
	  "hand on the program's own argument as it is" },
	{ "*must point to scalar*",
	  "the function is called with something else than it takes",
	  "hand on the program's own argument as it is" },
	{ "*must be referenced or trusted*",
	  "the function takes only a pointer that the kernel gave to the program",
	  "hand on the program's own argument as it is" },
	{ "*must be a rcu pointer*",
	  "the function takes only a pointer that the kernel gave to the program",
	  "hand on the program's own argument as it is" },
	{ "*infinite loop detected*",
	  "a loop has no end that can be seen",
	  "count it, with a constant as the limit, or use bpf_loop()" },
	{ "*loop is not bounded*",
	  "a loop has no end that can be seen",
	  "count it, with a constant as the limit, or use bpf_loop()" },
	{ "*back-edge*",
	  "a loop has no end that can be seen",
	  "count it, with a constant as the limit, or use bpf_loop()" },
	{ "*program is too large*",
	  "there are too many ways through the program to look at all of them",
	  "make loops shorter, or use bpf_loop(); fewer ifs in loops" },
	{ "*jumps is too complex*",
	  "there are too many ways through the program to look at all of them",
	  "make loops shorter, or use bpf_loop(); fewer ifs in loops" },
	{ "*nreleased reference*",
	  "something that was taken is not given back on every way out",
	  "submit or discard what bpf_ringbuf_reserve() gave, also before each return" },
	{ "*lead to reference leak*",
	  "something that was taken is not given back on every way out",
	  "submit or discard what bpf_ringbuf_reserve() gave, also before each return" },
	{ "*leaks addr*",
	  "an address of the kernel would get out",
	  "keep or return numbers, not pointers" },
	{ "*pointer * prohibited*",
	  "this cannot be reckoned with a pointer",
	  "reckon with numbers, and read members by their names" },
	{ "*invalid func*",
	  "the call is none that this kernel knows",
	  "is it a member or function of a newer kernel? Then make a new vmlinux.h" },
	{ "*CO-RE relocation*",
	  "the program reads a member that this kernel does not have",
	  "ask bpf_core_field_exists() first, or make a new vmlinux.h" },
	{ "*(func ksym)*not found*",
	  "the program calls a function that this kernel does not have",
	  "look for its name in fusepass.bpf.h; is it a kernel without the fusepass series?" },
	{ "*(func ksym)*incompatible*",
	  "a function of the kernel is declared in another way than the kernel has it",
	  "include fusepass.bpf.h in place of a declaration of your own" },
	{ "*struct_ops*member*",
	  "this kernel's struct fuse_policy_ops has no such member",
	  "take it out of the variable in SEC(\".struct_ops.link\")" },
};

/* Beginning of the line that @at is in. */
static const char *line_start(const char *log, const char *at)
{
	while (at > log && at[-1] != '\n')
		at--;
	return at;
}

/*
 * Where the message ends: before what newer kernels tell in addition, and before the
 * statistics.
 */
static const char *message_end(const char *log)
{
	static const char *const behind[] = {
		"\nVerification failed:", "\nprocessed ", "\n-- END PROG LOAD LOG",
	};
	const char *end = log + strlen(log), *at;

	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		at = strstr(log, behind[i]);
		if (at && at < end)
			end = at;
	}
	while (end > log && isspace((unsigned char)end[-1]))
		end--;
	return end;
}

/* The line that says why. Of a loop two states follow. */
static const char *message_start(const char *log, const char **end)
{
	const char *start = line_start(log, *end);

	while (start > log && (!strncmp(start, "old state:", 10) ||
			       !strncmp(start, "cur state:", 10))) {
		*end = start - 1;
		start = line_start(log, *end);
	}
	return start;
}

static void copy(char *to, size_t size, const char *from, size_t len)
{
	while (len && isspace((unsigned char)*from))
		from++, len--;
	while (len && isspace((unsigned char)from[len - 1]))
		len--;
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* "; return 0; @ NAME.bpf.c:12". Code that the compiler made has line 0. */
static bool parse_source(const char *line, size_t len, struct fusepass_refusal *r)
{
	const char *at = NULL, *colon;

	if (line[0] != ';')
		return false;
	for (const char *p = line; p + 3 < line + len; p++)
		if (!strncmp(p, " @ ", 3))
			at = p;
	if (!at)
		return false;
	colon = memrchr(at, ':', line + len - at);
	if (!colon || atoi(colon + 1) <= 0)
		return false;
	r->line = atoi(colon + 1);
	copy(r->file, sizeof(r->file), at + 3, colon - at - 3);
	copy(r->source, sizeof(r->source), line + 1, at - line - 1);
	return true;
}

/* "12: (61) r0 = *(u32 *)(r1 +4)": the register that is read or written through. */
static bool parse_insn(const char *line, size_t len, struct fusepass_refusal *r)
{
	char text[256];
	int n, used = 0;
	char *at;

	copy(text, sizeof(text), line, len);
	if (sscanf(text, "%d: (%*2x)%n", &n, &used) != 1 || !used)
		return false;
	r->insn = n;
	at = strstr(text, "*)(r");
	if (at && !r->reg[0])
		snprintf(r->reg, sizeof(r->reg), "R%d", atoi(at + 4) & 15);
	return true;
}

/* "R3 ...": the first one that the message names. */
static void parse_register(const char *message, struct fusepass_refusal *r)
{
	for (const char *p = message; (p = strchr(p, 'R')); p++)
		if (isdigit((unsigned char)p[1]) &&
		    (p == message || !isalnum((unsigned char)p[-1]))) {
			snprintf(r->reg, sizeof(r->reg), "R%d", atoi(p + 1) & 15);
			return;
		}
}

/* Backwards from the message: the last instruction, and the line it was made from. */
static void parse_place(const char *log, const char *message,
			struct fusepass_refusal *r)
{
	const char *line, *end = message;
	bool insn = false;

	while (end > log) {
		line = line_start(log, end - 1);
		if (!insn)
			insn = parse_insn(line, end - line, r);
		if (parse_source(line, end - line - 1, r))
			return;
		end = line;
	}
}

static void advise(struct fusepass_refusal *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (fnmatch(advices[i].pattern, r->verifier, 0))
			continue;
		r->meaning = advices[i].meaning;
		r->change = advices[i].change;
		return;
	}
}

void lib_verifier_explain(const char *log, const char *other,
			  struct fusepass_refusal *r)
{
	const char *end, *message;

	*r = (struct fusepass_refusal){ .insn = -1, .meaning = "", .change = "" };
	if (log) {
		/* The line before the log. */
		sscanf(log, "libbpf: prog '%63[^']'", r->program);
		end = message_end(log);
		message = message_start(log, &end);
		copy(r->verifier, sizeof(r->verifier), message, end - message);
		parse_register(r->verifier, r);
		parse_place(log, message, r);
	} else {
		snprintf(r->verifier, sizeof(r->verifier), "%s", other);
	}
	advise(r);
}
