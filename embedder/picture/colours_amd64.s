#include "go_asm.h"
#include "textflag.h"

// The lower three bytes of four pixels, without gaps.
DATA pixels<>+0(SB)/8, $0x0908060504020100
DATA pixels<>+8(SB)/8, $0x808080800e0d0c0a
DATA pixels<>+16(SB)/8, $0x0908060504020100
DATA pixels<>+24(SB)/8, $0x808080800e0d0c0a
GLOBL pixels<>(SB), RODATA|NOPTR, $32

// func rgbAVX2(dst, luma, cb, cr *byte, n, shift int, k *colours)
TEXT ·rgbAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ luma+8(FP), SI
	MOVQ cb+16(FP), R8
	MOVQ cr+24(FP), R9
	MOVQ n+32(FP), CX
	MOVQ shift+40(FP), BX
	MOVQ k+48(FP), AX
	VPBROADCASTD colours_scale(AX), Y8
	VPBROADCASTD colours_offset(AX), Y9
	VPBROADCASTD colours_red(AX), Y10
	VPBROADCASTD colours_greenB(AX), Y11
	VPBROADCASTD colours_greenR(AX), Y12
	VPBROADCASTD colours_blue(AX), Y13
	VPCMPEQD Y14, Y14, Y14
	VPSRLD $31, Y14, Y15
	VPSLLD $7, Y15, Y15                // 128
	VPSRLD $24, Y14, Y14               // 255
	VMOVDQU pixels<>(SB), Y7
	VPXOR Y6, Y6, Y6

loop:
	VPMOVZXBD (SI), Y0
	TESTQ BX, BX
	JNZ halves
	VPMOVZXBD (R8), Y1
	VPMOVZXBD (R9), Y2
	ADDQ $8, R8
	ADDQ $8, R9
	JMP sum

halves:
	VMOVD (R8), X1
	VMOVD (R9), X2
	VPUNPCKLBW X1, X1, X1
	VPUNPCKLBW X2, X2, X2
	VPMOVZXBD X1, Y1
	VPMOVZXBD X2, Y2
	ADDQ $4, R8
	ADDQ $4, R9

sum:
	VPSUBD Y15, Y1, Y1                 // Cb
	VPSUBD Y15, Y2, Y2                 // Cr
	VPMULLD Y8, Y0, Y0
	VPADDD Y9, Y0, Y0                  // full
	VPMULLD Y10, Y2, Y3
	VPADDD Y0, Y3, Y3                  // red
	VPMULLD Y11, Y1, Y4
	VPMULLD Y12, Y2, Y2
	VPSUBD Y4, Y0, Y4
	VPSUBD Y2, Y4, Y4                  // green
	VPMULLD Y13, Y1, Y5
	VPADDD Y0, Y5, Y5                  // blue
	VPSRAD $16, Y3, Y3
	VPSRAD $16, Y4, Y4
	VPSRAD $16, Y5, Y5
	VPMAXSD Y6, Y3, Y3
	VPMAXSD Y6, Y4, Y4
	VPMAXSD Y6, Y5, Y5
	VPMINSD Y14, Y3, Y3
	VPMINSD Y14, Y4, Y4
	VPMINSD Y14, Y5, Y5
	VPSLLD $8, Y4, Y4
	VPSLLD $16, Y5, Y5
	VPOR Y4, Y3, Y3
	VPOR Y5, Y3, Y3
	VPSHUFB Y7, Y3, Y3
	VMOVDQU X3, (DI)
	VEXTRACTI128 $1, Y3, 12(DI)
	ADDQ $8, SI
	ADDQ $24, DI
	SUBQ $8, CX
	JGT loop

	VZEROUPPER
	RET
