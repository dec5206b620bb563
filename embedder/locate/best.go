package locate

import "math"

// Best picks the face that is the crop's subject. width and height are the size of the crop in the pixels
// of the faces, without padding: a crop that is fitted to the corner of a square input may fill only half
// of it.
//
// A detector cut the crop around its subject, so the subject is large and in the middle. A neighbour may be
// in the crop too, and may be the sharper face. So the face with the largest product of score, size (the
// side of a square with the box's area) and centrality wins; of equals the first. Centrality is 1 for a box
// centred in the crop, and falls linearly to 0 at the distance of the crop's corners: a face of double size
// wins over a centred one up to half the way to a corner.
//
// It returns false if there are no faces.
func Best(faces []Face, width, height int) (Face, bool) {
	var best Face
	found := false
	var most float64
	for _, face := range faces {
		if weight := prominence(face, float64(width), float64(height)); !found || weight > most {
			best, most, found = face, weight, true
		}
	}
	return best, found
}

func prominence(f Face, width, height float64) float64 {
	x, y := float64(f.Box[0])+float64(f.Box[2])/2, float64(f.Box[1])+float64(f.Box[3])/2
	centrality := 1 - math.Hypot(x-width/2, y-height/2)/math.Hypot(width/2, height/2)
	size := math.Sqrt(float64(f.Box[2]) * float64(f.Box[3]))
	return float64(f.Score) * size * max(0, centrality)
}
