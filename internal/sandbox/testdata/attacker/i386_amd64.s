#include "textflag.h"

// func i386(number, first uint32) uint32
TEXT ·i386(SB), NOSPLIT, $0-12
	MOVL number+0(FP), AX
	MOVL first+4(FP), BX
	XORL CX, CX
	INT  $0x80
	MOVL AX, ret+8(FP)
	RET
