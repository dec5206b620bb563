package bench

import (
	"archive/tar"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"rollcall/models"
)

// The files of a folder of faces.
const (
	facesTable   = "faces.csv"     // a row for each picture
	facesArchive = "faces-192.tar" // the pictures
)

// The splits of a folder of faces. No person is in both train and test.
const (
	splitTrain = "train"
	splitTest  = "test"
	// splitValidation are those people of train whose numbers end in validationDigit. The training of
	// the built-in models (models/train) leaves them out, so that they can serve to choose and to
	// calibrate.
	splitValidation = "validation"
	validationDigit = "7"
)

// facesOptions say which pictures of people are used: those of one split of a folder.
type facesOptions struct{ folder, split string }

func (o *facesOptions) addFlags(set *pflag.FlagSet) {
	set.StringVar(&o.folder, "faces", "", "folder of the faces (see eval)")
	o.addSplit(set)
}

func (o *facesOptions) addSplit(set *pflag.FlagSet) {
	set.StringVar(&o.split, "split", splitTest, "which people of the folder: test, train, or validation, the tenth of train that the built-in models were not trained on")
}

func (o *facesOptions) validate() error {
	if o.folder == "" {
		return errors.New("--faces is missing: the folder with faces.csv and faces-192.tar")
	}
	return nil
}

// open reads the faces and opens the models, of a bench that measures models with them.
// The caller closes the workbench.
func (o *facesOptions) open(ctx context.Context, progress io.Writer, models modelOptions) ([]face, *workbench, error) {
	faces, err := readFaces(o.folder, o.split)
	if err != nil {
		return nil, nil, err
	}
	w, err := models.open(ctx, progress)
	return faces, w, err
}

// facesHeader is the first row of faces.csv: picture, person, split, and the
// five landmarks in pixels of the picture, in the order of models.Landmarks.
var facesHeader = []string{
	"image", "person", "split", "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y", "nose_x", "nose_y",
	"mouth_left_x", "mouth_left_y", "mouth_right_x", "mouth_right_y",
}

// A face is a picture of one person, larger than a crop.
type face struct {
	name, person string
	landmarks    models.Landmarks // pixels of the picture
	jpeg         []byte
}

// readFaces reads the pictures of one split, in the order of faces.csv.
func readFaces(dir, split string) ([]face, error) {
	if split != splitTrain && split != splitTest && split != splitValidation {
		return nil, fmt.Errorf("--split is %q; it can be %s, %s or %s", split, splitTest, splitTrain, splitValidation)
	}
	faces, err := readTable(filepath.Join(dir, facesTable), split)
	if err == nil {
		err = readPictures(filepath.Join(dir, facesArchive), faces)
	}
	if err != nil {
		return nil, fmt.Errorf("read the faces: %w", err)
	}
	return faces, nil
}

// readTable reads the rows of one split, without the pictures.
func readTable(name, split string) ([]face, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table := csv.NewReader(file)
	table.FieldsPerRecord = len(facesHeader)
	table.ReuseRecord = true
	header, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, want := range facesHeader {
		if header[i] != want {
			return nil, fmt.Errorf("%s: column %d is %q, not %q", name, i+1, header[i], want)
		}
	}
	var faces []face
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !inSplit(split, row[1], row[2]) {
			continue
		}
		f := face{name: row[0], person: row[1]}
		if f.landmarks, err = parseLandmarks(row[3:]); err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("%s, line %d: %w", name, line, err)
		}
		faces = append(faces, f)
	}
	if len(faces) == 0 {
		return nil, fmt.Errorf("%s has no picture of the split %s", name, split)
	}
	return faces, nil
}

// inSplit says whether a person, whom the table has in the split listed, is in split.
func inSplit(split, person, listed string) bool {
	if split == splitValidation {
		return listed == splitTrain && strings.HasSuffix(person, validationDigit)
	}
	return listed == split
}

// parseLandmarks reads x and y of each landmark.
func parseLandmarks(fields []string) (models.Landmarks, error) {
	var values [10]float32
	for i, field := range fields {
		v, err := strconv.ParseFloat(field, 32)
		if err != nil {
			return models.Landmarks{}, fmt.Errorf("%s: %w", facesHeader[3+i], err)
		}
		values[i] = float32(v)
	}
	var l models.Landmarks
	for i := range l {
		l[i] = models.Point{X: values[2*i], Y: values[2*i+1]}
	}
	return l, nil
}

// maxPictureBytes bounds one picture of the archive: twenty times the largest
// of 192 x 192 pixels.
const maxPictureBytes = 1 << 20

// readPictures reads the pictures of the given faces from the archive.
func readPictures(name string, faces []face) error {
	missing := make(map[string]*face, len(faces))
	for i := range faces {
		missing[faces[i].name] = &faces[i]
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for archive := tar.NewReader(file); len(missing) > 0; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		picture := path.Base(header.Name)
		f := missing[picture]
		if f == nil {
			continue
		}
		if header.Size > maxPictureBytes {
			return fmt.Errorf("%s: %s has %d bytes, more than the %d that a picture may have", name, picture, header.Size, maxPictureBytes)
		}
		if f.jpeg, err = io.ReadAll(archive); err != nil {
			return fmt.Errorf("%s: %s: %w", name, picture, err)
		}
		delete(missing, picture)
	}
	for picture := range missing {
		return fmt.Errorf("%s lacks %d pictures of %s, such as %s", name, len(missing), facesTable, picture)
	}
	return nil
}
