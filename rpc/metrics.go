package rpc

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall/embedder"
	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

// Metrics are the counts and gauges behind /metrics. They describe the server and no
// person: no label holds the id of a student, a crop or a gallery. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	verdicts *prometheus.CounterVec
	faces    prometheus.Counter
	enrols   prometheus.Histogram
}

// latencyBuckets are in seconds, from a read of the gallery to a queue that is too long.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 10}

// stageBuckets are in seconds, from a search of a small gallery to a slow model.
var stageBuckets = []float64{.00001, .000025, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_requests_total", Help: "Calls answered, by procedure and code."}, []string{"procedure", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rollcall_request_seconds", Help: "Time from a call's header to its answer.", Buckets: latencyBuckets}, []string{"procedure"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rollcall_embed_stage_seconds", Help: "Time of each stage of the work on a crop or a photo.", Buckets: stageBuckets}, []string{"stage"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_verdicts_total", Help: "Verdicts given, by kind."}, []string{"verdict"}),
		faces: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_detected_faces_total", Help: "Faces found on photos."}),
		enrols: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "rollcall_enrol_seconds", Help: "Time of an enrolment in the gallery: the search for duplicates, the disk, the index.", Buckets: latencyBuckets}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.stages, m.verdicts, m.faces, m.enrols,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

// ObserveStage counts the time of one stage. It fits embedder.Options.Observe.
func (m *Metrics) ObserveStage(stage embedder.Stage, took time.Duration) {
	m.stages.WithLabelValues(stage.String()).Observe(took.Seconds())
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) request(procedure, code string, took time.Duration) {
	m.requests.WithLabelValues(procedure, code).Inc()
	m.duration.WithLabelValues(procedure).Observe(took.Seconds())
}

func (m *Metrics) verdict(v pb.Verdict) {
	m.verdicts.WithLabelValues(strings.ToLower(strings.TrimPrefix(v.String(), "VERDICT_"))).Inc()
}

func (m *Metrics) enrolled(took time.Duration) { m.enrols.Observe(took.Seconds()) }

func (m *Metrics) facesFound(n int) { m.faces.Add(float64(n)) }

// watch adds the gauges of a backend.
func (m *Metrics) watch(b Backend) { m.registry.MustRegister(backendCollector{b}) }

// backendCollector reads the backend's figures when /metrics is read.
type backendCollector struct{ Backend }

var (
	modelLabel   = []string{"model"}
	sessionsDesc = prometheus.NewDesc("rollcall_sessions", "Locked sessions of a loaded model.", modelLabel, nil)
	busyDesc     = prometheus.NewDesc("rollcall_sessions_busy", "Sessions that run now.", modelLabel, nil)
	workingDesc  = prometheus.NewDesc("rollcall_embed_working", "Calls that decode, locate or run now.", nil, nil)
	waitingDesc  = prometheus.NewDesc("rollcall_queue_waiting", "Calls that wait for their turn or for a model to load.", nil, nil)
	queueDesc    = prometheus.NewDesc("rollcall_queue_limit", "Calls that may wait before one more is refused.", nil, nil)
	memoryDesc   = prometheus.NewDesc("rollcall_model_bytes", "Estimated memory of a loaded model.", modelLabel, nil)
	heldDesc     = prometheus.NewDesc("rollcall_journal_waiting", "Lines of the journals that are not on disk yet.", nil, nil)
	lostDesc     = prometheus.NewDesc("rollcall_journal_lost_total", "Lines of the journals that were lost, because the disk was full or too slow.", nil, nil)
	freeDesc     = prometheus.NewDesc("rollcall_disk_free_bytes", "What the disk with the data still takes.", nil, nil)
	backupDesc   = prometheus.NewDesc("rollcall_backup_age_seconds", "Age of the newest good backup that the server wrote by itself; +Inf if there is none; absent if it writes none.", nil, nil)
	failedDesc   = prometheus.NewDesc("rollcall_backup_failures_total", "Backups that the server could not write.", nil, nil)
	loadsDesc    = prometheus.NewDesc("rollcall_model_loads_total", "Models loaded since the start.", nil, nil)
	unloadsDesc  = prometheus.NewDesc("rollcall_model_unloads_total", "Models unloaded since the start.", nil, nil)

	// Of all galleries that are in memory, together: whoever may read the metrics learns
	// nothing of a single gallery.
	knownDesc    = prometheus.NewDesc("rollcall_galleries", "Galleries of the server.", nil, nil)
	inMemoryDesc = prometheus.NewDesc("rollcall_galleries_loaded", "Galleries that are in memory. The figures of students, crops and indexes are the sums of these.", nil, nil)
	studentsDesc = prometheus.NewDesc("rollcall_students", "Students.", nil, nil)
	cropsDesc    = prometheus.NewDesc("rollcall_crops", "Crops.", nil, nil)
	vectorsDesc  = prometheus.NewDesc("rollcall_index_vectors", "Enrolled embeddings in the indexes of a model.", modelLabel, nil)
	indexDesc    = prometheus.NewDesc("rollcall_index_bytes", "Memory of the indexes of a model.", modelLabel, nil)
	recallDesc   = prometheus.NewDesc("rollcall_index_recall", "Share of sampled searches in which the approximate search of a model's index gave the same result as an exact one, of the gallery where it is least; absent if every search is exact.", modelLabel, nil)
)

