package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/gallery"
)

// FuzzTables reads any file as the tables that eval takes.
func FuzzTables(f *testing.F) {
	header := strings.Join(facesHeader, ",") + "\n"
	f.Add([]byte(header + "a.jpg,p1,test,1,2,3,4,5,6,7,8,9,10\n"))
	f.Add([]byte(header + "a.jpg,p1,test,1,2,3,4,5,6,7,8,9,NaN\n"))
	f.Add([]byte("person,age\np1,7\n"))
	f.Add([]byte("file,\"age\nx\"\na.jpg\n"))
	f.Add([]byte(`{"calibration":[{"fmr":0.01,"similarity":0.3}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(dir, "table")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		faces, err := readTable(name, splitTest)
		if (err == nil) != (len(faces) > 0) {
			t.Fatalf("%d faces, %v", len(faces), err)
		}
		crops := []crop{{name: "a.jpg", person: "p1"}}
		columns, err := readLabels(name, crops)
		for _, c := range columns {
			if err != nil || len(c.byCrop) != len(crops) {
				t.Fatalf("%+v, %v", c, err)
			}
		}
		var points []gallery.Calibration
		if points, err = readCalibration(name); (err == nil) != (len(points) > 0) {
			t.Fatalf("%d points, %v", len(points), err)
		}
	})
}
