#include "textflag.h"

// The bytes of the left and the right pixel, as pairs of 16-bit words: R R, G G, B B, 0 0. In the upper
// half of a register is the lower row, which was read from two bytes earlier.
DATA pairs<>+0(SB)/8, $0x8004800180038000
DATA pairs<>+8(SB)/8, $0x8080808080058002
DATA pairs<>+16(SB)/8, $0x8006800380058002
DATA pairs<>+24(SB)/8, $0x8080808080078004
GLOBL pairs<>(SB), RODATA|NOPTR, $32

// Which 32 bits of four (upper weights, lower weights) belong to pixel 0, 1, 2 and 3.
DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0000000000000000
DATA spread<>+16(SB)/8, $0x0000000100000001
DATA spread<>+24(SB)/8, $0x0000000100000001
DATA spread<>+32(SB)/8, $0x0000000200000002
DATA spread<>+40(SB)/8, $0x0000000200000002
DATA spread<>+48(SB)/8, $0x0000000300000003
DATA spread<>+56(SB)/8, $0x0000000300000003
DATA spread<>+64(SB)/8, $0x0000000400000004
DATA spread<>+72(SB)/8, $0x0000000400000004
DATA spread<>+80(SB)/8, $0x0000000500000005
DATA spread<>+88(SB)/8, $0x0000000500000005
DATA spread<>+96(SB)/8, $0x0000000600000006
DATA spread<>+104(SB)/8, $0x0000000600000006
DATA spread<>+112(SB)/8, $0x0000000700000007
DATA spread<>+120(SB)/8, $0x0000000700000007
GLOBL spread<>(SB), RODATA|NOPTR, $128

