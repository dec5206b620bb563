#include "textflag.h"

// The assembler has no mnemonics for these. Vd is the destination, and the
// operands are in the order of Go's own instructions.
#define FADD_S4(m, n, d) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d))  // FADD Vd.4S, Vn.4S, Vm.4S
#define FADDP_S4(m, n, d) WORD $(0x6e20d400 | (m)<<16 | (n)<<5 | (d)) // FADDP Vd.4S, Vn.4S, Vm.4S

// func dotRowsNEON(query, rows *float32, stride, count int, out *float32)
//
// Four rows at a time share the loads of the query. The sixteen partial sums of
// a row are four registers, folded as kernel.go says. What is left over goes row
// by row, with the same registers and folds.
//
//	R0 query   R1 first row   R2 elements per row   R3 rows left   R4 out
//	R5 query, R6 to R9 rows, R10 elements left, as far as the sum has come
//	V0 to V3, V4 to V7, V8 to V11, V12 to V15 sums of the four rows
TEXT ·dotRowsNEON(SB), NOSPLIT, $0-40
	MOVD query+0(FP), R0
	MOVD rows+8(FP), R1
	MOVD stride+16(FP), R2
	MOVD count+24(FP), R3
	MOVD out+32(FP), R4

fourRows:
	CMP  $4, R3
	BLT  oneRow
	MOVD R0, R5
	MOVD R1, R6
	ADD  R2<<2, R6, R7
	ADD  R2<<2, R7, R8
	ADD  R2<<2, R8, R9
	MOVD R2, R10
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	VEOR V8.B16, V8.B16, V8.B16
	VEOR V9.B16, V9.B16, V9.B16
	VEOR V10.B16, V10.B16, V10.B16
	VEOR V11.B16, V11.B16, V11.B16
	VEOR V12.B16, V12.B16, V12.B16
	VEOR V13.B16, V13.B16, V13.B16
	VEOR V14.B16, V14.B16, V14.B16
	VEOR V15.B16, V15.B16, V15.B16

fourRowsSum:
	VLD1.P 64(R5), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R6), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P 64(R7), [V24.S4, V25.S4, V26.S4, V27.S4]
	VFMLA  V20.S4, V16.S4, V0.S4
	VFMLA  V21.S4, V17.S4, V1.S4
	VFMLA  V22.S4, V18.S4, V2.S4
	VFMLA  V23.S4, V19.S4, V3.S4
	VLD1.P 64(R8), [V20.S4, V21.S4, V22.S4, V23.S4]
	VFMLA  V24.S4, V16.S4, V4.S4
	VFMLA  V25.S4, V17.S4, V5.S4
	VFMLA  V26.S4, V18.S4, V6.S4
	VFMLA  V27.S4, V19.S4, V7.S4
	VLD1.P 64(R9), [V24.S4, V25.S4, V26.S4, V27.S4]
	VFMLA  V20.S4, V16.S4, V8.S4
	VFMLA  V21.S4, V17.S4, V9.S4
	VFMLA  V22.S4, V18.S4, V10.S4
	VFMLA  V23.S4, V19.S4, V11.S4
	VFMLA  V24.S4, V16.S4, V12.S4
	VFMLA  V25.S4, V17.S4, V13.S4
	VFMLA  V26.S4, V18.S4, V14.S4
	VFMLA  V27.S4, V19.S4, V15.S4
	SUBS   $16, R10
	BNE    fourRowsSum

	// Sixteen sums to eight, to four, then to one per row, side by side in V0.
	FADD_S4(2, 0, 0)
	FADD_S4(3, 1, 1)
	FADD_S4(6, 4, 4)
	FADD_S4(7, 5, 5)
	FADD_S4(10, 8, 8)
	FADD_S4(11, 9, 9)
	FADD_S4(14, 12, 12)
	FADD_S4(15, 13, 13)
	FADD_S4(1, 0, 0)
	FADD_S4(5, 4, 4)
	FADD_S4(9, 8, 8)
	FADD_S4(13, 12, 12)
	FADDP_S4(4, 0, 0)
	FADDP_S4(12, 8, 8)
	FADDP_S4(8, 0, 0)
	VST1.P [V0.S4], 16(R4)

	MOVD R9, R1 // past the fourth row
	SUB  $4, R3
	B    fourRows

oneRow:
	CBZ  R3, done
	MOVD R0, R5
	MOVD R2, R10
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16

oneRowSum:
	VLD1.P 64(R5), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]
	VFMLA  V20.S4, V16.S4, V0.S4
	VFMLA  V21.S4, V17.S4, V1.S4
	VFMLA  V22.S4, V18.S4, V2.S4
	VFMLA  V23.S4, V19.S4, V3.S4
	SUBS   $16, R10
	BNE    oneRowSum

	FADD_S4(2, 0, 0)
	FADD_S4(3, 1, 1)
	FADD_S4(1, 0, 0)
	FADDP_S4(0, 0, 0)
	FADDP_S4(0, 0, 0)
	FMOVS.P F0, 4(R4)

	SUB $1, R3
	B   oneRow

done:
	RET
