package embedder

import (
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/models"
)

// lookingAt returns where a distant camera sees the landmarks of a head in this pose: the head is turned by the
// shortest way until it looks where yaw and pitch say, then it is tilted, scaled and moved.
func lookingAt(p Pose, scale, dx, dy float64) models.Landmarks {
	radians := func(v float32) float64 { return float64(v) * math.Pi / 180 }
	// The direction of sight; straight ahead it is (0, 0, -1).
	x, y := math.Sin(radians(p.Yaw)), -math.Sin(radians(p.Pitch))
	z := -math.Sqrt(1 - x*x - y*y)
	// Rodrigues: about the axis (0, 0, -1) x (x, y, z) = (y, -x, 0), by the angle between the two.
	axisX, axisY := y, -x
	sin := math.Hypot(x, y)
	cos := -z
	if sin > 0 {
		axisX, axisY = axisX/sin, axisY/sin
	}
	tilt := radians(p.Roll)
	var l models.Landmarks
	for i, h := range head {
		along := axisX*h[0] + axisY*h[1]
		// v cos + (axis x v) sin + axis (axis . v) (1 - cos); the depth is not seen.
		u := h[0]*cos + axisY*h[2]*sin + axisX*along*(1-cos)
		v := h[1]*cos - axisX*h[2]*sin + axisY*along*(1-cos)
		l[i] = models.Point{
			X: float32(dx + scale*(math.Cos(tilt)*u-math.Sin(tilt)*v)),
			Y: float32(dy + scale*(math.Sin(tilt)*u+math.Cos(tilt)*v)),
		}
	}
	return l
}

// TestPose: the pose of a head that was turned on purpose is found again.
func TestPose(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	between := func(limit float64) float32 { return float32(limit * (2*rng.Float64() - 1)) }
	for range 1000 {
		want := Pose{Yaw: between(50), Pitch: between(35), Roll: between(170)}
		scale := 5 + 200*rng.Float64()
		got, residual, ok := poseOf(lookingAt(want, scale, 300*rng.Float64(), 300*rng.Float64()))
		if !ok || residual > 1e-3 {
			t.Fatalf("seed %d: %+v: residual %v, %v", seed, want, residual, ok)
		}
		for _, d := range []float32{got.Yaw - want.Yaw, got.Pitch - want.Pitch, got.Roll - want.Roll} {
			if math.Abs(float64(d)) > 0.2 {
				t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
			}
		}
	}
}

// TestPoseSigns: a nose to the right is a head that looks to the right, and so on.
func TestPoseSigns(t *testing.T) {
	straight := lookingAt(Pose{}, 100, 200, 200)
	right, up := straight, straight
	right[2].X += 15
	up[2].Y -= 15
	if p, _, _ := poseOf(right); !(p.Yaw > 5) {
		t.Errorf("to the right: %+v", p)
	}
	if p, _, _ := poseOf(up); !(p.Pitch > 5) {
		t.Errorf("upwards: %+v", p)
	}
	if p, _, _ := poseOf(lookingAt(Pose{Roll: 30}, 100, 0, 0)); !(p.Roll > 29 && p.Roll < 31) {
		t.Errorf("clockwise: %+v", p)
	}
}

// TestPoseResidual: what is no head is far from one, and landmarks on one line have no pose.
func TestPoseResidual(t *testing.T) {
	odd := lookingAt(Pose{}, 100, 0, 0)
	odd[3].Y -= 60
	if _, residual, ok := poseOf(odd); !ok || residual < 0.05 {
		t.Errorf("residual %v, %v", residual, ok)
	}
	for name, l := range map[string]models.Landmarks{
		"one place":  {},
		"one line":   {{X: 0, Y: 0}, {X: 1, Y: 1}, {X: 2, Y: 2}, {X: 3, Y: 3}, {X: 4, Y: 4}},
		"not finite": {{X: float32(math.NaN())}, {X: 1}, {Y: 1}, {X: 1, Y: 2}, {X: 3, Y: 2}},
	} {
		if p, _, ok := poseOf(l); ok {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
