// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin for QEMU's emulator: which functions execute how many instructions,
 * called by whom.
 *
 *     -plugin profile.so,out=FILE
 *
 * It counts between two marks, instructions that do nothing (see MARK in
 * tests/bench/bench.c), and follows calls and returns. Lines of FILE, in hex:
 *
 *     node PARENT NUMBER FUNCTION-ADDRESS CALLS
 *     code NODE ADDRESS INSTRUCTIONS
 *
 * Node 0 is user space. tests/bench/profile.py makes a table of it. Meant for one CPU and
 * for work without changes of context: what interrupts it is counted where it did.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of QEMU's interface for plugins, version 1, that is used. */
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_trans_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_fn)(unsigned int vcpu, void *data);
typedef void (*exit_fn)(qemu_plugin_id_t id, void *data);
enum { NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_fn fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_fn fn,
					  int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    exec_fn fn, int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_fn fn, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv);

enum { STACK = 512, NODES = 1 << 17, CODES = 1 << 20 };

/* A translated piece of code, and how it ends. */
struct block {
	uint64_t addr, end;
	unsigned int insns;
	enum { GOES_ON, CALLS, RETURNS } last;
};

struct node {
	uint32_t parent;
	uint64_t function, calls;
};

struct code {
	uint32_t node;
	uint64_t addr, insns;
	bool used;
};

static struct node nodes[NODES];
static uint32_t nnodes = 1, node_index[NODES];
static struct code *codes;
static struct { uint32_t node; uint64_t back; } stack[STACK];
static unsigned int depth;
static uint32_t current;
static bool active;
static const struct block *previous;
static const char *out = "profile.out";

static bool in_kernel(uint64_t addr)
{
	return addr >> 63;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ (b << 32 | b >> 32)) * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 29;
}

static uint32_t node_get(uint32_t parent, uint64_t function)
{
	uint64_t i = mix(function, parent) % NODES;

	for (; node_index[i]; i = (i + 1) % NODES)
		if (nodes[node_index[i]].parent == parent &&
		    nodes[node_index[i]].function == function)
			return node_index[i];
	if (nnodes == NODES - 1)
		return 0;
	nodes[nnodes] = (struct node){ parent, function, 0 };
	return node_index[i] = nnodes++;
}

static void code_add(const struct block *b)
{
	uint64_t i = mix(b->addr, current) % CODES;

	while (codes[i].used &&
	       (codes[i].node != current || codes[i].addr != b->addr))
		i = (i + 1) % CODES;
	codes[i].used = true;
	codes[i].node = current;
	codes[i].addr = b->addr;
	codes[i].insns += b->insns;
}

static void push(uint64_t function, uint64_t back)
{
	if (depth == STACK)
		return;
	stack[depth].node = current;
	stack[depth++].back = back;
	current = node_get(current, function);
	nodes[current].calls++;
}

/* A return to where nobody came from is one that was jumped to. */
static void pop(uint64_t to)
{
	for (unsigned int i = depth; i > 0; i--) {
		if (stack[i - 1].back == to) {
			depth = i - 1;
			current = stack[depth].node;
			return;
		}
	}
}

static void block_run(unsigned int vcpu, void *data)
{
	const struct block *b = data;

	(void)vcpu;
	if (!active)
		return;
	if (!in_kernel(b->addr)) {
		depth = 0;
		current = 0;
	} else if (!previous || !in_kernel(previous->addr)) {
		depth = 0;
		current = 0;
		push(b->addr, 0);
	} else if (previous->last == CALLS) {
		push(b->addr, previous->end);
	} else if (previous->last == RETURNS) {
		pop(b->addr);
	}
	previous = b;
	code_add(b);
}

static void mark_on(unsigned int vcpu, void *data)
{
	(void)vcpu;
	active = data;
	previous = NULL;
}

static bool is_mark(const uint8_t *code, size_t size)
{
	static const uint8_t mark[] = { 0x0f, 0x1f, 0x80 };

	return size == 7 && !memcmp(code, mark, 3) &&
	       !memcmp(code + 4, "SPF", 3) && (code[3] == '0' || code[3] == '1');
}

static int last_kind(const uint8_t *code, size_t size)
{
	size_t i = 0;

	while (i + 1 < size && (code[i] == 0x2e || code[i] == 0x3e ||
				code[i] == 0xf3 || code[i] == 0xf2 ||
				(code[i] & 0xf0) == 0x40))
		i++;
	if (code[i] == 0xe8)
		return CALLS;
	if (code[i] == 0xff && i + 1 < size && ((code[i + 1] >> 3) & 7) == 2)
		return CALLS;
	return code[i] == 0xc3 || code[i] == 0xc2 ? RETURNS : GOES_ON;
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));
	size_t n = qemu_plugin_tb_n_insns(tb), size = 0;
	struct qemu_plugin_insn *insn = NULL;
	const uint8_t *code = NULL;

	(void)id;
	for (size_t i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		code = qemu_plugin_insn_data(insn);
		size = qemu_plugin_insn_size(insn);
		if (is_mark(code, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_on,
				NO_REGS, code[3] == '1' ? b : NULL);
	}
	b->addr = qemu_plugin_tb_vaddr(tb);
	b->insns = n;
	b->end = qemu_plugin_insn_vaddr(insn) + size;
	b->last = last_kind(code, size);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_run, NO_REGS, b);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)data;
	if (!f)
		return;
	for (uint32_t i = 1; i < nnodes; i++)
		fprintf(f, "node %x %x %" PRIx64 " %" PRIx64 "\n", nodes[i].parent,
			i, nodes[i].function, nodes[i].calls);
	for (size_t i = 0; i < CODES; i++)
		if (codes[i].used)
			fprintf(f, "code %x %" PRIx64 " %" PRIx64 "\n",
				codes[i].node, codes[i].addr, codes[i].insns);
	fclose(f);
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	codes = calloc(CODES, sizeof(*codes));
	if (!codes)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
