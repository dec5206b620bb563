#include "textflag.h"

// The assembler has no mnemonics for these. Vd is the destination, and the
// operands are in the order of Go's own instructions.
#define FADD_S4(m, n, d) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d))  // FADD Vd.4S, Vn.4S, Vm.4S
#define FADDP_S4(m, n, d) WORD $(0x6e20d400 | (m)<<16 | (n)<<5 | (d)) // FADDP Vd.4S, Vn.4S, Vm.4S

// func dotNEON(a, b *float32, n int) float32
//
// Four accumulators of four sums each; dot.go says how they are folded, and why.
//
//	R0 a   R1 b   R2 elements left
TEXT ·dotNEON(SB), NOSPLIT, $0-28
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16

sum:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]
	VFMLA  V20.S4, V16.S4, V0.S4
	VFMLA  V21.S4, V17.S4, V1.S4
	VFMLA  V22.S4, V18.S4, V2.S4
	VFMLA  V23.S4, V19.S4, V3.S4
	SUBS   $16, R2
	BNE    sum

	FADD_S4(2, 0, 0)
	FADD_S4(3, 1, 1)
	FADD_S4(1, 0, 0)
	FADDP_S4(0, 0, 0)
	FADDP_S4(0, 0, 0)
	FMOVS F0, ret+24(FP)
	RET
