package kernel

var archVariants = []variant{
	{
		name: "AVX2",
		has:  hasAVX2,
		dot:  func(a, b []float32) float32 { return dotAVX2(&a[0], &b[0], len(a)) },
		boundRows: func(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
			if len(out) > 0 {
				boundRowsAVX2(&query[0], &rows[0], len(query), len(out), &scales[0], &errs[0], t, e, &out[0])
			}
		},
		boundGroup: func(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
			if len(out) > 0 {
				boundGroupAVX2(&queries[0], &rows[0], len(queries)/QueryGroup, len(scales), &scales[0], &errs[0], &t[0], &e[0], &out[0])
			}
		},
		dotCodesAt: func(query []int16, rows []*int8, out []int32) {
			if len(out) > 0 {
				dotCodesAtAVX2(&query[0], &rows[0], len(query), len(rows), &out[0])
			}
		},
	},
	// Chosen wherever the processor has it.
	{"AVX-512 with VNNI", hasAVX512, Dot, BoundRows, BoundGroup, DotCodesAt},
}