// func addSamplesAVX2(sums *[4]int32, n int, pix *byte, width int64, places *[2][lanes]int64, xStep, yStep int64)
TEXT ·addSamplesAVX2(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ pix+16(FP), SI
	MOVQ width+24(FP), DX
	MOVQ places+32(FP), AX
	VMOVDQU (AX), Y0                    // x of four pixels
	VMOVDQU 32(AX), Y1                  // y
	VPBROADCASTQ xStep+40(FP), Y2
	VPBROADCASTQ yStep+48(FP), Y3
	MOVQ DX, X4
	VPBROADCASTQ X4, Y4                 // width
	MOVQ $0x1fff, AX
	MOVQ AX, X5
	VPBROADCASTQ X5, Y5                 // weightMask
	MOVQ $0x1000, AX
	MOVQ AX, X6
	VPBROADCASTQ X6, Y6                 // half of weightOne
	VPADDQ Y6, Y6, Y7                   // weightOne
	VMOVDQU pairs<>(SB), Y8
	LEAQ (DX)(DX*2), DX                 // bytes of a row
	SUBQ $2, DX                         // the lower row is read from two bytes earlier

loop:
	// Weights, as weights() computes them, in 64-bit lanes.
	VPSRLQ $19, Y0, Y9
	VPAND Y5, Y9, Y9                    // fx
	VPSRLQ $19, Y1, Y10
	VPAND Y5, Y10, Y10                  // fy
	VPMULUDQ Y9, Y10, Y11
	VPADDQ Y6, Y11, Y11
	VPSRLQ $13, Y11, Y11                // lower right
	VPSUBQ Y11, Y9, Y9                  // upper right
	VPSUBQ Y11, Y10, Y10                // lower left
	VPSUBQ Y9, Y7, Y12
	VPSUBQ Y10, Y12, Y12
	VPSUBQ Y11, Y12, Y12                // upper left
	VPSLLQ $16, Y9, Y9
	VPSLLQ $32, Y10, Y10
	VPSLLQ $48, Y11, Y11
	VPOR Y9, Y12, Y12
	VPOR Y10, Y11, Y11
	VPOR Y11, Y12, Y12                  // upper left, upper right, lower left, lower right

	// Offsets of the upper left pixels.
	VPSRLQ $32, Y1, Y9
	VPMULUDQ Y4, Y9, Y9
	VPSRLQ $32, Y0, Y10
	VPADDQ Y10, Y9, Y9
	VPADDQ Y9, Y9, Y10
	VPADDQ Y10, Y9, Y9
	VMOVQ X9, R8
	VPEXTRQ $1, X9, R9
	VEXTRACTI128 $1, Y9, X9
	VMOVQ X9, R10
	VPEXTRQ $1, X9, R11
	ADDQ SI, R8
	ADDQ SI, R9
	ADDQ SI, R10
	ADDQ SI, R11

	VPADDQ Y2, Y0, Y0
	VPADDQ Y3, Y1, Y1

	VMOVQ (R8), X9
	VMOVQ (R8)(DX*1), X10
	VINSERTI128 $1, X10, Y9, Y9
	VMOVDQU spread<>+0(SB), Y13
	VPERMD Y12, Y13, Y13
	VPSHUFB Y8, Y9, Y9
	VPMADDWD Y13, Y9, Y9                // pixel 0: the upper row's part, the lower row's

	VMOVQ (R9), X10
	VMOVQ (R9)(DX*1), X11
	VINSERTI128 $1, X11, Y10, Y10
	VMOVDQU spread<>+32(SB), Y13
	VPERMD Y12, Y13, Y13
	VPSHUFB Y8, Y10, Y10
	VPMADDWD Y13, Y10, Y10              // pixel 1

	VPERM2I128 $0x20, Y10, Y9, Y11
	VPERM2I128 $0x31, Y10, Y9, Y14
	VPADDD Y14, Y11, Y11                // pixels 0 and 1
	VPADDD (DI), Y11, Y11
	VMOVDQU Y11, (DI)

	VMOVQ (R10), X9
	VMOVQ (R10)(DX*1), X10
	VINSERTI128 $1, X10, Y9, Y9
	VMOVDQU spread<>+64(SB), Y13
	VPERMD Y12, Y13, Y13
	VPSHUFB Y8, Y9, Y9
	VPMADDWD Y13, Y9, Y9                // pixel 2

	VMOVQ (R11), X10
	VMOVQ (R11)(DX*1), X11
	VINSERTI128 $1, X11, Y10, Y10
	VMOVDQU spread<>+96(SB), Y13
	VPERMD Y12, Y13, Y13
	VPSHUFB Y8, Y10, Y10
	VPMADDWD Y13, Y10, Y10              // pixel 3

	VPERM2I128 $0x20, Y10, Y9, Y11
	VPERM2I128 $0x31, Y10, Y9, Y14
	VPADDD Y14, Y11, Y11                // pixels 2 and 3
	VPADDD 32(DI), Y11, Y11
	VMOVDQU Y11, 32(DI)

	ADDQ $64, DI
	SUBQ $4, CX
	JGT loop

	VZEROUPPER
	RET

// func putPlanesAVX2(red, green, blue *float32, sums *[4]int32, n int, slope, shift *[3]float32)
TEXT ·putPlanesAVX2(SB), NOSPLIT, $0-56
	MOVQ red+0(FP), R8
	MOVQ green+8(FP), R9
	MOVQ blue+16(FP), R10
	MOVQ sums+24(FP), SI
	MOVQ n+32(FP), CX
	MOVQ slope+40(FP), AX
	MOVQ shift+48(FP), BX
	VBROADCASTSS (AX), X0
	VBROADCASTSS 4(AX), X1
	VBROADCASTSS 8(AX), X2
	VBROADCASTSS (BX), X3
	VBROADCASTSS 4(BX), X4
	VBROADCASTSS 8(BX), X5

planes:
	VCVTDQ2PS (SI), X6
	VCVTDQ2PS 16(SI), X7
	VCVTDQ2PS 32(SI), X8
	VCVTDQ2PS 48(SI), X9
	VUNPCKLPS X7, X6, X10               // R0 R1 G0 G1
	VUNPCKHPS X7, X6, X11               // B0 B1 . .
	VUNPCKLPS X9, X8, X12               // R2 R3 G2 G3
	VUNPCKHPS X9, X8, X13               // B2 B3 . .
	VUNPCKLPD X12, X10, X6              // R
	VUNPCKHPD X12, X10, X7              // G
	VUNPCKLPD X13, X11, X8              // B
	VMULPS X0, X6, X6
	VMULPS X1, X7, X7
	VMULPS X2, X8, X8
	VADDPS X3, X6, X6
	VADDPS X4, X7, X7
	VADDPS X5, X8, X8
	VMOVUPS X6, (R8)
	VMOVUPS X7, (R9)
	VMOVUPS X8, (R10)
	ADDQ $64, SI
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $16, R10
	SUBQ $4, CX
	JGT planes

	VZEROUPPER
	RET
