#include "textflag.h"

// The assembler has no mnemonics for these. Vd is the destination, and the
// operands are in the order of Go's own instructions.
#define SXTL_H8(n, d) WORD $(0x0f08a400 | (n)<<5 | (d))               // SXTL Vd.8H, Vn.8B
#define SXTL2_H8(n, d) WORD $(0x4f08a400 | (n)<<5 | (d))              // SXTL2 Vd.8H, Vn.16B
#define SMLAL_S4(m, n, d) WORD $(0x0e608000 | (m)<<16 | (n)<<5 | (d))  // SMLAL Vd.4S, Vn.4H, Vm.4H
#define SMLAL2_S4(m, n, d) WORD $(0x4e608000 | (m)<<16 | (n)<<5 | (d)) // SMLAL2 Vd.4S, Vn.8H, Vm.8H
#define SCVTF_S4(n, d) WORD $(0x4e21d800 | (n)<<5 | (d))              // SCVTF Vd.4S, Vn.4S
#define FMUL_S4(m, n, d) WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d))   // FMUL Vd.4S, Vn.4S, Vm.4S

// Four rows at a time share the loads of the query. Sixteen codes are widened to
// int16, multiplied with sixteen elements of the query and added in int32. Sums
// are exact, so their order is free.
//
//	R0 query   R2 bytes per row   R3 rows left   R4 out
//	R5 query, R6 to R9 rows, R10 bytes left, as far as the sum has come
//	V0 to V3, V4 to V7 sums of the four rows
#define FOUR_ROWS \
	MOVD R0, R5 \
	MOVD R2, R10 \
	VEOR V0.B16, V0.B16, V0.B16 \
	VEOR V1.B16, V1.B16, V1.B16 \
	VEOR V2.B16, V2.B16, V2.B16 \
	VEOR V3.B16, V3.B16, V3.B16 \
	VEOR V4.B16, V4.B16, V4.B16 \
	VEOR V5.B16, V5.B16, V5.B16 \
	VEOR V6.B16, V6.B16, V6.B16 \
	VEOR V7.B16, V7.B16, V7.B16

// Adds the products of the codes in register number codes with the query in q0
// and q1 to the sums in sum0 and sum1. Changes V28 and V29.
#define SIXTEEN_CODES(codes, q0, q1, sum0, sum1) \
	SXTL_H8(codes, 28) \
	SXTL2_H8(codes, 29) \
	SMLAL_S4(q0, 28, sum0) \
	SMLAL2_S4(q0, 28, sum1) \
	SMLAL_S4(q1, 29, sum0) \
	SMLAL2_S4(q1, 29, sum1)

// Sixty-four codes of the row at R6, R7, R8 or R9.
#define ROW_LINE(row, sum0, sum1) \
	VLD1.P 64(row), [V24.B16, V25.B16, V26.B16, V27.B16] \
	SIXTEEN_CODES(24, 16, 17, sum0, sum1) \
	SIXTEEN_CODES(25, 18, 19, sum0, sum1) \
	SIXTEEN_CODES(26, 20, 21, sum0, sum1) \
	SIXTEEN_CODES(27, 22, 23, sum0, sum1)

#define FOUR_LINES \
	VLD1.P 64(R5), [V16.H8, V17.H8, V18.H8, V19.H8] \
	VLD1.P 64(R5), [V20.H8, V21.H8, V22.H8, V23.H8] \
	ROW_LINE(R6, 0, 4) \
	ROW_LINE(R7, 1, 5) \
	ROW_LINE(R8, 2, 6) \
	ROW_LINE(R9, 3, 7)

// Eight sums per row to one, the four rows side by side in V0.
#define FOLD_FOUR \
	VADD  V4.S4, V0.S4, V0.S4 \
	VADD  V5.S4, V1.S4, V1.S4 \
	VADD  V6.S4, V2.S4, V2.S4 \
	VADD  V7.S4, V3.S4, V3.S4 \
	VADDP V1.S4, V0.S4, V0.S4 \
	VADDP V3.S4, V2.S4, V2.S4 \
	VADDP V2.S4, V0.S4, V0.S4

// func boundRowsNEON(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)
//
//	R1 first row   R11 scales   R12 errs   V30 t   V31 e, four times each
TEXT ·boundRowsNEON(SB), NOSPLIT, $0-64
	MOVD  query+0(FP), R0
	MOVD  rows+8(FP), R1
	MOVD  stride+16(FP), R2
	MOVD  count+24(FP), R3
	MOVD  scales+32(FP), R11
	MOVD  errs+40(FP), R12
	FMOVS t+48(FP), F30
	FMOVS e+52(FP), F31
	VDUP  V30.S[0], V30.S4
	VDUP  V31.S[0], V31.S4
	MOVD  out+56(FP), R4

boundGroup:
	MOVD R1, R6
	ADD  R2, R6, R7
	ADD  R2, R7, R8
	ADD  R2, R8, R9
	FOUR_ROWS

boundSum:
	FOUR_LINES
	SUBS $64, R10
	BNE  boundSum

	FOLD_FOUR
	VLD1.P 16(R11), [V1.S4]
	VLD1.P 16(R12), [V2.S4]
	SCVTF_S4(0, 0)
	FMUL_S4(1, 0, 0)
	FMUL_S4(30, 0, 0)
	VFMLA  V2.S4, V31.S4, V0.S4
	VST1.P [V0.S4], 16(R4)

	MOVD R9, R1 // past the fourth row
	SUBS $4, R3
	BNE  boundGroup
	RET

