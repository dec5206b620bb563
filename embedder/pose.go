package embedder

import (
	"math"

	"rollcall/models"
)

// Pose is how a head is held, in degrees, as the five landmarks tell: without lenses, lines of sight or the
// shape of this face, so to some ten degrees.
type Pose struct {
	Yaw   float32 // to the side: positive towards the right, as seen in the crop
	Pitch float32 // positive upwards
	Roll  float32 // tilted: positive clockwise, as seen in the crop, after [Quality.Turned]
}

// head is where the landmarks lie on a head that looks straight ahead, in distances between its eyes: to the
// right, down, and away from the camera, from their middle. Right and down are the mean of the 9,908 pictures
// of train, as rollcall-points sees them. The depths are those of an average adult: the tip of the nose lies
// 30 mm before the eyes, the corners of the mouth 4 mm, with 63 mm between the eyes.
var head = func() [5][3]float64 {
	points := [5][3]float64{
		{-0.5, 0, 0}, {0.5, 0, 0}, {0, 0.604, -30.0 / 63}, {-0.428, 1.086, -4.0 / 63}, {0.428, 1.086, -4.0 / 63},
	}
	var middle [3]float64
	for _, p := range points {
		for k, v := range p {
			middle[k] += v / float64(len(points))
		}
	}
	for i := range points {
		for k := range points[i] {
			points[i][k] -= middle[k]
		}
	}
	return points
}()

// headInverse is the inverse of the sum of the products of head's coordinates.
var headInverse = func() [3][3]float64 {
	var sum [3][3]float64
	for _, p := range head {
		for i := range 3 {
			for j := range 3 {
				sum[i][j] += p[i] * p[j]
			}
		}
	}
	var inverse [3][3]float64
	at := func(i, j int) float64 { return sum[i%3][j%3] }
	cofactor := func(i, j int) float64 {
		return at(i+1, j+1)*at(i+2, j+2) - at(i+1, j+2)*at(i+2, j+1)
	}
	determinant := sum[0][0]*cofactor(0, 0) + sum[0][1]*cofactor(0, 1) + sum[0][2]*cofactor(0, 2)
	for i := range 3 {
		for j := range 3 {
			inverse[j][i] = cofactor(i, j) / determinant
		}
	}
	return inverse
}()

// poseOf returns the pose of a head with these landmarks, and how far they lie from those of such a head on
// average (the root of the mean square), in distances between its eyes. The landmarks are given in a plane
// where a face has its proportions. It returns false for landmarks in one place or on one line.
//
// The camera is taken to be far away: then the landmarks are the points of the head, turned, scaled and seen
// from the front. The best affine map from the head to the landmarks is found by least squares, and then the
// nearest one that only turns and scales, by the polar decomposition.
func poseOf(l models.Landmarks) (pose Pose, residual float64, ok bool) {
	var x, y float64
	for _, p := range l {
		x += float64(p.X) / float64(len(l))
		y += float64(p.Y) / float64(len(l))
	}
	var products, m [2][3]float64
	for i, p := range l {
		for k, v := range head[i] {
			products[0][k] += (float64(p.X) - x) * v
			products[1][k] += (float64(p.Y) - y) * v
		}
	}
	for r := range m {
		for j := range 3 {
			for k := range 3 {
				m[r][j] += products[r][k] * headInverse[k][j]
			}
		}
	}
	m, scale, ok := turnAndScale(m)
	if !ok {
		return Pose{}, 0, false
	}
	var sum float64
	for i, p := range l {
		h := head[i]
		dx := scale*(m[0][0]*h[0]+m[0][1]*h[1]+m[0][2]*h[2]) + x - float64(p.X)
		dy := scale*(m[1][0]*h[0]+m[1][1]*h[1]+m[1][2]*h[2]) + y - float64(p.Y)
		sum += dx*dx + dy*dy
	}
	// The line of sight of the head is the third axis with its sign changed: it comes towards the camera.
	sightX, sightY := -m[0][2], -m[1][2]
	roll := math.Atan2(m[1][0]-m[0][1], m[0][0]+m[1][1])
	// Yaw and pitch are those of a head that was tilted back.
	sin, cos := math.Sincos(roll)
	sightX, sightY = cos*sightX+sin*sightY, cos*sightY-sin*sightX
	pose = Pose{Yaw: degrees(math.Asin(clamp(sightX, -1, 1))), Pitch: degrees(math.Asin(clamp(-sightY, -1, 1))), Roll: degrees(roll)}
	return pose, math.Sqrt(sum/float64(len(l))) / scale, true
}

// turnAndScale returns the two rows of the turn and the scale whose product is nearest to m.
func turnAndScale(m [2][3]float64) (turn [2][3]float64, scale float64, ok bool) {
	var a, b, c float64 // the product of m and its transpose: a b, b c
	for k := range 3 {
		a += m[0][k] * m[0][k]
		b += m[0][k] * m[1][k]
		c += m[1][k] * m[1][k]
	}
	root := math.Sqrt(math.Max(0, a*c-b*b))
	trace := math.Sqrt(a + c + 2*root) // of the square root of that product
	if !(root > 1e-9*(a+c)) {
		return turn, 0, false
	}
	// The square root is (product + root) / trace, and its inverse, by the cofactors of 2 x 2:
	p, q, r := (c+root)/(trace*root), -b/(trace*root), (a+root)/(trace*root)
	for k := range 3 {
		turn[0][k] = p*m[0][k] + q*m[1][k]
		turn[1][k] = q*m[0][k] + r*m[1][k]
	}
	return turn, trace / 2, true
}

func degrees(radians float64) float32 { return float32(radians * 180 / math.Pi) }

func clamp(v, low, high float64) float64 { return max(low, min(v, high)) }
