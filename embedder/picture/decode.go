package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// The errors of Decode. Every error wraps exactly one of these, and none says anything about the content of
// the picture.
var (
	// ErrEmpty: there are no bytes.
	ErrEmpty = errors.New("the image is empty")
	// ErrTooManyBytes: the data is longer than Limits.Bytes.
	ErrTooManyBytes = errors.New("the image has too many bytes")
	// ErrTooManyPixels: the header announces more than Limits.Pixels. Nothing was decoded.
	ErrTooManyPixels = errors.New("the image has too many pixels")
	// ErrNotImage: the data is not JPEG, PNG, WebP or BMP, or it is a rare variant of these that is not
	// read here. The message names what the data looks like. Converting the picture helps; sending it again
	// does not.
	ErrNotImage = errors.New("not a JPEG, PNG, WebP or BMP image that can be read")
	// ErrBroken: the data is one of the formats, but cut off or damaged.
	ErrBroken = errors.New("the image is damaged or cut off")
)

// Defaults of Limits. A crop of one face has some 10 kB. The limits leave room for a whole photograph.
const (
	defaultBytes  = 8 << 20
	defaultPixels = 24_000_000
)

// What a decode may allocate: at most worstPerPixel bytes for each pixel of the image, and worstFixed. The
// worst for each pixel is a progressive CMYK JPEG: 4 coefficients of 4 bytes, 4 samples, their CMYK copy of
// 4 bytes and the picture of 3. (The usual JPEG, baseline 4:2:0, takes 4.5 bytes.) The fixed part is for
// the 2,600 sets of Huffman trees that a lossless WebP may define, and for a JPEG one pixel wide, whose
// rows are padded to 32. It also leaves room for one copy of the data, which a JPEG without Huffman tables
// or an animated PNG needs.
const (
	worstPerPixel = 27
	worstFixed    = 160 << 20
)

// Limits bounds what one decode may cost. Both are checked before anything is decoded. The memory of
// a decode is at most 27 bytes for each allowed pixel and 160 MiB: 820 MB under the default limits
// for a file that was made to hurt, and 110 MB for the largest usual JPEG.
type Limits struct {
	Bytes  int64 // length of the data; 0: 8 MiB
	Pixels int64 // width times height; 0: 24,000,000
}

// Info says what was decoded.
type Info struct {
	Format        string // "jpeg", "png", "webp" or "bmp"
	Orientation   int    // of EXIF, 1 to 8; 1 where there is none. It is already applied
	Width, Height int    // pixels, after the orientation was applied
}

// Decode reads a crop. Of an animated PNG it reads the first frame, as browsers show it. It reads a JPEG
// without Huffman tables, as webcams send them, with the standard tables. It ignores what follows a
// complete image. It lays transparent pixels over mid-grey (see the constant backdrop).
//
// The errors are ErrEmpty, ErrTooManyBytes, ErrTooManyPixels, ErrNotImage and ErrBroken. Decode is
// safe for concurrent use and does not keep data. The caller may Release the picture.
func Decode(data []byte, limits Limits) (*Picture, Info, error) {
	f, config, found, err := readHeader(data, limits)
	if err != nil {
		return nil, Info{}, err
	}
	orientation := max(found.orientation, upright)
	p, err := f.picture(found, image.Pt(config.Width, config.Height), orientation)
	if err != nil {
		return nil, Info{}, err
	}
	return p, Info{Format: f.name, Orientation: orientation, Width: p.Width, Height: p.Height}, nil
}

// picture decodes what was inspected. size is that of the image as stored.
func (f format) picture(found inspection, size image.Point, orientation int) (*Picture, error) {
	if f.fast != nil {
		// A mistake in it costs only time.
		p, _ := guard(found.data, func(io.Reader) (*Picture, error) { return f.fast(found.data, size, orientation), nil })
		if p != nil {
			return p, nil
		}
	}
	decoded, err := guard(found.data, f.decode)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", f.name, err)
	}
	if decoded.Bounds() != (image.Rectangle{Max: found.part.Size()}) {
		return nil, fmt.Errorf("decoding %s: %w: two sizes are given", f.name, ErrBroken)
	}
	p, err := convert(decoded, size, found.part.Min, f.colours, orientation)
	if err != nil {
		return nil, fmt.Errorf("converting %s: %w", f.name, err)
	}
	return p, nil
}

