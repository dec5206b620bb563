#include "textflag.h"

// Four rows at a time share the loads of the query. Sixteen codes are widened to
// int16 and multiplied with sixteen elements of the query, neighbouring products
// added in int32. Sums are exact, so their order is free.
//
//	SI query   DI, R9, R10, R11 rows   DX bytes per row   AX byte within the row
//	Y0 to Y3 sums of the four rows
#define FOUR_ROWS \
	VPXOR Y0, Y0, Y0 \
	VPXOR Y1, Y1, Y1 \
	VPXOR Y2, Y2, Y2 \
	VPXOR Y3, Y3, Y3 \
	XORQ AX, AX

#define SIXTEEN_CODES(at) \
	VMOVDQU    (2*at)(SI)(AX*2), Y8 \
	VPMOVSXBW  at(DI)(AX*1), Y9 \
	VPMOVSXBW  at(R9)(AX*1), Y10 \
	VPMOVSXBW  at(R10)(AX*1), Y11 \
	VPMOVSXBW  at(R11)(AX*1), Y12 \
	VPMADDWD   Y8, Y9, Y9 \
	VPMADDWD   Y8, Y10, Y10 \
	VPMADDWD   Y8, Y11, Y11 \
	VPMADDWD   Y8, Y12, Y12 \
	VPADDD     Y9, Y0, Y0 \
	VPADDD     Y10, Y1, Y1 \
	VPADDD     Y11, Y2, Y2 \
	VPADDD     Y12, Y3, Y3

// Eight sums per row to one, the four rows side by side in X0.
#define FOLD_FOUR \
	VPHADDD      Y1, Y0, Y0 \
	VPHADDD      Y3, Y2, Y2 \
	VPHADDD      Y2, Y0, Y0 \
	VEXTRACTI128 $1, Y0, X1 \
	VPADDD       X1, X0, X0

// func boundRowsAVX2(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)
//
//	CX rows left   BX scales   R12 errs   R8 out   X14 t   X15 e, four times each
TEXT ·boundRowsAVX2(SB), NOSPLIT, $0-64
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
	SIXTEEN_CODES(0)
	SIXTEEN_CODES(16)
	SIXTEEN_CODES(32)
	SIXTEEN_CODES(48)
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

// func dotCodesAtAVX2(query *int16, rows **int8, stride, count int, out *int32)
//
//	CX rows left   BX pointers to rows   R8 out
TEXT ·dotCodesAtAVX2(SB), NOSPLIT, $0-40
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
	SIXTEEN_CODES(0)
	SIXTEEN_CODES(16)
	SIXTEEN_CODES(32)
	SIXTEEN_CODES(48)
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

// Two queries at a time with the four rows. With two, the sums and what they are made
// from fit the sixteen registers.
//
//	SI, R8 queries   DI, R9, R10, R11 rows   DX bytes per row   AX byte within the row
//	Y0 to Y3, Y4 to Y7 sums of the four rows with the first query and with the second
#define TWO_QUERIES_ROW(row, sum0, sum1) \
	VPMOVSXBW row, Y10 \
	VPMADDWD  Y8, Y10, Y11 \
	VPMADDWD  Y9, Y10, Y12 \
	VPADDD    Y11, sum0, sum0 \
	VPADDD    Y12, sum1, sum1

#define TWO_QUERIES(at) \
	VMOVDQU (2*at)(SI)(AX*2), Y8 \
	VMOVDQU (2*at)(R8)(AX*2), Y9 \
	TWO_QUERIES_ROW(at(DI)(AX*1), Y0, Y4) \
	TWO_QUERIES_ROW(at(R9)(AX*1), Y1, Y5) \
	TWO_QUERIES_ROW(at(R10)(AX*1), Y2, Y6) \
	TWO_QUERIES_ROW(at(R11)(AX*1), Y3, Y7)

// func boundGroupAVX2(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)
//
//	CX rows left   BX bytes of scales, errs and out done
//	R12 bytes of t and e done: 0 at the first two queries, 8 at the others
TEXT ·boundGroupAVX2(SB), NOSPLIT, $0-72
	MOVQ queries+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ stride+16(FP), DX
	MOVQ count+24(FP), CX
	XORQ BX, BX

groupRows:
	XORQ R12, R12

groupQueries:
	LEAQ (SI)(DX*2), R8
	LEAQ (DI)(DX*1), R9
	LEAQ (DI)(DX*2), R10
	LEAQ (R9)(DX*2), R11
	LEAQ (DI)(DX*8), R13
	FOUR_ROWS
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

groupSum:
	PREFETCHT0 (R13)
	PREFETCHT0 64(R13)
	PREFETCHT0 128(R13)
	PREFETCHT0 192(R13)
	ADDQ $256, R13
	TWO_QUERIES(0)
	TWO_QUERIES(16)
	TWO_QUERIES(32)
	TWO_QUERIES(48)
	ADDQ $64, AX
	CMPQ AX, DX
	JLT  groupSum

	// The first query's four sums in X0, the second's in the upper half of Y0.
	VPHADDD     Y1, Y0, Y0
	VPHADDD     Y3, Y2, Y2
	VPHADDD     Y2, Y0, Y0
	VPHADDD     Y5, Y4, Y4
	VPHADDD     Y7, Y6, Y6
	VPHADDD     Y6, Y4, Y4
	VPERM2I128  $0x31, Y4, Y0, Y1
	VINSERTI128 $1, X4, Y0, Y0
	VPADDD      Y1, Y0, Y0

	MOVQ scales+32(FP), R8
	MOVQ errs+40(FP), R9
	MOVQ t+48(FP), R10
	MOVQ e+56(FP), R11
	VBROADCASTF128 (R8)(BX*1), Y1
	VBROADCASTF128 (R9)(BX*1), Y2
	VBROADCASTSS 0(R10)(R12*1), X3
	VBROADCASTSS 4(R10)(R12*1), X4
	VINSERTF128  $1, X4, Y3, Y3
	VBROADCASTSS 0(R11)(R12*1), X5
	VBROADCASTSS 4(R11)(R12*1), X6
	VINSERTF128  $1, X6, Y5, Y5
	VCVTDQ2PS   Y0, Y0
	VMULPS      Y1, Y0, Y0
	VMULPS      Y3, Y0, Y0
	VFMADD231PS Y2, Y5, Y0

	MOVQ count+24(FP), R8
	MOVQ out+64(FP), R9
	ADDQ BX, R9
	LEAQ (R9)(R8*8), R10
	TESTQ R12, R12
	CMOVQNE R10, R9
	VMOVUPS      X0, (R9)
	VEXTRACTF128 $1, Y0, (R9)(R8*4)

	LEAQ (SI)(DX*4), SI
	ADDQ $8, R12
	CMPQ R12, $16
	JLT  groupQueries

	MOVQ queries+0(FP), SI
	ADDQ $16, BX
	LEAQ (DI)(DX*4), DI
	SUBQ $4, CX
	JNZ  groupRows
	VZEROUPPER
	RET

// func Prefetch(at unsafe.Pointer)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVQ at+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
