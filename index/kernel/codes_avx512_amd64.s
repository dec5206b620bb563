#include "textflag.h"

// As in codes_amd64.s, with registers twice as wide: thirty-two codes are
// widened to int16 and multiplied with thirty-two elements of the query, and
// VPDPWSSD adds neighbouring products to the int32 sums. Two sums per row, so
// that eight chains of additions hide the latency of one.
//
//	SI query   DI, R9, R10, R11 rows   DX bytes per row   AX byte within the row
//	Z0 to Z3, Z4 to Z7 sums of the four rows
#define FOUR_ROWS \
	VPXORD Z0, Z0, Z0 \
	VPXORD Z1, Z1, Z1 \
	VPXORD Z2, Z2, Z2 \
	VPXORD Z3, Z3, Z3 \
	VPXORD Z4, Z4, Z4 \
	VPXORD Z5, Z5, Z5 \
	VPXORD Z6, Z6, Z6 \
	VPXORD Z7, Z7, Z7 \
	XORQ AX, AX

#define THIRTY_TWO_CODES(at, sum0, sum1, sum2, sum3) \
	VMOVDQU32 (2*at)(SI)(AX*2), Z8 \
	VPMOVSXBW at(DI)(AX*1), Z9 \
	VPMOVSXBW at(R9)(AX*1), Z10 \
	VPMOVSXBW at(R10)(AX*1), Z11 \
	VPMOVSXBW at(R11)(AX*1), Z12 \
	VPDPWSSD  Z8, Z9, sum0 \
	VPDPWSSD  Z8, Z10, sum1 \
	VPDPWSSD  Z8, Z11, sum2 \
	VPDPWSSD  Z8, Z12, sum3

// Thirty-two sums per row to one, the four rows side by side in X0.
#define FOLD_FOUR \
	VPADDD        Z4, Z0, Z0 \
	VPADDD        Z5, Z1, Z1 \
	VPADDD        Z6, Z2, Z2 \
	VPADDD        Z7, Z3, Z3 \
	VEXTRACTI64X4 $1, Z0, Y4 \
	VEXTRACTI64X4 $1, Z1, Y5 \
	VEXTRACTI64X4 $1, Z2, Y6 \
	VEXTRACTI64X4 $1, Z3, Y7 \
	VPADDD        Y4, Y0, Y0 \
	VPADDD        Y5, Y1, Y1 \
	VPADDD        Y6, Y2, Y2 \
	VPADDD        Y7, Y3, Y3 \
	VPHADDD       Y1, Y0, Y0 \
	VPHADDD       Y3, Y2, Y2 \
	VPHADDD       Y2, Y0, Y0 \
	VEXTRACTI128  $1, Y0, X1 \
	VPADDD        X1, X0, X0

// func boundRowsAVX512(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)
//
//	CX rows left   BX scales   R12 errs   R8 out   X14 t   X15 e, four times each
TEXT ·boundRowsAVX512(SB), NOSPLIT, $0-64
	MOVQ query+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ stride+16(FP), DX
	MOVQ count+24(FP), CX
	MOVQ scales+32(FP), BX
	MOVQ errs+40(FP), R12
	VBROADCASTSS t+48(FP), X14
	VBROADCASTSS e+52(FP), X15
	MOVQ out+56(FP), R8

boundGroup:
	LEAQ (DI)(DX*1), R9
	LEAQ (DI)(DX*2), R10
	LEAQ (R9)(DX*2), R11
	LEAQ (DI)(DX*8), R13
	FOUR_ROWS

