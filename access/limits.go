package access

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimitOptions are the bounds of [Limits]. In each, 0 means none.
type LimitOptions struct {
	Requests    float64 // a second, of each token and of each address
	Crops       float64 // a minute, of each token and of each address
	WrongTokens float64 // a minute, of each address; pairing codes count as well
}

// Limits bound how often a caller may ask. For a moment a caller may do what is allowed
// in a whole second, or in a whole minute. Limits are safe for concurrent use.
type Limits struct {
	requests, crops struct {
		tokens    buckets[string]
		addresses buckets[netip.Addr]
	}
	wrong buckets[netip.Addr]
}

// NewLimits returns limits under which nobody has asked yet.
func NewLimits(o LimitOptions) *Limits {
	l := new(Limits)
	l.requests.tokens.every(o.Requests, time.Second)
	l.requests.addresses.every(o.Requests, time.Second)
	l.crops.tokens.every(o.Crops, time.Minute)
	l.crops.addresses.every(o.Crops, time.Minute)
	l.wrong.every(o.WrongTokens, time.Minute)
	return l
}

// Request counts a request. It returns how long the caller has to wait before the request
// may be made; 0: it may be made now.
func (l *Limits) Request(token string, address netip.Addr) time.Duration {
	return max(l.requests.tokens.take(token), l.requests.addresses.take(network(address)))
}

// Crop counts a crop, as Request counts requests.
func (l *Limits) Crop(token string, address netip.Addr) time.Duration {
	return max(l.crops.tokens.take(token), l.crops.addresses.take(network(address)))
}

// Wrong counts a wrong token, or the use of a pairing code, as Request counts requests.
func (l *Limits) Wrong(address netip.Addr) time.Duration { return l.wrong.take(network(address)) }

// network returns what one client has: an IPv4 address, or the first address of a /64.
func network(address netip.Addr) netip.Addr {
	if !address.Is6() {
		return address
	}
	prefix, _ := address.Prefix(64) // which every IPv6 address has
	return prefix.Addr()
}

// buckets are one token bucket for each key.
type buckets[K comparable] struct {
	limit rate.Limit // a second; 0: none
	burst int

	mu    sync.Mutex
	byKey map[K]*rate.Limiter // guarded by mu
}

// mostBuckets bounds the memory, some 100 bytes each.
const mostBuckets = 10_000

func (b *buckets[K]) every(n float64, period time.Duration) {
	b.limit, b.burst = rate.Limit(n/period.Seconds()), int(max(1, math.Ceil(n)))
	b.byKey = make(map[K]*rate.Limiter)
}

// take takes one from a bucket, or returns how long it takes until there is one.
func (b *buckets[K]) take(key K) time.Duration {
	if b.limit <= 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.byKey[key]
	if bucket == nil {
		b.makeRoom()
		bucket = rate.NewLimiter(b.limit, b.burst)
		b.byKey[key] = bucket
	}
	if bucket.Allow() {
		return 0
	}
	missing := max(0, 1-bucket.Tokens())
	return max(time.Millisecond, time.Duration(missing/float64(b.limit)*float64(time.Second)))
}

// makeRoom forgets full buckets, which are as good as new ones; or all, if they are many:
// who has so many addresses is not slowed down by a limit of each.
// REQUIRES: mu is held.
func (b *buckets[K]) makeRoom() {
	if len(b.byKey) < mostBuckets {
		return
	}
	for key, bucket := range b.byKey {
		if bucket.Tokens() >= float64(b.burst) {
			delete(b.byKey, key)
		}
	}
	if len(b.byKey) > mostBuckets/2 {
		clear(b.byKey)
	}
}
