package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func ExampleParseContract() {
	c, err := ParseContract([]byte(`{
		"name": "my-model",
		"kind": "embedder",
		"title": "Trained on our own pictures",
		"licence": {"name": "ours", "free": true},
		"input": {
			"width": 112, "height": 112, "layout": "NCHW", "colour": "RGB",
			"mean": [127.5, 127.5, 127.5], "std": [128, 128, 128],
			"fit": "align"
		},
		"template": [[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]],
		"output": {"dimension": 512},
		"threshold": 0.4,
		"threshold_source": "our own measurement",
		"preference": 10
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name, c.Output.Dimension, c.Template[2])
	// Output: my-model 512 {56 71.7}
}

func TestContractRoundTrip(t *testing.T) {
	full := testEmbedder("full")
	full.SHA256 = strings.Repeat("a", 64)
	full.Source = &Source{URL: "https://example.org/a.zip", Member: "a.onnx", Bytes: 9, ArchiveSHA256: strings.Repeat("b", 64)}
	full.Description = "description"
	full.Licence = Licence{Name: "n", URL: "https://example.org", Note: "note"}
	full.Calibration = []Calibration{{FMR: 0.01, Similarity: 0.3}, {FMR: 0.001, Similarity: 0.4}}
	full.CalibrationSource = "here"
	full.Golden = &Golden{Embedding: []float32{0.5, -0.5, 0.5, 0.5}, Tolerance: 0.001}
	full.Accuracy = []Measurement{{Set: "s", Figure: "f", Value: "v", Source: "w"}}
	locator := testLocator("locator")
	locator.Input.Margin = 0.25
	for _, want := range []Contract{full, testEmbedder("plain"), locator, testDetector("detector")} {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseContract(data)
		if err != nil {
			t.Fatalf("%s: %v\n%s", want.Name, err, data)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", want.Name, got, want)
		}
	}
}

// TestParseRefuses changes the JSON of a valid contract and wants each change refused by name.
func TestParseRefuses(t *testing.T) {
	data, err := json.Marshal(testEmbedder("test"))
	if err != nil {
		t.Fatal(err)
	}
	valid := string(data)
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown field":       {`"title":`, `"titel":"x","title":`, "titel"},
		"unknown input field": {`"colour":`, `"color":"BGR","colour":`, "color"},
		"mean of four":        {`"mean":[127.5,`, `"mean":[127.5,127.5,`, "input.mean"},
		"mean of two":         {`"mean":[127.5,`, `"mean":[`, "input.mean"},
		"no mean":             {`"mean":[127.5,127.5,127.5],`, ``, "input.mean"},
		"std of one":          {`"std":[128,128,128]`, `"std":[128]`, "input.std"},
		"template of four":    {`[38.2946,51.6963],`, ``, "template"},
		"template of six":     {`[38.2946,51.6963],`, `[38.2946,51.6963],[38.2946,51.6963],`, "template"},
		"point of three":      {`[38.2946,51.6963]`, `[38.2946,51.6963,1]`, "[x, y]"},
		"text for a number":   {`"width":112`, `"width":"112"`, "width"},
		"something after":     {`}`, `}{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(valid, test.old, test.new, 1)
			if name == "something after" {
				broken = valid + "{}"
			}
			if broken == valid {
				t.Fatal("the test changes nothing")
			}
			_, err := ParseContract([]byte(broken))
			if !errors.Is(err, ErrContract) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, broken := range []string{"", "null", "[]", "{}", "{", strings.Repeat(" ", maxContractBytes) + valid} {
		if _, err := ParseContract([]byte(broken)); !errors.Is(err, ErrContract) {
			t.Errorf("%.20q: got %v", broken, err)
		}
	}
}

// TestValidateNamesFaults changes one thing of a valid contract and wants it named.
func TestValidateNamesFaults(t *testing.T) {
	nan := float32(math.NaN())
	for want, change := range map[string]func(*Contract){
		"name ":              func(c *Contract) { c.Name = "../up" },
		"kind":               func(c *Contract) { c.Kind = "tracker" },
		"title":              func(c *Contract) { c.Title = "" },
		"licence.name":       func(c *Contract) { c.Licence.Name = "" },
		"training_data.text": func(c *Contract) { c.TrainingData.Source = "" },
		"sha256 must":        func(c *Contract) { c.SHA256 = strings.Repeat("A", 64) },
		"sha256 is missing": func(c *Contract) {
			c.Source = &Source{URL: "https://example.org/x", Member: "x", ArchiveSHA256: strings.Repeat("a", 64)}
		},
		"source.url":          func(c *Contract) { c.Source = &Source{URL: "file:///x"} },
		"source.bytes":        func(c *Contract) { c.Source = &Source{URL: "https://example.org/x", Bytes: 1 << 40} },
		"source.archive":      func(c *Contract) { c.Source = &Source{URL: "https://example.org/x", Member: "x"} },
		"source.member":       func(c *Contract) { c.Source = &Source{ArchiveSHA256: strings.Repeat("a", 64)} },
		"input.width":         func(c *Contract) { c.Input.Width = 0 },
		"input.height":        func(c *Contract) { c.Input.Height = 1 << 20 },
		"input.layout":        func(c *Contract) { c.Input.Layout = "nchw" },
		"input.colour":        func(c *Contract) { c.Input.Colour = "GBR" },
		"input.mean":          func(c *Contract) { c.Input.Mean[1] = nan },
		"input.std":           func(c *Contract) { c.Input.Std[2] = 0 },
		"input.fit":           func(c *Contract) { c.Input.Fit = "crop" },
		"input.margin cannot": func(c *Contract) { c.Input.Margin = 0.1 },
		"input.margin must":   func(c *Contract) { c.Input.Fit, c.Input.Margin = FitStretch, 2 },
		"output.dimension":    func(c *Contract) { c.Output.Dimension = 0 },
		"decoder, ":           func(c *Contract) { c.Decoder = DecoderYuNet },
		"second_look, ":       func(c *Contract) { c.SecondLook = 1.5 },
		", sure, ":            func(c *Contract) { c.Sure = 0.9 },
		"anchors and con":     func(c *Contract) { c.Anchors = []Anchors{{8, 1}} },
		"lies outside":        func(c *Contract) { c.Template[1].X = 112 },
		"image order":         func(c *Contract) { c.Template[0], c.Template[1] = c.Template[1], c.Template[0] },
		"eyes over":           func(c *Contract) { c.Template[0].Y, c.Template[3].Y = 92, 51 },
		"template is":         func(c *Contract) { c.Input.Fit = FitLetterbox },
		"mirror_enrolled is":  func(c *Contract) { c.Input.Fit, c.MirrorEnrolled = FitLetterbox, true },
		"threshold must":      func(c *Contract) { c.Threshold = 1.2 },
		"threshold and":       func(c *Contract) { c.ThresholdSource = "" },
		"threshold over 0":    func(c *Contract) { c.Threshold, c.ThresholdSource = 0, "" },
		"calibration and":     func(c *Contract) { c.CalibrationSource = "nobody" },
		"two points":          func(c *Contract) { c.Calibration = []Calibration{{0.1, 0.1}} },
		"calibration fmr":     func(c *Contract) { c.Calibration = []Calibration{{0.1, 0.1}, {0, 0.2}} },
		"point 2":             func(c *Contract) { c.Calibration = []Calibration{{0.1, 0.1}, {0.2, 0.2}} },
		"point 3":             func(c *Contract) { c.Calibration = []Calibration{{0.1, 0.1}, {0.02, 0.2}, {0.01, 0.2}} },
		"calibration simila":  func(c *Contract) { c.Calibration = []Calibration{{0.1, nan}, {0.01, 0.2}} },
		"golden.embedding must have": func(c *Contract) {
			c.Golden = &Golden{Embedding: []float32{1}, Tolerance: 0.1}
		},
		"unit length": func(c *Contract) {
			c.Golden = &Golden{Embedding: []float32{1, 0, 0, nan}, Tolerance: 0.1}
		},
		"golden.tolerance": func(c *Contract) { c.Golden = &Golden{Embedding: []float32{1, 0, 0, 0}} },
	} {
		c := testEmbedder("test")
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrContract) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for want, change := range map[string]func(*Contract){
		"decoder":             func(c *Contract) { c.Decoder = "ssd" },
		"second_look must":    func(c *Contract) { c.Decoder, c.SecondLook = DecoderPoints, 0.5 },
		"decoder \"points\"":  func(c *Contract) { c.SecondLook = 1.5 },
		"sure must":           func(c *Contract) { c.Sure = 0.9 },
		"confirmed_by must":   func(c *Contract) { c.ConfirmedBy = "No Name" },
		"needs landmarks":     func(c *Contract) { c.Input.Fit = FitAlign },
		"template is":         func(c *Contract) { c.Template = template112 },
		"output and":          func(c *Contract) { c.Output.Dimension = 10 },
		"mirror_enrolled are": func(c *Contract) { c.MirrorEnrolled = true },
		"threshold and calib": func(c *Contract) { c.Threshold = 0.9 },
		"golden is":           func(c *Contract) { c.Golden = &Golden{} },
		"anchors are":         func(c *Contract) { c.Anchors = []Anchors{{8, 1}} },
		"confirmed_by is": func(c *Contract) {
			c.Decoder, c.SecondLook, c.ConfirmedBy = DecoderPoints, 1.5, "other"
		},
	} {
		c := testLocator("test")
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrContract) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for want, change := range map[string]func(*Contract){
		"decoder":             func(c *Contract) { c.Decoder = DecoderPoints },
		"second_look and":     func(c *Contract) { c.SecondLook = 1.5 },
		"fit \"corner\"":      func(c *Contract) { c.Input.Fit = FitLetterbox },
		"without margin":      func(c *Contract) { c.Input.Margin = 0.1 },
		"confirmed_by must":   func(c *Contract) { c.ConfirmedBy = c.Name },
		"anchors are":         func(c *Contract) { c.Anchors = nil },
		"count must":          func(c *Contract) { c.Anchors[0].Count = 0 },
		"stride 7 must":       func(c *Contract) { c.Anchors[1].Stride = 7 },
		"stride 0 must":       func(c *Contract) { c.Anchors[1].Stride = 0 },
		"a detector has none": func(c *Contract) { c.Input.Fit = FitAlign },
		"golden is":           func(c *Contract) { c.Golden = &Golden{} },
		"template is":         func(c *Contract) { c.Template = template112 },
		"threshold and cal":   func(c *Contract) { c.Threshold = 0.9 },
	} {
		c := testDetector("test")
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrContract) || !strings.Contains(err.Error(), want) {
			t.Errorf("detector, %s: got %v", want, err)
		}
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	err := Contract{Kind: Embedder}.Validate()
	for _, want := range []string{"name", "title", "licence.name", "input.width", "input.height", "layout", "colour", "std", "fit", "dimension", "threshold"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestValidateAcceptsReservedDecoder(t *testing.T) {
	c := testLocator("points")
	c.Decoder = DecoderPoints
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
