module rollcall/bench/peers/chromem

go 1.26.0

require (
	github.com/philippgille/chromem-go v0.7.0
	rollcall v0.0.0
)

replace rollcall => ../../..