// func dotCodesAtNEON(query *int16, rows **int8, stride, count int, out *int32)
//
//	R1 pointers to rows
TEXT ·dotCodesAtNEON(SB), NOSPLIT, $0-40
	MOVD query+0(FP), R0
	MOVD rows+8(FP), R1
	MOVD stride+16(FP), R2
	MOVD count+24(FP), R3
	MOVD out+32(FP), R4

	// Fetch every line of every row first, so that the misses overlap.
	MOVD R1, R11
	MOVD R3, R12

fetchRow:
	MOVD.P 8(R11), R6
	MOVD   R2, R10

fetchLine:
	PRFM (R6), PLDL1KEEP
	ADD  $64, R6
	SUBS $64, R10
	BNE  fetchLine
	SUBS $1, R12
	BNE  fetchRow

dotsGroup:
	LDP.P 16(R1), (R6, R7)
	LDP.P 16(R1), (R8, R9)
	FOUR_ROWS

dotsSum:
	FOUR_LINES
	SUBS $64, R10
	BNE  dotsSum

	FOLD_FOUR
	VST1.P [V0.S4], 16(R4)
	SUBS $4, R3
	BNE  dotsGroup
	RET

// Four queries at a time with the four rows: sixteen sums, so that the codes are widened
// once.
//
//	R5, R13, R14, R15 queries   R6 to R9 rows   R10 bytes left, as far as the sum has come
//	V0 to V15 sums: of query q and row r in V(4q+r)
//	V24 to V27 sixteen codes of each row   V16 to V19 eight of them, widened
#define QUERY_EIGHT(query, sum0, sum1, sum2, sum3) \
	VLD1.P 16(query), [V20.H8] \
	SMLAL_S4(20, 16, sum0) \
	SMLAL_S4(20, 17, sum1) \
	SMLAL_S4(20, 18, sum2) \
	SMLAL_S4(20, 19, sum3) \
	SMLAL2_S4(20, 16, sum0) \
	SMLAL2_S4(20, 17, sum1) \
	SMLAL2_S4(20, 18, sum2) \
	SMLAL2_S4(20, 19, sum3)

#define FOUR_QUERIES \
	QUERY_EIGHT(R5, 0, 1, 2, 3) \
	QUERY_EIGHT(R13, 4, 5, 6, 7) \
	QUERY_EIGHT(R14, 8, 9, 10, 11) \
	QUERY_EIGHT(R15, 12, 13, 14, 15)

// The bounds of one query from its sums, of which the first register is given twice:
// as sum0 and by its number. V16 and V17 are the rows' scales and errs. Writes to out,
// and moves to the next query's t, e and out.
#define BOUND_QUERY(sum0, sum1, sum2, sum3, number) \
	VADDP  sum1.S4, sum0.S4, sum0.S4 \
	VADDP  sum3.S4, sum2.S4, sum2.S4 \
	VADDP  sum2.S4, sum0.S4, sum0.S4 \
	VLD1R.P 4(R5), [V18.S4] \
	VLD1R.P 4(R13), [V19.S4] \
	SCVTF_S4(number, number) \
	FMUL_S4(16, number, number) \
	FMUL_S4(18, number, number) \
	VFMLA  V17.S4, V19.S4, sum0.S4 \
	VST1   [sum0.S4], (R14) \
	ADD    R16, R14

// func boundGroupNEON(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)
//
//	R1 first row   R11 scales   R12 errs   R4 out of the first query   R16 bytes of a query's out
TEXT ·boundGroupNEON(SB), NOSPLIT, $0-72
	MOVD queries+0(FP), R0
	MOVD rows+8(FP), R1
	MOVD stride+16(FP), R2
	MOVD count+24(FP), R3
	MOVD scales+32(FP), R11
	MOVD errs+40(FP), R12
	MOVD out+64(FP), R4
	LSL  $2, R3, R16

groupRows:
	MOVD R1, R6
	ADD  R2, R6, R7
	ADD  R2, R7, R8
	ADD  R2, R8, R9
	FOUR_ROWS
	VEOR V8.B16, V8.B16, V8.B16
	VEOR V9.B16, V9.B16, V9.B16
	VEOR V10.B16, V10.B16, V10.B16
	VEOR V11.B16, V11.B16, V11.B16
	VEOR V12.B16, V12.B16, V12.B16
	VEOR V13.B16, V13.B16, V13.B16
	VEOR V14.B16, V14.B16, V14.B16
	VEOR V15.B16, V15.B16, V15.B16
	ADD  R2<<1, R5, R13
	ADD  R2<<1, R13, R14
	ADD  R2<<1, R14, R15

groupSum:
	VLD1.P 16(R6), [V24.B16]
	VLD1.P 16(R7), [V25.B16]
	VLD1.P 16(R8), [V26.B16]
	VLD1.P 16(R9), [V27.B16]
	SXTL_H8(24, 16)
	SXTL_H8(25, 17)
	SXTL_H8(26, 18)
	SXTL_H8(27, 19)
	FOUR_QUERIES
	SXTL2_H8(24, 16)
	SXTL2_H8(25, 17)
	SXTL2_H8(26, 18)
	SXTL2_H8(27, 19)
	FOUR_QUERIES
	SUBS $16, R10
	BNE  groupSum

	VLD1.P 16(R11), [V16.S4]
	VLD1.P 16(R12), [V17.S4]
	MOVD t+48(FP), R5
	MOVD e+56(FP), R13
	MOVD R4, R14
	BOUND_QUERY(V0, V1, V2, V3, 0)
	BOUND_QUERY(V4, V5, V6, V7, 4)
	BOUND_QUERY(V8, V9, V10, V11, 8)
	BOUND_QUERY(V12, V13, V14, V15, 12)

	ADD  $16, R4
	MOVD R9, R1 // past the fourth row
	SUBS $4, R3
	BNE  groupRows
	RET

// func Prefetch(at unsafe.Pointer)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVD at+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	RET
