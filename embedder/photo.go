package embedder

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"rollcall/embedder/locate"
	"rollcall/embedder/picture"
	"rollcall/models"
)

// PhotoRequest is a photo or a frame to find faces in.
type PhotoRequest struct {
	// Image holds the bytes of a JPEG, PNG, WebP or BMP. It is not changed and not kept.
	Image []byte
	// LeastFace is the size of the smallest face that has to be found, as [Face.Size], in pixels. Smaller
	// faces may be found or not. Half of it means four times the work. Default 0: 48 pixels in a frame of
	// up to 640 x 480, 24 in a photo of up to 6 megapixels, 34 in one of 12, 48 in one of 24; most faces
	// down to five sixths of that are found too. The work is bounded: faces smaller than 24 in 24
	// megapixels, or than 16 in any photo, are not looked for.
	LeastFace float64
	// Caller is that of [Request].
	Caller string
}

// Face is one face of a photo. Places are in pixels of the photo as it is shown, that is after its EXIF
// orientation; (0, 0) is the centre of the upper left pixel.
type Face struct {
	// Box is left, top, width and height of an upright box from the brows to the chin. It may reach beyond
	// the photo.
	Box       [4]float32
	Landmarks models.Landmarks
	Score     float32 // of the detectors and the locator, 0.6..1
	// Size is the side of the square that embedders align faces to: 3.2 distances between the eyes.
	Size float32
	// Quality is what can be said about the face without knowing whose it is. Its Width and Height are the
	// photo's.
	Quality Quality
}

// Photo is what was found on a photo. The caller owns all of it.
type Photo struct {
	// Faces are all that were found, the largest first.
	Faces         []Face
	Width, Height int    // pixels as shown
	Detector      string // the model that found the faces
	// Timings has at [StageRun] the time in which [Embedder.EmbedFaces] embedded the faces.
	Timings Timings
}

// Faces decodes a photo and finds its faces: a detector looks at parts of it in several sizes, and the
// locator finds the landmarks of each face. A photo without faces is not an error.
//
// A frame of up to 640 x 480 pixels, or 480 x 640, waits and works like a crop. Larger photos wait in
// another queue of the same length, and take all cores that crops leave free, see turns.go. A picture whose
// longer side is more than 20 times the shorter one is not taken for a photo: no faces are found on it. The
// errors are those of [Embedder.Embed]; models.ErrNoneInstalled means here that there is no detector.
func (e *Embedder) Faces(ctx context.Context, req PhotoRequest) (*Photo, error) {
	return e.faces(ctx, req, nil)
}

// faces is Faces. It then lets embed, which may be nil, go on with the photo, before it gives back its place
// and the pixels: so a queue of photos holds no pixels of those that wait.
func (e *Embedder) faces(ctx context.Context, req PhotoRequest, embed func(crew, *picture.Picture, *Photo) error) (*Photo, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.calls.Done()
	width, height, err := picture.Size(req.Image, e.options.PhotoLimits)
	if err != nil {
		return nil, err
	}
	watch := &stopwatch{last: time.Now()}
	defer watch.report(e.options.Observe)
	frame := isFrame(width, height) // either way round, so before or after the EXIF orientation
	q := e.photos
	if frame {
		q = e.queue
	}
	ticket, err := q.enter(req.Caller)
	if err != nil {
		return nil, err
	}
	defer q.leave(ticket)
	m, err := e.modelsFor(ctx)
	if err != nil {
		return nil, err
	}
	defer m.release(e.registry)
	done, err := q.begin(ctx, e.closing, ticket)
	watch.lap(StageQueue)
	if err != nil {
		return nil, err
	}
	defer done()
	c := crew{e: e, hired: frame, caller: req.Caller}
	p := &Photo{Detector: m.detector.name}
	pic, err := p.find(ctx, req, c, m, watch)
	if err != nil {
		return nil, err
	}
	defer pic.Release()
	p.Timings = watch.timings
	if embed == nil {
		return p, nil
	}
	start := time.Now()
	err = embed(c, pic, p)
	p.Timings[StageRun] = time.Since(start)
	return p, err
}

// photoModels are the models that finding faces needs.
type photoModels struct {
	detector *model
	confirms *model // nil where the detector's contract names none
	locator  *model // nil without one: then the landmarks are the detectors'
}

