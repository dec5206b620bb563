#include "textflag.h"

// func blendAVX2(dst, a, b *float32, n int, share float32)
TEXT ·blendAVX2(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	VBROADCASTSS share+32(FP), Y0
	SHLQ $2, CX
	XORQ AX, AX

loop:
	VMOVUPS (SI)(AX*1), Y1
	VMOVUPS (DX)(AX*1), Y2
	VSUBPS  Y1, Y2, Y2 // b - a
	VMULPS  Y0, Y2, Y2
	VADDPS  Y2, Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, CX
	JLT     loop

	VZEROUPPER
	RET
