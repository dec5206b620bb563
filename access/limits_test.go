package access_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/access"
)

// TestLimitsHold asks at random times. In no span of time is more allowed than the burst
// and what the span adds to it. A caller who waits as long as it is told is not refused,
// and callers do not take from each other.
func TestLimitsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, perMinute = 7, 30
		l := access.NewLimits(access.LimitOptions{Requests: perSecond, Crops: perMinute, WrongTokens: perMinute})
		rng := rand.New(rand.NewPCG(25, 4))
		here := netip.MustParseAddr("192.0.2.1")
		for name, limit := range map[string]struct {
			take  func() time.Duration
			rate  float64 // a second
			burst float64
		}{
			"requests of a token":   {func() time.Duration { return l.Request("door", netip.Addr{}) }, perSecond, perSecond},
			"crops of a token":      {func() time.Duration { return l.Crop("door", netip.MustParseAddr("192.0.2.9")) }, perMinute / 60.0, perMinute},
			"wrong tokens":          {func() time.Duration { return l.Wrong(here) }, perMinute / 60.0, perMinute},
			"requests of a network": {func() time.Duration { return l.Request(fmt.Sprint(rng.Uint64()), randomOf64(rng)) }, perSecond, perSecond},
		} {
			var allowed []time.Time
			for range 3000 {
				time.Sleep(time.Duration(rng.ExpFloat64() / limit.rate / 3 * float64(time.Second)))
				if wait := limit.take(); wait > 0 {
					if rng.IntN(20) > 0 {
						continue
					}
					time.Sleep(wait)
					if again := limit.take(); again > time.Millisecond {
						t.Fatalf("%s: told to wait %v, then %v more", name, wait, again)
					}
				}
				allowed = append(allowed, time.Now())
			}
			if len(allowed) < 500 {
				t.Errorf("%s: only %d were allowed", name, len(allowed))
			}
			for i := range allowed {
				for j := i; j < min(len(allowed), i+200); j++ {
					if most := limit.burst + limit.rate*allowed[j].Sub(allowed[i]).Seconds() + 1; float64(j-i+1) > most {
						t.Fatalf("%s: %d within %v", name, j-i+1, allowed[j].Sub(allowed[i]))
					}
				}
			}
		}
		for i := range 100 { // others are not slowed down by that
			if wait := l.Wrong(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})); wait > 0 {
				t.Fatalf("another address waits %v", wait)
			}
		}
	})
}

// randomOf64 returns an address of one network.
func randomOf64(rng *rand.Rand) netip.Addr {
	b := netip.MustParseAddr("2001:db8::").As16()
	for i := 8; i < 16; i++ {
		b[i] = byte(rng.Uint32())
	}
	return netip.AddrFrom16(b)
}

func TestNoLimits(t *testing.T) {
	l := access.NewLimits(access.LimitOptions{})
	for range 100_000 {
		if l.Request("a", netip.Addr{})+l.Crop("a", netip.Addr{})+l.Wrong(netip.Addr{}) > 0 {
			t.Fatal("refused without a limit")
		}
	}
}
