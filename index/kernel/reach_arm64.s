#include "textflag.h"

// The assembler has no mnemonics for these. Vd is the destination, and the
// operands are in the order of Go's own instructions.
#define FCMGE_S4(m, n, d) WORD $(0x6e20e400 | (m)<<16 | (n)<<5 | (d)) // FCMGE Vd.4S, Vn.4S, Vm.4S
#define UMAXV_S4(n, d) WORD $(0x6eb0a800 | (n)<<5 | (d))              // UMAXV Sd, Vn.4S

// func skipBelowNEON(values *float32, n int, floor float32) int
//
//	R0 values   R1 their number   R2 index   V31 floor, four times
TEXT ·skipBelowNEON(SB), NOSPLIT, $0-32
	MOVD  values+0(FP), R0
	MOVD  n+8(FP), R1
	FMOVS floor+16(FP), F31
	VDUP  V31.S[0], V31.S4
	MOVD  $0, R2

step:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	FCMGE_S4(31, 0, 0)
	FCMGE_S4(31, 1, 1)
	FCMGE_S4(31, 2, 2)
	FCMGE_S4(31, 3, 3)
	VORR V1.B16, V0.B16, V0.B16
	VORR V3.B16, V2.B16, V2.B16
	VORR V2.B16, V0.B16, V0.B16
	UMAXV_S4(0, 0)
	FMOVS F0, R3
	CBNZW R3, found
	ADD  $16, R2
	CMP  R1, R2
	BLT  step

found:
	MOVD R2, ret+24(FP)
	RET
