#include "textflag.h"

// func skipBelowAVX2(values *float32, n int, floor float32) int
//
//	SI values   CX their number   AX index   Y15 floor, eight times
TEXT ·skipBelowAVX2(SB), NOSPLIT, $0-32
	MOVQ values+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTSS floor+16(FP), Y15
	XORQ AX, AX

step:
	VCMPPS $0x12, (SI)(AX*4), Y15, Y0 // floor <= value; false if they cannot be compared
	VCMPPS $0x12, 32(SI)(AX*4), Y15, Y1
	VORPS  Y1, Y0, Y0
	VMOVMSKPS Y0, DX
	TESTL DX, DX
	JNZ  found
	ADDQ $16, AX
	CMPQ AX, CX
	JLT  step

found:
	MOVQ AX, ret+24(FP)
	VZEROUPPER
	RET