// modelsFor acquires the models. The caller releases them.
func (e *Embedder) modelsFor(ctx context.Context) (m photoModels, err error) {
	defer func() {
		if err != nil {
			m.release(e.registry)
		}
	}()
	if m.detector, err = e.registry.acquire(ctx, models.Detector, e.options.Detector); err != nil {
		return m, err
	}
	if name := m.detector.contract.ConfirmedBy; name != "" {
		if m.confirms, err = e.registry.acquire(ctx, models.Detector, name); err != nil {
			return m, err
		}
	}
	m.locator, err = e.landmarksFor(ctx)
	return m, err
}

// landmarksFor acquires the locator that gives crops their final landmarks. Where one locator is confirmed
// by another, the first only finds the face, and here the detector has done that. It is nil where there is
// none.
func (e *Embedder) landmarksFor(ctx context.Context) (*model, error) {
	if e.options.Locator == LocatorNone {
		return nil, nil
	}
	locator, err := e.registry.acquire(ctx, models.Locator, e.options.Locator)
	if errors.Is(err, models.ErrNoneInstalled) {
		return nil, nil
	}
	if err != nil || locator.contract.SecondLook > 0 || locator.contract.ConfirmedBy == "" {
		return locator, err
	}
	defer e.registry.release(locator)
	return e.registry.acquire(ctx, models.Locator, locator.contract.ConfirmedBy)
}

func (m photoModels) release(r *registry) {
	for _, used := range []*model{m.detector, m.confirms, m.locator} {
		if used != nil {
			r.release(used)
		}
	}
}

// find decodes the photo and fills in its faces. The caller releases the picture.
func (p *Photo) find(ctx context.Context, req PhotoRequest, c crew, m photoModels, watch *stopwatch) (pic *picture.Picture, err error) {
	err = c.one(ctx, func() (err error) {
		pic, _, err = picture.Decode(req.Image, c.e.options.PhotoLimits)
		return err
	})
	watch.lap(StageDecode)
	if err != nil {
		return nil, err
	}
	p.Width, p.Height = pic.Width, pic.Height
	if err := p.search(ctx, req, c, m, pic, watch); err != nil {
		pic.Release()
		return nil, err
	}
	return pic, nil
}

// search fills in the faces of the decoded photo.
func (p *Photo) search(ctx context.Context, req PhotoRequest, c crew, m photoModels, pic *picture.Picture, watch *stopwatch) error {
	s := search{crew: c, pic: pic, halves: []*picture.Picture{pic}, detector: m.detector, confirms: m.confirms}
	defer s.release()
	found, err := s.faces(ctx, req.LeastFace)
	watch.lap(StageDetect)
	if err != nil {
		return err
	}
	p.Faces = make([]Face, len(found))
	err = s.each(ctx, len(found), func(i int) (err error) {
		p.Faces[i], err = s.describe(ctx, m.locator, found[i])
		return err
	})
	watch.lap(StageLocate)
	if err != nil {
		return err
	}
	p.Faces = slices.DeleteFunc(p.Faces, func(f Face) bool { return f.Score < minFace })
	slices.SortStableFunc(p.Faces, func(a, b Face) int {
		switch {
		case a.Size > b.Size:
			return -1
		case a.Size < b.Size:
			return 1
		}
		return 0
	})
	return nil
}

// release gives the halves back.
func (s *search) release() {
	for _, half := range s.halves[1:] {
		half.Release()
	}
}

// describe finds the landmarks of a face and measures it. If the locator sees no face there, the score
// falls by up to three tenths. It does not fall to 0, because the locator is often wrong about profiles, as
// the detectors are about clothes.
func (s *search) describe(ctx context.Context, locator *model, found locate.Face) (Face, error) {
	face := Face{Box: found.Box, Landmarks: found.Landmarks, Score: found.Score}
	var score float32
	var certainty float64
	if locator != nil {
		seen, err := s.landmarks(ctx, locator, found.Landmarks)
		if err != nil {
			return Face{}, err
		}
		face.Score *= float32(math.Sqrt((1 + float64(seen.Score)) / 2))
		// Where the locator sees no face, its landmarks mean nothing.
		if score = seen.Score; score >= minScore {
			if locator.contract.Sure > 0 {
				certainty = logit(score)
			}
			face.Landmarks = seen.Landmarks
		}
	}
	face.Size = sizeOf(face.Landmarks)
	seen := finding{face: locate.Face{Score: score}, found: true, view: asShown, certainty: certainty}
	face.Quality = assess(s.pic, &face.Landmarks, seen, probeLimits)
	return face, nil
}