boundSum:
	// The rows of the group after next: the scan of a large index waits for memory.
	PREFETCHT0 (R13)
	PREFETCHT0 64(R13)
	PREFETCHT0 128(R13)
	PREFETCHT0 192(R13)
	ADDQ $256, R13
	THIRTY_TWO_CODES(0, Z0, Z1, Z2, Z3)
	THIRTY_TWO_CODES(32, Z4, Z5, Z6, Z7)
	ADDQ $64, AX
	CMPQ AX, DX
	JLT  boundSum

	FOLD_FOUR
	VCVTDQ2PS   X0, X0
	VMULPS      (BX), X0, X0
	VMULPS      X14, X0, X0
	VFMADD231PS (R12), X15, X0
	VMOVUPS     X0, (R8)

	ADDQ $16, BX
	ADDQ $16, R12
	ADDQ $16, R8
	LEAQ (DI)(DX*4), DI
	SUBQ $4, CX
	JNZ  boundGroup
	VZEROUPPER
	RET

// func dotCodesAtAVX512(query *int16, rows **int8, stride, count int, out *int32)
//
//	CX rows left   BX pointers to rows   R8 out
TEXT ·dotCodesAtAVX512(SB), NOSPLIT, $0-40
	MOVQ query+0(FP), SI
	MOVQ rows+8(FP), BX
	MOVQ stride+16(FP), DX
	MOVQ count+24(FP), CX
	MOVQ out+32(FP), R8

	// Fetch every line of every row first, so that the misses overlap.
	MOVQ CX, R13
	MOVQ BX, R12

fetchRow:
	MOVQ (R12), DI
	LEAQ (DI)(DX*1), R9

fetchLine:
	PREFETCHT0 (DI)
	ADDQ $64, DI
	CMPQ DI, R9
	JLT  fetchLine
	ADDQ $8, R12
	DECQ R13
	JNZ  fetchRow

dotsGroup:
	MOVQ 0(BX), DI
	MOVQ 8(BX), R9
	MOVQ 16(BX), R10
	MOVQ 24(BX), R11
	FOUR_ROWS

dotsSum:
	THIRTY_TWO_CODES(0, Z0, Z1, Z2, Z3)
	THIRTY_TWO_CODES(32, Z4, Z5, Z6, Z7)
	ADDQ $64, AX
	CMPQ AX, DX
	JLT  dotsSum

	FOLD_FOUR
	VMOVDQU X0, (R8)
	ADDQ $16, R8
	ADDQ $32, BX
	SUBQ $4, CX
	JNZ  dotsGroup
	VZEROUPPER
	RET

// Four queries at a time with the four rows: sixteen sums, so that neither the codes,
// once widened, nor the queries are loaded again.
//
//	SI, R8, R9, R10 queries   DI, R11, R12, R13 rows   DX bytes per row   AX byte within the row
//	Z0 to Z15 sums: of query q and row r in Z(4q+r)
#define QUERY_LINE(query, sum0, sum1, sum2, sum3) \
	VMOVDQU32 query, Z20 \
	VPDPWSSD  Z20, Z16, sum0 \
	VPDPWSSD  Z20, Z17, sum1 \
	VPDPWSSD  Z20, Z18, sum2 \
	VPDPWSSD  Z20, Z19, sum3

#define FOUR_QUERIES(at) \
	VPMOVSXBW at(DI)(AX*1), Z16 \
	VPMOVSXBW at(R11)(AX*1), Z17 \
	VPMOVSXBW at(R12)(AX*1), Z18 \
	VPMOVSXBW at(R13)(AX*1), Z19 \
	QUERY_LINE((2*at)(SI)(AX*2), Z0, Z1, Z2, Z3) \
	QUERY_LINE((2*at)(R8)(AX*2), Z4, Z5, Z6, Z7) \
	QUERY_LINE((2*at)(R9)(AX*2), Z8, Z9, Z10, Z11) \
	QUERY_LINE((2*at)(R10)(AX*2), Z12, Z13, Z14, Z15)

// The sums of four rows, sixteen each, to four of each: a quarter of the register has
// one of every row. The result is in r0; r2 and Z20 change.
#define FOLD_ROWS(r0, r1, r2, r3) \
	VPUNPCKHDQ  r1, r0, Z20 \
	VPUNPCKLDQ  r1, r0, r0 \
	VPADDD      Z20, r0, r0 \
	VPUNPCKHDQ  r3, r2, Z20 \
	VPUNPCKLDQ  r3, r2, r2 \
	VPADDD      Z20, r2, r2 \
	VPUNPCKHQDQ r2, r0, Z20 \
	VPUNPCKLQDQ r2, r0, r0 \
	VPADDD      Z20, r0, r0

