package bench

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// The plots of a report, as SVG that stands inside HTML.

const (
	plotWidth  = 16 * vg.Centimeter
	plotHeight = 10 * vg.Centimeter

	legendPadding = 3 * vg.Millimeter / 2
)

// colours can be told apart by people who see few colours (Okabe and Ito, 2008).
var colours = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{230, 159, 0, 255},
}

// curve is one line of a plot.
type curve struct {
	name   string
	points plotter.XYs
}

// ratesPlot plots error rates against each other, both on a logarithmic scale. Rates of 0
// have no place there.
func ratesPlot(x, y string, curves []curve) (htmltemplate.HTML, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	shown := 0
	for i, c := range curves {
		var points plotter.XYs
		for _, at := range c.points {
			if at.X > 0 && at.Y > 0 {
				points = append(points, at)
			}
		}
		if len(points) < 2 {
			continue
		}
		shown++
		line, err := plotter.NewLine(points)
		if err != nil {
			return "", fmt.Errorf("plot %s: %w", c.name, err)
		}
		line.Color, line.Width = colours[i%len(colours)], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(c.name, line)
	}
	if shown == 0 {
		return "<p>There are too few comparisons for a curve.</p>", nil
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = plotWidth / 2 // a name goes on to the right, where browsers have wider letters
	p.Legend.Padding, p.Legend.YOffs = legendPadding, -legendPadding
	for _, axis := range []*plot.Axis{&p.X, &p.Y} { // whole powers of ten, which are labelled
		axis.Min = math.Pow(10, math.Floor(math.Log10(axis.Min)))
		axis.Max = math.Pow(10, math.Ceil(math.Log10(max(axis.Max, 2*axis.Min))))
	}
	return svg(p)
}

// histogramPlot plots how alike pairs of one person are, and pairs of two people.
func histogramPlot(bars []alikeness, threshold float64) (htmltemplate.HTML, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "similarity", "share of the pairs"
	highest := 0.0
	for i, c := range []struct {
		name string
		of   func(alikeness) float64
	}{{"two people", func(a alikeness) float64 { return a.Impostor }}, {"one person", func(a alikeness) float64 { return a.Genuine }}} {
		var points plotter.XYs
		for _, b := range bars {
			points = append(points, plotter.XY{X: b.Similarity, Y: c.of(b)}, plotter.XY{X: b.Similarity + histogramStep, Y: c.of(b)})
			highest = max(highest, c.of(b))
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return "", fmt.Errorf("plot the similarities: %w", err)
		}
		line.Color, line.Width = colours[i], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(c.name, line)
	}
	limit, err := plotter.NewLine(plotter.XYs{{X: threshold, Y: 0}, {X: threshold, Y: highest}})
	if err != nil {
		return "", fmt.Errorf("plot the threshold: %w", err)
	}
	limit.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(limit)
	p.Legend.Add("threshold", limit)
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, legendPadding
	return svg(p)
}

// svg draws a plot. The SVG comes without what a file begins with, which HTML may not have
// inside.
func svg(p *plot.Plot) (htmltemplate.HTML, error) {
	var out bytes.Buffer
	canvas, err := p.WriterTo(plotWidth, plotHeight, "svg")
	if err != nil {
		return "", fmt.Errorf("draw a plot: %w", err)
	}
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", fmt.Errorf("draw a plot: %w", err)
	}
	_, inside, _ := bytes.Cut(out.Bytes(), []byte("<svg"))
	return htmltemplate.HTML("<svg" + string(inside)), nil
}
