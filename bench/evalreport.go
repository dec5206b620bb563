package bench

import (
	_ "embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"os"
	"strings"

	"gonum.org/v1/plot/plotter"
)

//go:embed evalreport.html
var reportPage string

var reportTemplate = htmltemplate.Must(htmltemplate.New("report").Parse(reportPage))

// reportView is what the page shows.
type reportView struct {
	Machine   machine
	Result    evalResult
	Tables    []tableView
	DET       htmltemplate.HTML
	OpenSet   htmltemplate.HTML
	Histogram htmltemplate.HTML
}

type tableView struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string
}

// writeReport writes the report as one HTML file that needs no other. It names files and
// people of the folder, and holds no image and no embedding.
func writeReport(name string, r evalResult) (err error) {
	view := reportView{Machine: describeMachine(), Result: r}
	for _, t := range r.tablesWith(mostFailures) {
		title, _, _ := strings.Cut(t.title, "\n") // what follows is said above already
		view.Tables = append(view.Tables, tableView{title, t.header, t.rows, t.notes})
	}
	if view.DET, err = ratesPlot("FMR", "FNMR", []curve{{"one comparison", detPoints(r.DET)}}); err != nil {
		return err
	}
	var curves []curve
	for _, s := range r.OpenSet {
		var points plotter.XYs
		for _, p := range s.Curve {
			points = append(points, plotter.XY{X: p.FPIR, Y: p.FNIR})
		}
		curves = append(curves, curve{fmt.Sprintf("%d students", s.Students), points})
	}
	if view.OpenSet, err = ratesPlot("FPIR", "FNIR", curves); err != nil {
		return err
	}
	if view.Histogram, err = histogramPlot(r.Histogram, r.Ways[0].Threshold); err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := errors.Join(reportTemplate.Execute(file, view), file.Close()); err != nil {
		return fmt.Errorf("write the report %s: %w", name, err)
	}
	return nil
}

func detPoints(det []detPoint) (points plotter.XYs) {
	for _, p := range det {
		points = append(points, plotter.XY{X: p.FMR, Y: p.FNMR})
	}
	return points
}
