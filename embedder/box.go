package embedder

import (
	"context"
	"image"
	"math"

	"rollcall/embedder/picture"
)

// aroundBox is the side of the part of a frame that counts as the crop, in longer sides of the box. Detectors
// draw boxes from the brows to the chin, or around the whole head: the face then fills 50 to 90 % of the
// crop, as a locator of crops wants it.
const aroundBox = 1.6

// workInBox works on the part of a frame around a box. Places and sizes in the result are the frame's.
func (e *Embedder) workInBox(ctx context.Context, frame *picture.Picture, box [4]float32, req Request, m *model, own eyes, watch *stopwatch) (*Result, error) {
	part, ok := around(box)
	crop := frame.Cut(part)
	if !ok || crop == nil {
		return nil, ErrBox
	}
	defer crop.Release()
	result, err := e.workOn(ctx, crop, req, m, own, watch)
	if err != nil {
		return nil, err
	}
	corner := part.Intersect(frame.Bounds()).Min
	if result.Landmarks != nil {
		for i := range result.Landmarks {
			result.Landmarks[i].X += float32(corner.X)
			result.Landmarks[i].Y += float32(corner.Y)
		}
	}
	result.Quality.Width, result.Quality.Height = frame.Width, frame.Height
	return result, nil
}

// around returns the square around a box in whole pixels. It returns false for a box that no picture has.
func around(box [4]float32) (image.Rectangle, bool) {
	const most = 1 << 20 // pixels: no picture is that large
	x, y := float64(box[0])+float64(box[2])/2, float64(box[1])+float64(box[3])/2
	half := aroundBox / 2 * float64(max(box[2], box[3]))
	if !(math.Abs(x) < most && math.Abs(y) < most && half > 0 && half < most) { // or NaN
		return image.Rectangle{}, false
	}
	return image.Rect(int(math.Floor(x-half)), int(math.Floor(y-half)), int(math.Ceil(x+half)), int(math.Ceil(y+half))), true
}