func (c backendCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessionsDesc, busyDesc, workingDesc, waitingDesc, queueDesc, memoryDesc, heldDesc, lostDesc, freeDesc, backupDesc, failedDesc, loadsDesc, unloadsDesc,
		knownDesc, inMemoryDesc, studentsDesc, cropsDesc, vectorsDesc, indexDesc, recallDesc} {
		ch <- d
	}
}

func (c backendCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	e := c.Embedder.Stats()
	for _, m := range e.Models {
		gauge(sessionsDesc, float64(m.Sessions), m.Name)
		gauge(busyDesc, float64(m.Busy), m.Name)
		gauge(memoryDesc, float64(m.Bytes), m.Name)
	}
	gauge(workingDesc, float64(e.Working))
	gauge(waitingDesc, float64(e.Waiting))
	gauge(queueDesc, float64(e.Queue))
	j := c.Journals.Stats()
	gauge(heldDesc, float64(j.Held))
	counter(lostDesc, j.Lost)
	if c.FreeBytes != nil {
		if free, err := c.FreeBytes(); err == nil {
			gauge(freeDesc, float64(free))
		}
	}
	if c.Backups != nil {
		age := math.Inf(1)
		if newest := c.Backups.Newest(); !newest.IsZero() {
			age = time.Since(newest).Seconds()
		}
		gauge(backupDesc, age)
		counter(failedDesc, c.Backups.Failures())
	}
	counter(loadsDesc, e.Loads)
	counter(unloadsDesc, e.Unloads)
	gauge(knownDesc, float64(len(c.Galleries.List())))
	collectGalleries(gauge, slices.Collect(maps.Values(c.Galleries.Stats())))
}

// collectGalleries sends what the galleries that are in memory come to.
func collectGalleries(gauge func(d *prometheus.Desc, v float64, labels ...string), galleries []gallery.Stats) {
	var students, crops int
	models := make(map[string]gallery.ModelStats)
	for _, g := range galleries {
		students += g.Students
		crops += g.Crops
		for _, m := range g.Models {
			sum := models[m.Name]
			if m.RecallKnown && (!sum.RecallKnown || m.Recall < sum.Recall) {
				sum.Recall, sum.RecallKnown = m.Recall, true
			}
			sum.Vectors += m.Vectors
			sum.Bytes += m.Bytes
			models[m.Name] = sum
		}
	}
	gauge(inMemoryDesc, float64(len(galleries)))
	gauge(studentsDesc, float64(students))
	gauge(cropsDesc, float64(crops))
	for name, m := range models {
		gauge(vectorsDesc, float64(m.Vectors), name)
		gauge(indexDesc, float64(m.Bytes), name)
		if m.RecallKnown {
			gauge(recallDesc, m.Recall, name)
		}
	}
}