// Size returns the sides of the image as stored, before the orientation is applied. It reads only the
// header. The errors are those of [Decode] that the header shows. It is safe for concurrent use.
func Size(data []byte, limits Limits) (width, height int, err error) {
	_, config, _, err := readHeader(data, limits)
	return config.Width, config.Height, err
}

// readHeader does what comes before decoding: it finds the format and checks the limits.
func readHeader(data []byte, limits Limits) (f format, config image.Config, found inspection, err error) {
	limits = limits.withDefaults()
	if len(data) == 0 {
		return f, config, found, fmt.Errorf("%w", ErrEmpty)
	}
	if int64(len(data)) > limits.Bytes {
		return f, config, found, fmt.Errorf("%w: %d, and %d are allowed", ErrTooManyBytes, len(data), limits.Bytes)
	}
	f, ok := sniff(data)
	if !ok {
		return f, config, found, fmt.Errorf("%w: it looks like %s", ErrNotImage, describe(data))
	}
	if found, err = f.inspect(data); err != nil {
		return f, config, found, fmt.Errorf("reading %s: %w", f.name, err)
	}
	if found.size != (image.Point{}) {
		config.Width, config.Height = found.size.X, found.size.Y
	} else if config, err = guard(data, f.config); err != nil {
		return f, config, found, fmt.Errorf("reading the header of %s: %w", f.name, err)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return f, image.Config{}, found, fmt.Errorf("reading the header of %s: %w: it has no pixels", f.name, ErrBroken)
	}
	if int64(config.Width) > limits.Pixels/int64(config.Height) {
		return f, image.Config{}, found, fmt.Errorf("%w: %d x %d, and %d in all are allowed",
			ErrTooManyPixels, config.Width, config.Height, limits.Pixels)
	}
	if found.part.Empty() {
		found.part = image.Rect(0, 0, config.Width, config.Height)
	}
	return f, config, found, nil
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	if l.Pixels <= 0 {
		l.Pixels = defaultPixels
	}
	return l
}

// guard runs one function of a decoder over data. Its errors become ErrNotImage or ErrBroken, and a panic
// becomes ErrBroken: decoders index with numbers from the data, and a mistake in a decoder must cost only
// one request.
func guard[T any](data []byte, run func(io.Reader) (T, error)) (result T, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: the decoder gave up", ErrBroken)
		}
	}()
	result, err = run(bytes.NewReader(data))
	if err != nil {
		return result, translate(err)
	}
	return result, nil
}

// translate sorts an error of a decoder: the data is valid but the decoder cannot read it, or it is
// damaged.
func translate(err error) error {
	var jpegKind jpeg.UnsupportedError
	var pngKind png.UnsupportedError
	if errors.As(err, &jpegKind) || errors.As(err, &pngKind) || errors.Is(err, bmp.ErrUnsupported) {
		return fmt.Errorf("%w: a rare variant: %w", ErrNotImage, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrBroken)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// format is one kind of image that Decode reads.
type format struct {
	name    string
	inspect func(data []byte) (inspection, error)
	config  func(io.Reader) (image.Config, error)
	decode  func(io.Reader) (image.Image, error)
	colours colours // of the images with luma and chroma that decode returns
	// fast decodes the usual kinds, as decode would; nil if the data is of another kind, or not all right. It
	// may be nil.
	fast func(data []byte, size image.Point, orientation int) *Picture
}

var (
	formatJPEG = format{"jpeg", inspectJPEG, jpeg.DecodeConfig, jpeg.Decode, jfif, decodeBaseline}
	formatPNG  = format{"png", inspectPNG, png.DecodeConfig, png.Decode, colours{}, nil}
	formatWebP = format{"webp", inspectWebP, webp.DecodeConfig, webp.Decode, studio, nil}
	formatBMP  = format{"bmp", inspectBMP, bmp.DecodeConfig, decodeBMP, colours{}, nil}
)
