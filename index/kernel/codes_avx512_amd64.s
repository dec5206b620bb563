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
