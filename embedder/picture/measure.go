package picture

import (
	"image"
	"math"
	"sync"
)

// chipSide is the side of the square that a region is resampled to before it is measured, so that the
// figures of faces of any size can be compared. It is about the size of the inner face in a 112-pixel
// input. A smaller face counts as unsharp, and it is.
const chipSide = 64

// reach is how many source pixels on either side one chip pixel averages at most. Of larger regions only
// every n-th pixel is read, so that a photograph costs no more than a large crop.
const reach = 8

// Measure says how bright, how rich in contrast and how sharp a region of the picture is, after it was
// resampled to a luma chip of 64 x 64 pixels (Rec. 601, triangle filter). The region is cut to the picture.
// If it is empty then, all figures are 0.
//
// Brightness is the mean luma, 0 (black) to 1 (white). Contrast is the standard deviation of the luma, 0 to
// 0.5. Sharpness is the variance of the Laplacian
// (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548) of luma 0..255 with the kernel
// (0 1 0, 1 -4 1, 0 1 0): 0 for a flat region, without an upper bound, and the larger the sharper.
//
// Over the faces of 11,802 pictures of Labeled Faces in the Wild the median brightness is 0.49 and the
// median sharpness 213; one face in 200 is darker than 0.27, one brighter than 0.71, and one is less
// sharp than 41.
func (p *Picture) Measure(region image.Rectangle) (brightness, contrast, sharpness float32) {
	region = region.Intersect(p.Bounds())
	if region.Empty() {
		return 0, 0, 0
	}
	m := measurers.Get().(*measurer)
	defer measurers.Put(m)
	m.resample(p, region)
	chip := &m.chip

	var luma, lumaSquares float64
	for y := range chip {
		for _, v := range chip[y] {
			luma += float64(v)
			lumaSquares += float64(v) * float64(v)
		}
	}
	const all = chipSide * chipSide
	luma /= all
	deviation := math.Sqrt(max(0, lumaSquares/all-luma*luma))
	var edges, squares float64
	for y := 1; y < chipSide-1; y++ {
		for x := 1; x < chipSide-1; x++ {
			edge := float64(chip[y-1][x] + chip[y+1][x] + chip[y][x-1] + chip[y][x+1] - 4*chip[y][x])
			edges += edge
			squares += edge * edge
		}
	}
	const inner = (chipSide - 2) * (chipSide - 2)
	mean := edges / inner
	return float32(luma / 255), float32(deviation / 255), float32(max(0, squares/inner-mean*mean))
}

// measurer is the memory of one measurement, 35 kB: as garbage it would be most of a call's.
type measurer struct {
	columns, rows axis
	chip          [chipSide][chipSide]float32
}

var measurers = sync.Pool{New: func() any { return new(measurer) }}

// resample makes the chip from the luma of a region, rows first and then columns.
func (m *measurer) resample(p *Picture, region image.Rectangle) {
	columns, rows, chip := &m.columns, &m.rows, &m.chip
	columns.set(region.Dx())
	rows.set(region.Dy())
	clear(chip[:])
	var luma [axisMax]float32
	for y := range rows.length {
		line := p.Pix[3*((region.Min.Y+y*rows.step)*p.Width+region.Min.X):]
		for x := range columns.length {
			i := 3 * x * columns.step
			luma[x] = (299*float32(line[i]) + 587*float32(line[i+1]) + 114*float32(line[i+2])) / 1000
		}
		var resampled [chipSide]float32
		for i := range resampled {
			resampled[i] = columns.at(i, &luma)
		}
		for j := range chip {
			weight := rows.weight(j, y)
			if weight == 0 {
				continue
			}
			for i, v := range resampled {
				chip[j][i] += weight * v
			}
		}
	}
}

const (
	axisMax = 2 * reach * chipSide // most samples along one side of a region
	tapsMax = 4*reach + 1          // most samples under one triangle
)

// axis is a triangle filter from one side of a region to chipSide samples: plain linear
// interpolation where it enlarges, widened by the scale where it shrinks.
type axis struct {
	step   int // every step-th pixel is read
	length int // samples that are read
	first  [chipSide]int
	taps   [chipSide]int
	kernel [chipSide][tapsMax]float32 // each sums to 1
}

func (a *axis) set(pixels int) {
	a.step = max(1, pixels/(reach*chipSide))
	a.length = pixels / a.step
	scale := float64(a.length) / chipSide
	support := max(1, scale)
	for i := range chipSide {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(centre-support)))
		last := min(a.length-1, int(math.Floor(centre+support)))
		a.first[i], a.taps[i] = first, last-first+1
		var sum float64
		for s := first; s <= last; s++ {
			sum += 1 - math.Abs(float64(s)-centre)/support
		}
		for s := first; s <= last; s++ {
			a.kernel[i][s-first] = float32((1 - math.Abs(float64(s)-centre)/support) / sum)
		}
	}
}

// at is sample i of the resampled line.
func (a *axis) at(i int, line *[axisMax]float32) float32 {
	var v float32
	for k, s := range line[a.first[i]:][:a.taps[i]] {
		v += a.kernel[i][k] * s
	}
	return v
}

// weight is the share of source sample s in sample i of the resampled line.
func (a *axis) weight(i, s int) float32 {
	if k := s - a.first[i]; 0 <= k && k < a.taps[i] {
		return a.kernel[i][k]
	}
	return 0
}
