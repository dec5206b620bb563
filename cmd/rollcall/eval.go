package main

import "rollcall/bench"

func evalCommand() command { return measureCommand(bench.Eval(), "eval") }