// Adds the quarters of a and b in pairs, those that the two selections name. The
// result is in a; Z20 changes.
#define FOLD_QUARTERS(low, high, a, b) \
	VSHUFI32X4 $high, b, a, Z20 \
	VSHUFI32X4 $low, b, a, a \
	VPADDD     Z20, a, a

// Sets quarter q of out to four times the float32 number q at from. Changes X20.
#define BROADCAST_QUARTERS(from, outX, outZ) \
	VBROADCASTSS 0(from), outX \
	VBROADCASTSS 4(from), X20 \
	VINSERTF32X4 $1, X20, outZ, outZ \
	VBROADCASTSS 8(from), X20 \
	VINSERTF32X4 $2, X20, outZ, outZ \
	VBROADCASTSS 12(from), X20 \
	VINSERTF32X4 $3, X20, outZ, outZ

// func boundGroupAVX512(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)
//
//	CX rows left   BX bytes of scales, errs and out done   Z30 t, Z31 e: quarter q is of query q
TEXT ·boundGroupAVX512(SB), NOSPLIT, $0-72
	MOVQ queries+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ stride+16(FP), DX
	MOVQ count+24(FP), CX
	MOVQ t+48(FP), R8
	MOVQ e+56(FP), R9
	BROADCAST_QUARTERS(R8, X30, Z30)
	BROADCAST_QUARTERS(R9, X31, Z31)
	LEAQ (SI)(DX*2), R8
	LEAQ (SI)(DX*4), R9
	LEAQ (R8)(DX*4), R10
	XORQ BX, BX

groupRows:
	LEAQ (DI)(DX*1), R11
	LEAQ (DI)(DX*2), R12
	LEAQ (R11)(DX*2), R13
	LEAQ (DI)(DX*8), R15
	FOUR_ROWS
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15

groupSum:
	PREFETCHT0 (R15)
	PREFETCHT0 64(R15)
	PREFETCHT0 128(R15)
	PREFETCHT0 192(R15)
	ADDQ $256, R15
	FOUR_QUERIES(0)
	FOUR_QUERIES(32)
	ADDQ $64, AX
	CMPQ AX, DX
	JLT  groupSum

	FOLD_ROWS(Z0, Z1, Z2, Z3)
	FOLD_ROWS(Z4, Z5, Z6, Z7)
	FOLD_ROWS(Z8, Z9, Z10, Z11)
	FOLD_ROWS(Z12, Z13, Z14, Z15)
	FOLD_QUARTERS(0x44, 0xee, Z0, Z4)  // 0 with 2 and 1 with 3
	FOLD_QUARTERS(0x44, 0xee, Z8, Z12)
	FOLD_QUARTERS(0x88, 0xdd, Z0, Z8)  // what is left of each query, in its quarter

	MOVQ scales+32(FP), R11
	MOVQ errs+40(FP), R12
	MOVQ out+64(FP), R13
	VBROADCASTF32X4 (R11)(BX*1), Z1
	VBROADCASTF32X4 (R12)(BX*1), Z2
	VCVTDQ2PS   Z0, Z0
	VMULPS      Z1, Z0, Z0
	VMULPS      Z30, Z0, Z0
	VFMADD231PS Z2, Z31, Z0

	MOVQ count+24(FP), R11
	ADDQ BX, R13
	VMOVUPS       X0, (R13)
	VEXTRACTF32X4 $1, Z0, (R13)(R11*4)
	VEXTRACTF32X4 $2, Z0, (R13)(R11*8)
	LEAQ (R13)(R11*8), R13
	VEXTRACTF32X4 $3, Z0, (R13)(R11*4)

	ADDQ $16, BX
	LEAQ (DI)(DX*4), DI
	SUBQ $4, CX
	JNZ  groupRows
	VZEROUPPER
	RET
