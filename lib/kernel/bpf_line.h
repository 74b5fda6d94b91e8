/*
 * The assembler of bpf.h, inside lib/kernel: a line is an instruction, with the label it jumps to, or a label. Registers are
 * BPF_REG_0 (results), 1 to 5 (arguments, lost in a call), 6 to 9 (kept) and 10 (the frame: addresses below it are negative).
 * Conditions compare 32 bits without sign, but for those of pointers.
 */
#ifndef KERNEL_BPF_LINE_H
#define KERNEL_BPF_LINE_H

#include <linux/bpf.h>

#include "kernel/bpf.h"

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FRAME };
enum { BPF_LABELS_MAX = 32 };

struct bpf_line {
	struct bpf_insn insn;
	uint8_t target; /* label, 0 = none */
	uint8_t label;  /* that stands here instead of an instruction; 0 = it is one */
};

/* clang-format off */
#define LINE(code_, dst, src, off_, imm_) \
	{ .insn = { .code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (int16_t)(off_), .imm = (int32_t)(imm_) } }
#define JUMP(code_, dst, src, imm_, label_) \
	{ .insn = { .code = (code_), .dst_reg = (dst), .src_reg = (src), .imm = (int32_t)(imm_) }, .target = (label_) }

#define LABEL(label_)           { .label = (label_) }
#define MOVE(dst, src)          LINE(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, imm)           LINE(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define ADD(dst, imm)           LINE(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define ADD_OF(dst, src)        LINE(BPF_ALU64 | BPF_ADD | BPF_X, dst, src, 0, 0)
#define SUB_OF(dst, src)        LINE(BPF_ALU64 | BPF_SUB | BPF_X, dst, src, 0, 0)
#define SUB32_OF(dst, src)      LINE(BPF_ALU | BPF_SUB | BPF_X, dst, src, 0, 0)
#define ADD32(dst, imm)         LINE(BPF_ALU | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define MUL_OF(dst, src)        LINE(BPF_ALU64 | BPF_MUL | BPF_X, dst, src, 0, 0)
#define DIV(dst, imm)           LINE(BPF_ALU64 | BPF_DIV | BPF_K, dst, 0, 0, imm)
#define DIV_OF(dst, src)        LINE(BPF_ALU64 | BPF_DIV | BPF_X, dst, src, 0, 0)
#define AND(dst, imm)           LINE(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, imm)
#define SHIFT_LEFT(dst, imm)    LINE(BPF_ALU64 | BPF_LSH | BPF_K, dst, 0, 0, imm)
#define SHIFT_RIGHT(dst, imm)   LINE(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, imm)
#define INVERT(dst)             LINE(BPF_ALU64 | BPF_XOR | BPF_K, dst, 0, 0, -1)
/* Between the network's order and the machine's. */
#define SWAP16(dst)             LINE(BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, 16)
#define LOAD8(dst, from, off)   LINE(BPF_LDX | BPF_MEM | BPF_B, dst, from, off, 0)
#define LOAD16(dst, from, off)  LINE(BPF_LDX | BPF_MEM | BPF_H, dst, from, off, 0)
#define LOAD32(dst, from, off)  LINE(BPF_LDX | BPF_MEM | BPF_W, dst, from, off, 0)
#define LOAD64(dst, from, off)  LINE(BPF_LDX | BPF_MEM | BPF_DW, dst, from, off, 0)
#define STORE8(to, off, src)    LINE(BPF_STX | BPF_MEM | BPF_B, to, src, off, 0)
#define STORE16(to, off, src)   LINE(BPF_STX | BPF_MEM | BPF_H, to, src, off, 0)
#define STORE32(to, off, src)   LINE(BPF_STX | BPF_MEM | BPF_W, to, src, off, 0)
#define STORE64(to, off, src)   LINE(BPF_STX | BPF_MEM | BPF_DW, to, src, off, 0)
#define PUT8(to, off, imm)      LINE(BPF_ST | BPF_MEM | BPF_B, to, 0, off, imm)
#define PUT16(to, off, imm)     LINE(BPF_ST | BPF_MEM | BPF_H, to, 0, off, imm)
#define PUT32(to, off, imm)     LINE(BPF_ST | BPF_MEM | BPF_W, to, 0, off, imm)
#define PUT64(to, off, imm)     LINE(BPF_ST | BPF_MEM | BPF_DW, to, 0, off, imm)
#define COUNT64(to, off, src)   LINE(BPF_STX | BPF_ATOMIC | BPF_DW, to, src, off, BPF_ADD)
/* The map of a descriptor: two instructions. */
#define MAP(dst, fd)            LINE(BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, fd), LINE(0, 0, 0, 0, 0)
#define CALL(function)          LINE(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##function)
#define EXIT                    LINE(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define GOTO(label)             JUMP(BPF_JMP | BPF_JA, 0, 0, 0, label)
#define IF_NULL(dst, label)     JUMP(BPF_JMP | BPF_JEQ | BPF_K, dst, 0, 0, label)
#define IF_EQ(dst, imm, label)  JUMP(BPF_JMP32 | BPF_JEQ | BPF_K, dst, 0, imm, label)
#define IF_NE(dst, imm, label)  JUMP(BPF_JMP32 | BPF_JNE | BPF_K, dst, 0, imm, label)
#define IF_GT(dst, imm, label)  JUMP(BPF_JMP32 | BPF_JGT | BPF_K, dst, 0, imm, label)
#define IF_LE(dst, imm, label)  JUMP(BPF_JMP32 | BPF_JLE | BPF_K, dst, 0, imm, label)
#define IF_ABOVE(dst, src, label) JUMP(BPF_JMP32 | BPF_JGT | BPF_X, dst, src, 0, label)
#define IF_OTHER(dst, src, label) JUMP(BPF_JMP32 | BPF_JNE | BPF_X, dst, src, 0, label)
/* clang-format on */

/* Of the verifier's log, which is cut: the line before its statistics says what is wrong. */
const char *bpf_last_words(char *log);

#endif
